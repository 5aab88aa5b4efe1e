"""A specification as a whole: the state, the actions and the properties that one module holds.

Roles are collected from the module itself, so several versions of a specification (a mutant, a user's copy) can
be loaded side by side.  Each part is read into terms once, when it is first asked for.
"""

from __future__ import annotations

import ast
import importlib.util
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any as Anything
from typing import get_type_hints

from .language import BadDeclaration, Many, Sort, State, has_role, item_of, relations_of
from .overlay import check_kept, check_speaks_of, parts_of
from .reading import parameters, read_predicate, read_state, read_step, sorts_of_text
from .temporal import Promise, read_promise
from .term import All, Any, Formula, StateTerm, Step, filters_of, formulas_of, start, within
from .typecheck import TypeChecker

Function = Callable[..., Anything]


class BadSpecification(Exception):
    """A module is not a specification; the message is one line that says what is missing and where."""


def defined_again(module: ModuleType) -> ast.FunctionDef | None:
    """The second of two functions of one name in a module's text; of the first, Python knows nothing any more."""
    text = "".join(linecache.getlines(getattr(module, "__file__", None) or ""))
    seen: set[str] = set()
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.FunctionDef):
            if statement.name in seen:
                return statement
            seen.add(statement.name)
    return None


def brief(f: Function) -> str:
    """The first sentence of a docstring, on one line."""
    text = " ".join((f.__doc__ or "").split())
    return text.partition(". ")[0].rstrip(".")


def where(f: Function) -> str:
    """The file and line of a function, as `multipaxos.py:74`."""
    return f"{Path(f.__code__.co_filename).name}:{f.__code__.co_firstlineno}"


@dataclass(frozen=True)
class Specification:
    """What a module specifies.

    `assumes` are the axioms that the module lists under that name; `init` is its only initial state.
    """

    name: str
    module: ModuleType = field(repr=False, compare=False)
    state: type[State]
    init: Function
    actions: tuple[Function, ...]
    invariants: tuple[Function, ...]
    safety: tuple[Function, ...]
    assumes: tuple[Function, ...]
    liveness: tuple[Function, ...] = ()

    @classmethod
    def of(cls, module: ModuleType, name: str | None = None) -> Specification:
        """Collects a module's parts.  Raises `BadSpecification` if one is missing."""
        where = getattr(module, "__file__", None) or module.__name__
        try:
            check_kept(module)
            assumes = _assumed(module)
        except BadDeclaration as why:
            raise BadSpecification(f"{where}: {why}") from None
        inits = parts_of(module, "init")
        if len(inits) != 1:
            raise BadSpecification(f"{where}: a specification has one @init, this has {len(inits)}")
        state = get_type_hints(inits[0]).get("return")
        if not (isinstance(state, type) and issubclass(state, State)):
            raise BadSpecification(
                f"{where}: say which State {inits[0].__name__} returns, as `-> {state_name(module)}:`"
            )
        actions = parts_of(module, "action")
        if not actions:
            raise BadSpecification(f"{where}: a specification has at least one @action")
        try:
            relations_of(state)
            check_speaks_of(module, state)
        except BadDeclaration as why:
            raise BadSpecification(f"{where}: {why}") from None
        if lost := defined_again(module):
            raise BadSpecification(
                f"{where}:{lost.lineno}: {lost.name} is defined again, and the first is lost; name it anew"
            )
        return cls(
            name or module.__name__.rpartition(".")[2],
            module,
            state,
            inits[0],
            actions,
            parts_of(module, "invariant"),
            parts_of(module, "safety"),
            assumes,
            parts_of(module, "liveness"),
        )

    # What it speaks of -------------------------------------------------------------------

    @cached_property
    def sorts(self) -> tuple[type[Sort], ...]:
        """Every sort that is spoken of, in the order of first mention; items before the sets of them."""
        found: dict[type[Sort], None] = {}
        for sort in self._mentioned():
            if issubclass(sort, Many):
                found.setdefault(item_of(sort))
            found.setdefault(sort)
        called: dict[str, type[Sort]] = {}
        for sort in found:
            if (other := called.setdefault(sort.__name__.lower(), sort)) is not sort:
                raise BadSpecification(
                    f"{self.name}: two sorts are called {sort.__name__.lower()}, "
                    f"{other.__module__}.{other.__name__} and {sort.__module__}.{sort.__name__}; rename one"
                )
        return tuple(found)

    def _mentioned(self) -> Iterator[type[Sort]]:
        for sorts in relations_of(self.state).values():
            yield from sorts
        for one in self.steps.values():
            yield from (x.sort for x in one.params)
        formulas = [*filters_of(self.first), *(f for one in self.steps.values() for f in formulas_of(one))]
        for t in (*formulas, *self.claims.values(), *self.axioms.values()):
            yield from (x.sort for f in within(t) if isinstance(f, Any | All) for x in f.vars)
        for f in (self.init, *self.actions, *self.properties, *self.assumes, *self.liveness):
            yield from sorts_of_text(f)

    @property
    def properties(self) -> tuple[Function, ...]:
        """Invariants and safety properties, each once."""
        return tuple(dict.fromkeys((*self.invariants, *self.safety)))

    def action(self, name: str) -> Function:
        """The action of this name.  Raises `KeyError`."""
        return {f.__name__: f for f in self.actions}[name]

    # Its terms ---------------------------------------------------------------------------

    @cached_property
    def now(self) -> StateTerm:
        """The state as it is, said as terms."""
        return start(self.state)

    @cached_property
    def first(self) -> StateTerm:
        """The initial state, said as terms."""
        out = read_state(self.init)
        self._types.state(out)
        return out

    @cached_property
    def steps(self) -> Mapping[str, Step]:
        """Each action read into terms, by name.  Raises `Unreadable`."""
        out = {f.__name__: read_step(f, self.now) for f in self.actions}
        for one in out.values():
            self._types.step(one)
        return out

    @cached_property
    def claims(self) -> Mapping[str, Formula]:
        """Each property read into a formula, by name.  Raises `Unreadable`."""
        out = {f.__name__: read_predicate(f, self.now) for f in self.properties}
        for one in out.values():
            self._types.formula(one)
        return out

    @cached_property
    def axioms(self) -> Mapping[str, Formula]:
        """Each axiom read into a formula, by name.  Raises `Unreadable`."""
        out = {f.__name__: read_predicate(f, None) for f in self.assumes}
        for one in out.values():
            self._types.formula(one)
        return out

    @cached_property
    def promises(self) -> Mapping[str, Promise]:
        """Each liveness property read into formulas, by name.  Raises `Unreadable`."""
        out = {f.__name__: read_promise(f, self.now, self.actions) for f in self.liveness}
        for one in out.values():
            inner = self._types.within(one.params)
            inner.formula(one.premise)
            inner.formula(one.conclusion)
        return out

    def read(self) -> None:
        """Reads everything there is.  Raises `Unreadable` at the first thing that cannot be read.

        Whoever only runs the text calls this first, so that nothing is explored that could not be proved.
        """
        _ = self.first, self.steps, self.claims, self.axioms, self.promises, self.sorts

    @cached_property
    def _types(self) -> TypeChecker:
        return TypeChecker(relations_of(self.state))


def _assumed(module: ModuleType) -> tuple[Function, ...]:
    """The axioms that a module lists.  Raises `BadDeclaration` if it lists anything else."""
    assumes = getattr(module, "assumes", ())
    if not isinstance(assumes, list | tuple):
        raise BadDeclaration("`assumes` is a list: assumes = [quorums_meet]")
    for f in assumes:
        if not has_role(f, "axiom"):
            raise BadDeclaration(f"`assumes` lists functions marked @axiom; {f!r} is none")
    return tuple(assumes)


def state_name(module: ModuleType) -> str:
    """The name of the state that a module declares, or what one might be called."""
    found = [
        n for n, x in vars(module).items() if isinstance(x, type) and issubclass(x, State) and x is not State
    ]
    return found[-1] if found else "MyState"


def sorts_of(f: Function) -> tuple[type[Sort], ...]:
    """The sorts of an action's parameters, the state left out."""
    return tuple(x.sort for x in parameters(f))


def load(path: str | Path) -> Specification:
    """The specification in a Python file.  Raises `BadSpecification` if the file is none or cannot be imported."""
    file = Path(path)
    if not file.is_file():
        raise BadSpecification(f"{file}: there is no such file; name a specification or the path of one")
    name = f"quorate_user_{file.stem}"
    found = importlib.util.spec_from_file_location(name, file)
    if found is None or found.loader is None:
        raise BadSpecification(f"{file}: this is no Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        with beside(file):
            found.loader.exec_module(module)
    except (Exception, SystemExit) as why:
        del sys.modules[name]
        raise BadSpecification(f"{file}: {why_not_imported(why)}") from why
    return Specification.of(module, file.stem)


@contextmanager
def beside(file: Path) -> Iterator[None]:
    """Within this context, an import finds the files beside this one, as it does when Python runs it."""
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def why_not_imported(why: Exception | SystemExit) -> str:
    """In one line, why a file cannot be imported, where it failed, and what to do where that can be told."""
    if isinstance(why, BadDeclaration):
        return str(why)
    if isinstance(why, SyntaxError):
        return f"it is not Python: line {why.lineno}: {why.msg}"
    if isinstance(why, ImportError) and "relative import" in str(why):
        return "a file by itself has no `from .`; write `from quorate.checker.language import ...`"
    frames = traceback.extract_tb(why.__traceback__)
    place = next(
        (f"{Path(f.filename).name}, line {f.lineno}: " for f in reversed(frames) if f.filename[0] != "<"), ""
    )
    return f"it cannot be imported: {place}{type(why).__name__}: {why}".splitlines()[0]

"""Read a specification's Python into terms; refuse what is outside the subset and say what to write instead.

Helper predicates are unfolded where they are called, so a term speaks of the state alone.  Every statement is
read, also one whose value is not used.  This file knows functions and statements; `expressions.py` knows the rest.
"""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any as Anything
from typing import TypeAlias, get_type_hints

from . import language
from .expressions import Expressions, Meaning, Names
from .language import Many, Sort, State, has_role, is_sort, is_state, item_of
from .rewrites import REWRITES
from .source import Source
from .term import FORMULAS, Formula, Require, StateTerm, Step, Var, put, put_in

Opaque: TypeAlias = Mapping[Callable[..., Anything], StateTerm]


@dataclass(frozen=True)
class Reader(Expressions):
    """One function, being read with terms for its parameters.

    `stack` holds the functions being unfolded; `opaque` gives images that are to be taken as they are named, not
    unfolded; `requires`, if it is given, collects what an action requires.
    """

    source: Source
    stack: tuple[Callable[..., Anything], ...]
    opaque: Opaque
    requires: list[Require] | None

    # Whole functions ---------------------------------------------------------------------

    def read(self, args: Sequence[Meaning]) -> Meaning:
        """What the function returns, given terms for its parameters.  Raises `Unreadable`."""
        wanted = self.parameters()
        if len(args) != len(wanted) or not all(map(fits, args, wanted.values())):
            kinds = ", ".join(getattr(kind_of(x), "__name__", "?") for x in args) or "none"
            self.refuse(self.source.definition, f"its parameters must be ({kinds}), in this order")
        env: dict[str, Meaning] = dict(zip(wanted, args, strict=True))
        statements = self.source.definition.body
        for i, statement in enumerate(statements):
            match statement:
                case ast.Expr(ast.Constant(str())) if i == 0:
                    pass
                case ast.Expr(ast.Call(function) as call) if self.names(function, env, language.require):
                    self.require(statement, call, env)
                case ast.Assign([ast.Name(name)], value):
                    self.fresh(statement, name, env)
                    env[name] = self.value(value, env)
                case ast.Return(ast.expr() as value):
                    if statement is not statements[-1]:
                        self.refuse(statements[i + 1], "nothing can follow `return`")
                    return self.value(value, env)
                case ast.Return():
                    self.refuse(statement, "say what is returned")
                case ast.Expr(ast.expr() as value) if type(value) not in REWRITES:
                    self.refuse(value, "this has no effect; write require(...) or return ...")
                case _:
                    self.refuse(statement, statement_rewrite(statement))
        self.refuse(self.source.definition, "nothing is returned")

    def parameters(self) -> Mapping[str, type]:
        """The parameters with their annotations, each a Sort or a State."""
        f, definition = self.source.function, self.source.definition
        a = definition.args
        if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or a.defaults:
            self.refuse(definition, "parameters are plain: no defaults, no *, no /")
        if f.__closure__:
            self.refuse(definition, "it uses names of a function around it; write it at the top of the file")
        try:
            hints = get_type_hints(f)
        except (AttributeError, NameError, SyntaxError, TypeError) as why:
            self.refuse(definition, f"an annotation says nothing: {why}")
        out: dict[str, type] = {}
        for parameter in a.args:
            self.fresh(parameter, parameter.arg, out)
            hint = hints.get(parameter.arg)
            if not (is_sort(hint) or is_state(hint)):
                self.refuse(
                    parameter, f"say of what Sort or State {parameter.arg} is, as {parameter.arg}: Ballot"
                )
            out[parameter.arg] = hint
        return out

    def require(self, statement: ast.stmt, call: ast.Call, env: Names) -> None:
        if self.requires is None or not has_role(self.source.function, "action"):
            self.refuse(
                statement, "require(...) belongs in an @action; in a predicate write implies(...) or `and`"
            )
        if len(call.args) != 1 or call.keywords:
            self.refuse(statement, "require(...) takes one claim; write a require for each")
        place = replace(self.source.file.place(statement), text=self.source.file.said(call.args[0]))
        self.requires.append(Require(self.formula(call.args[0], env), place))

    def named(self) -> Iterator[object]:
        """What the names of its statements mean outside it."""
        for node in itertools.chain(*map(ast.walk, self.source.definition.body)):
            yield self.meaning_outside(node)

    # Calls -------------------------------------------------------------------------------

    def unfold(self, e: ast.Call, function: Callable[..., Anything], env: Names) -> Meaning:
        """The meaning of a call: that of the function's own text."""
        if e.keywords:
            self.refuse(e, "arguments are given by position")
        if function in self.opaque:
            return self.opaque[function]
        is_action = has_role(function, "action")
        if is_action and not has_role(self.source.function, "step"):
            self.refuse(e, "an action is not a predicate; say what it requires, or, in an @action, "
                           f"now.after({ast.unparse(e.func)}, ...)")  # fmt: skip
        inner = self.inner(e, function, self.requires if is_action else None)
        args = [self.value(x, env) for x in e.args]
        for x, arg, (name, kind) in self.paired(e, e.args, args, inner):
            if not fits(arg, kind):
                self.refuse(x, f"{function.__name__} wants {name} of {kind.__name__} here")
        return inner.read(args)

    def after(self, e: ast.Call, now: StateTerm, env: Names) -> StateTerm:
        """The state that an action of another specification leads to; what that requires, this requires.

        Of a set nothing can be said but who is in it, so where the action wants a set, any set of the same things
        will do: the action is read of a set of its own kind, in whose place the given one is put.
        """
        function = self.taken(e, env)
        requires: list[Require] = []
        inner = self.inner(e, function, requires)
        args: list[Meaning] = [now, *(self.value(x, env) for x in e.args[1:])]
        given: dict[Var, Var] = {}
        for i, (x, arg, (name, kind)) in enumerate(self.paired(e, [e.func, *e.args[1:]], args, inner)):
            if isinstance(arg, Var) and are_alike(arg.sort, kind):
                args[i] = own = Var(name, kind)
                given[own] = arg
            elif not fits(arg, kind):
                self.refuse(x, f"{function.__name__} wants {name} of {kind.__name__} here")
        then = inner.read(args)
        if not isinstance(then, StateTerm):
            inner.refuse(inner.source.definition, "an action returns the state that follows: now.but(...)")
        assert self.requires is not None, "an action is being read"
        self.requires.extend(replace(r, formula=put(r.formula, given)) for r in requires)
        return StateTerm(
            now.of, {**now.relations, **{n: put_in(r, given) for n, r in then.relations.items()}}
        )

    def taken(self, e: ast.Call, env: Names) -> Callable[..., Anything]:
        """The action that stands first in `now.after(...)`, and that may stand there."""
        if self.requires is None or not has_role(self.source.function, "action"):
            self.refuse(e, "now.after(...) is a step; it belongs in an @action")
        if not any(e is x for x in steps_taken(self.source.definition)):
            self.refuse(e, "now.after(...) is a whole step; it stands right after `return` or `name =`")
        if not e.args or e.keywords:
            self.refuse(e, "name the action, then its parameters in order: now.after(voting.leave, a, b)")
        function = self.value(e.args[0], env)
        if not inspect.isfunction(function) or not has_role(function, "action"):
            self.refuse(e.args[0], "name an @action; what follows is its parameters without the state")
        return function

    def inner(self, e: ast.Call, function: Callable[..., Anything], requires: list[Require] | None) -> Reader:
        """The reader of a function that is called."""
        if function in self.stack:
            self.refuse(e, f"{function.__name__} calls itself; a predicate must unfold to an end")
        return Reader(Source.of(function), (*self.stack, function), self.opaque, requires)

    def paired(
        self, e: ast.Call, written: Sequence[ast.expr], args: Sequence[Meaning], inner: Reader
    ) -> list[tuple[ast.expr, Meaning, tuple[str, type]]]:
        """Each argument as it is written and what it means, with the parameter that it is given for."""
        wanted = list(inner.parameters().items())
        if len(args) != len(wanted):
            takes, given, after = len(wanted), len(args), ""
            if written and written[0] is e.func:
                takes, given, after = takes - 1, given - 1, " after the state"
            self.refuse(
                e, f"{inner.source.function.__name__} takes {takes} arguments{after}, {given} are given"
            )
        return list(zip(written, args, wanted, strict=True))


def steps_taken(definition: ast.FunctionDef) -> Iterator[ast.Call]:
    """The calls that make up a whole `return` or `name =`: `then.but(...)`, and `now.after(...)` before it."""
    for statement in definition.body:
        match statement:
            case ast.Return(ast.Call() as e) | ast.Assign(value=ast.Call() as e):
                yield e
                while isinstance(e.func, ast.Attribute) and isinstance(e.func.value, ast.Call):
                    e = e.func.value
                    yield e


def statement_rewrite(statement: ast.stmt) -> str:
    """What to write instead of a statement that a specification does not use."""
    inner = statement.value if isinstance(statement, ast.Expr) else statement
    return REWRITES.get(type(inner), "a function is a docstring, name = ..., require(...) and return ...")


def kind_of(thing: Meaning) -> type | None:
    """The Sort or State that a variable or a state is of; None for what is neither."""
    if isinstance(thing, Var):
        return thing.sort
    return thing.of if isinstance(thing, StateTerm) else None


def fits(thing: Meaning, wanted: type) -> bool:
    """Whether a thing may be given for a parameter: a variable of that Sort, a State with at least its relations."""
    kind = kind_of(thing)
    return kind is wanted or (kind is not None and issubclass(wanted, State) and issubclass(kind, wanted))


def are_alike(kind: type, wanted: type) -> bool:
    """Whether two sorts, not one, are of sets of the same things."""
    many = all(is_sort(x) and issubclass(x, Many) for x in (kind, wanted))
    return many and kind is not wanted and item_of(kind) is item_of(wanted)


# What is read ------------------------------------------------------------------------------


def reader(
    f: Callable[..., Anything], opaque: Opaque | None = None, requires: list[Require] | None = None
) -> Reader:
    return Reader(Source.of(f), (f,), opaque or {}, requires)


def parameters(f: Callable[..., Anything]) -> tuple[Var, ...]:
    """A fresh variable for each parameter of an action but the state."""
    hints = reader(f).parameters()
    return tuple(Var(name, sort) for name, sort in hints.items() if issubclass(sort, Sort))


def sorts_of_text(f: Callable[..., Anything]) -> Iterator[type[Sort]]:
    """Every sort that the text of a function names, or that of a helper.

    Terms keep only what matters: `True or any(... for v in Value)` is true without a Value, and yet it runs over them.
    What a helper's parameters are of, whoever calls it has named, or has a set of the same things.
    """
    yield from (x for x in reader(f).parameters().values() if is_sort(x))
    for r in texts_of(f):
        yield from (x for x in r.named() if is_sort(x))


def texts_of(f: Callable[..., Anything]) -> Iterator[Reader]:
    """The text of a function, and of every function that it comes to call or take, each once."""
    pending, seen = [f], set[Callable[..., Anything]]()
    while pending:
        r = reader(pending.pop())
        if r.source.function not in seen:
            seen.add(r.source.function)
            yield r
            called = (x for x in r.named() if inspect.isfunction(x))
            pending += [x for x in called if x.__module__ != language.__name__]


def read_predicate(f: Callable[..., Anything], now: StateTerm | None, *args: Var) -> Formula:
    """A property, an axiom or a helper, as a formula over `now`.  Raises `Unreadable`."""
    r = reader(f)
    given = ([now] if now is not None else []) + list(args)
    out = r.read(given)
    if isinstance(out, FORMULAS):
        return out
    r.refuse(r.source.definition, "this must return a claim, true or false of a state")


def read_state(f: Callable[..., Anything], now: StateTerm | None = None) -> StateTerm:
    """What an @init (of nothing) or an @image (of a lower state) returns.  Raises `Unreadable`."""
    r = reader(f)
    out = r.read([] if now is None else [now])
    if not isinstance(out, StateTerm):
        r.refuse(r.source.definition, "this must return a state")
    promised = get_type_hints(f).get("return", out.of)
    if out.of is not promised:
        r.refuse(r.source.definition, f"this returns a {out.of.__name__}, and says {promised.__name__}")
    return out


def read_step(
    f: Callable[..., Anything],
    now: StateTerm,
    args: Sequence[Var] | None = None,
    opaque: Opaque | None = None,
) -> Step:
    """An @action, or a @step of a refinement, as a step from `now`.  Raises `Unreadable`."""
    requires: list[Require] = []
    r = reader(f, opaque, requires)
    params = parameters(f) if args is None else tuple(args)
    then = r.read([now, *params])
    if not isinstance(then, StateTerm):
        r.refuse(r.source.definition, "an action returns the state that follows: now.but(...)")
    if has_role(f, "action") and then.of is not now.of:
        r.refuse(
            r.source.definition, f"an action of {now.of.__name__} leads to one, not to a {then.of.__name__}"
        )
    return Step(params, tuple(requires), then)

"""The few words a specification is written in, and what each means when the specification runs as Python.

A specification is ordinary typed Python over finite sets: it can be stepped through in a debugger, and its
meaning on concrete states is what these definitions say it is.  Everything else that reads it (the explorers,
the prover, the judge of traces) is held to agree with this.

This file knows nothing of how a specification is read into terms, explored or proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Self, TypeGuard, TypeVar, TypeVarTuple, get_origin, get_type_hints

Columns = TypeVarTuple("Columns")
S = TypeVar("S", bound="Sort")
F = TypeVar("F", bound=Callable[..., Any])
AnyState = TypeVar("AnyState", bound="State")
Parameters = TypeVarTuple("Parameters")


class Refused(Exception):
    """A `require` of an action is false in this state: the action may not happen here."""


class NotInhabited(Exception):
    """A sort was asked for its members outside every instance."""


class BadDeclaration(TypeError):
    """A Sort or a State is declared as no engine could understand it; the message is one line."""


# Sorts -------------------------------------------------------------------------------------


_members: ContextVar[Mapping[Any, tuple[Any, ...]]] = ContextVar("the members of every sort")


@contextmanager
def inhabited(members: Mapping[type[Sort], tuple[Any, ...]]) -> Iterator[None]:
    """Within this context, `for a in Acceptor` goes over the members given for `Acceptor`."""
    token = _members.set(members)
    try:
        yield
    finally:
        _members.reset(token)


class SortType(type):
    """The class of sorts: what lets a specification say `for a in Acceptor`."""

    ordered: bool
    """Whether members compare with `<`; the order is total."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], ordered: bool = False
    ) -> SortType:
        if body["__module__"] != __name__:
            _check_sort(name, bases, body.get("__orig_bases__", ()), ordered)
        body["ordered"] = ordered
        return super().__new__(mcs, name, bases, body)

    def __iter__(cls: type[S]) -> Iterator[S]:  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
        try:
            return iter(_members.get()[cls])
        except LookupError:
            raise NotInhabited(
                f"{cls.__name__} has no members here; a specification runs in an instance, `with instance:`"
            ) from None


class Sort(metaclass=SortType):
    """A set of things of which nothing is known but equality and, if it is `ordered=True`, a total order.

    How many there are is never said in a specification: an instance says it, and the prover leaves it open.
    """

    def __lt__(self, other: Self) -> bool:
        return NotImplemented

    def __le__(self, other: Self) -> bool:
        return NotImplemented


class Many(Sort, Generic[S]):
    """A sort whose members are sets of members of `S`: `class Quorum(Many[Acceptor])`."""

    def __iter__(self) -> Iterator[S]:
        raise NotImplementedError("the members of a set come with an instance")


@cache
def item_of(many: type[Sort]) -> type[Sort]:
    """The sort of which a `Many` holds sets."""
    ((item,),) = (base.__args__ for base in many.__dict__["__orig_bases__"])
    return item  # type: ignore[no-any-return]


def is_sort(kind: object) -> TypeGuard[type[Sort]]:
    """Whether a thing is a sort that somebody declared: not `Sort` or `Many` itself."""
    return isinstance(kind, type) and issubclass(kind, Sort) and kind not in (Sort, Many)


def is_state(kind: object) -> TypeGuard[type[State]]:
    """Whether a thing is a class of states that somebody declared: not `State` itself."""
    return isinstance(kind, type) and issubclass(kind, State) and kind is not State


def _check_sort(name: str, bases: tuple[type, ...], written: Sequence[Any], ordered: bool) -> None:
    """Raises `BadDeclaration` unless a sort is declared as a Sort or as the Many of a plain one."""
    if bases == (Sort,):
        return
    if bases != (Many,):
        raise BadDeclaration(
            f"{name}: a sort is part of no other; write `class {name}(Sort):` or `class {name}(Many[...]):`"
        )
    item = written[0].__args__[0] if written else None
    if not is_sort(item) or issubclass(item, Many):
        raise BadDeclaration(
            f"{name}: say of which plain Sort it holds sets, as `class {name}(Many[Acceptor]):`"
        )
    if ordered:
        raise BadDeclaration(f"{name}: sets have no order; write `class {name}(Many[{item.__name__}]):`")


# States ------------------------------------------------------------------------------------


class Set(frozenset[tuple[*Columns]]):
    """A relation: a set of rows, `Set[Acceptor, Ballot]`.  One column is a row all the same: `(b,)`."""


_relations: dict[type, Mapping[str, tuple[type[Sort], ...]]] = {}


def relations_of(state: type[State]) -> Mapping[str, tuple[type[Sort], ...]]:
    """The relations that a state consists of, each with the sorts of its columns, in the order written.

    Raises `BadDeclaration` if the class says anything else, or says a relation as it cannot be.
    """
    if state not in _relations:
        _relations[state] = _check_state(state)
    return _relations[state]


def _check_state(state: type[State]) -> Mapping[str, tuple[type[Sort], ...]]:
    """What a state's class declares.  A property or a method would run, and yet be read by nobody."""
    for base in state.__mro__[: state.__mro__.index(State)]:
        own = (n for n, x in vars(base).items() if callable(x) or not n.startswith("__"))
        if stray := next((n for n in own if not n.startswith("__annotate")), None) or (
            "" if issubclass(base, State) else base.__name__
        ):
            raise BadDeclaration(
                f"{state.__name__}: a state declares relations and nothing else; write {stray} as a function "
                "beside the class"
            )
    try:
        hints = get_type_hints(state)
    except NameError as why:
        raise BadDeclaration(f"{state.__name__}: {why}; import it, or declare it above the state") from None
    if not hints:
        raise BadDeclaration(f"{state.__name__}: a state has at least one relation, as `left: Set[Acceptor]`")
    return {name: _columns(state, name, hint) for name, hint in hints.items()}


def _columns(state: type[State], name: str, hint: Any) -> tuple[type[Sort], ...]:
    if hasattr(State, name):
        raise BadDeclaration(f"{state.__name__}.{name}: every state has this name already; call it otherwise")
    sorts = hint.__args__ if get_origin(hint) is Set else ()
    if not sorts or not all(is_sort(s) and not issubclass(s, Many) for s in sorts):
        raise BadDeclaration(
            f"{state.__name__}.{name}: a relation is a Set of rows of plain Sorts, as `{name}: Set[Acceptor, Ballot]`"
        )
    return tuple(sorts)


class State:
    """A tuple of relations; those that are not given are empty.

    Raises `TypeError` for a relation that the class does not declare.
    """

    def __init__(self, **relations: Iterable[Any]) -> None:
        declared = relations_of(type(self))
        for name in relations:
            if name not in declared:
                raise TypeError(f"{type(self).__name__} has no relation {name}; it has {', '.join(declared)}")
        for name in declared:
            self.__dict__[name] = frozenset(relations.get(name, ()))

    def but(self, **changes: Iterable[Any]) -> Self:
        """This state with some relations replaced, the others unchanged (TLA+'s EXCEPT and UNCHANGED)."""
        return type(self)(**{**self.__dict__, **changes})

    def after(self, action: Callable[..., State], *args: Any) -> Self:
        """This state after an action that another specification says; what that one does not know stays as it is.

        What the action requires is required.  Raises `Refused` where that is false.
        """
        return self.but(**action(self, *args).__dict__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a state does not change; write now.but({name}=...)")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        rows = (f"{name}={set(rows)!r}" for name, rows in self.__dict__.items() if rows)
        return f"{type(self).__name__}({', '.join(rows)})"


# Formulas ----------------------------------------------------------------------------------


def require(condition: bool) -> None:
    """An enabling condition of an action: where it is false, the action cannot happen."""
    if not condition:
        raise Refused


def implies(premise: bool, conclusion: bool) -> bool:
    """Where the premise holds, so does the conclusion.  Both are evaluated; nothing can tell."""
    return not premise or conclusion


def allowed(action: Callable[..., State], now: State, nxt: State, *args: Any) -> bool:
    """The TLA+ reading of an action: a predicate over a pair of states.

    True just if every `require` of the action holds in `now` and `nxt` is what it returns.
    """
    try:
        return action(now, *args) == nxt
    except Refused:
        return False


# Runs --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Liveness:
    """What a run must come to: wherever the premise holds, the conclusion holds then or later.

    Without a premise, the conclusion holds at the start or later.  `args` follow the state in both.
    """

    premise: Callable[..., bool] | None
    conclusion: Callable[..., bool]
    args: tuple[Any, ...]

    def holds_on(self, prefix: Sequence[State], cycle: Sequence[State]) -> bool:
        """Whether it is true of the run that goes through `prefix` once and through `cycle` for ever."""
        if any(self.conclusion(state, *self.args) for state in cycle):
            return True
        owed = self.premise is None
        for state in (*prefix, *cycle):
            owed = owed or (self.premise is not None and self.premise(state, *self.args))
            owed = owed and not self.conclusion(state, *self.args)
        return not owed


def eventually(claim: Callable[[AnyState, *Parameters], bool], *args: *Parameters) -> Liveness:
    """In every fair run there is a state of which the claim is true (TLA+'s <>)."""
    return Liveness(None, claim, args)


def leads_to(
    premise: Callable[[AnyState, *Parameters], bool],
    conclusion: Callable[[AnyState, *Parameters], bool],
    *args: *Parameters,
) -> Liveness:
    """In every fair run, wherever the premise holds the conclusion holds then or later (TLA+'s ~>)."""
    return Liveness(premise, conclusion, args)


# Roles -------------------------------------------------------------------------------------


def _role(role: str, meaning: str) -> Callable[[F], F]:
    def mark(f: F) -> F:
        f.__dict__.setdefault("roles", set()).add(role)
        return f

    mark.__doc__ = meaning
    return mark


init = _role("init", "A state in which everything may begin.")
action = _role("action", "A step that may be taken: what it requires, and the state that follows.")
invariant = _role(
    "invariant", "A property of every reachable state, and a part of the proof that there are no others."
)
safety = _role("safety", "A property of every reachable state that a user relies on.")
axiom = _role("axiom", "What is assumed of the sorts; an instance is held to it, the prover relies on it.")
image = _role("image", "The state of the upper specification that a state of the lower one stands for.")


def step(of: Callable[..., Any]) -> Callable[[F], F]:
    """What an action of the lower specification is in the upper one, wherever it is not a stutter there."""

    def mark(f: F) -> F:
        f.__dict__["of"] = of
        return _role("step", "")(f)

    return mark


def liveness(
    *, weak: Sequence[Callable[..., State]] = (), strong: Sequence[Callable[..., State]] = ()
) -> Callable[[F], F]:
    """What must come of every fair run, for any parameters: `eventually(...)` or `leads_to(...)`.

    `weak` and `strong` name the actions that are served fairly, each with all its parameters by itself: one that
    stays possible for ever is taken (weak), one that is possible again and again is taken (strong).  Possible means
    that it would change the state.  An action that is not named may be left out for ever, as a crash does.
    """

    def mark(f: F) -> F:
        f.__dict__["weak"], f.__dict__["strong"] = tuple(weak), tuple(strong)
        return _role("liveness", "")(f)

    return mark


def has_role(f: object, role: str) -> bool:
    """Whether a thing found in a module was marked with this role."""
    return role in getattr(f, "roles", ())

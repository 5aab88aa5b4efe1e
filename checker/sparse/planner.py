"""A formula, planned: which rows to walk through, in which order, to find what makes it true.

A sort in a trace has no list of its members, so nothing is ever found by trying them all.  What binds a variable is
a relation that has a row for it, a set that holds it, or the equality with something bound; the planner looks for
the narrowest of these, and then for the next.  A variable that only has bounds needs no rows at all (`Between`).
What nothing binds is refused, unless its sort is one whose members are given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from ..language import Sort
from ..term import (
    All,
    And,
    Any,
    Eq,
    Formula,
    Implies,
    In,
    Less,
    Member,
    Not,
    Or,
    Truth,
    Var,
    negation,
    put,
)
from .plan import (
    Below,
    Between,
    Both,
    Bound,
    BoundOf,
    Each,
    Either,
    Exists,
    Fact,
    From,
    Given,
    Has,
    Move,
    Negated,
    Over,
    Same,
    Search,
    Test,
    Within,
)


class NotDriven(Exception):
    """No relation, set or equality binds a variable; the message names the variable and what is said of it."""

    def __init__(self, variable: Var, said: Iterable[Formula]) -> None:
        self.variable = variable
        about = ", ".join(sorted({type(t).__name__ for t in said})) or "nothing"
        super().__init__(
            f"nothing binds {variable.name}: {variable.sort.__name__} (it stands in: {about}); "
            f"ask of it that a row with it is in a relation, or give the members of {variable.sort.__name__}"
        )


@dataclass(frozen=True)
class Planner:
    """What a plan may rely on: the sorts whose members are given, and which column of which relation is cut."""

    given: Collection[type[Sort]] = ()
    cuts: Mapping[str, int] = field(default_factory=dict)

    def test(self, t: Formula, bound: frozenset[Var]) -> Test:
        """The plan that decides a formula whose free variables are bound.  Raises `NotDriven`."""
        match t:
            case Truth(value):
                return Fact(value)
            case Eq(left, right):
                return Same(left, right)
            case Less(left, right):
                return Below(left, right)
            case Member(item, many):
                return Within(item, many)
            case In(name, args):
                return Has(name, args)
            case Not(body):
                return Negated(self.test(body, bound))
            case And(parts):
                return Both(tuple(self.test(x, bound) for x in parts))
            case Or(parts):
                return Either(tuple(self.test(x, bound) for x in parts))
            case Implies(p, q):
                return Either((Negated(self.test(p, bound)), self.test(q, bound)))
            case Any(variables, body):
                return self.exists(variables, body, bound)
            case All(variables, body):
                return Negated(self.exists(variables, negation(body), bound))
        assert_never(t)

    def exists(self, variables: Sequence[Var], body: Formula, bound: frozenset[Var]) -> Test:
        """The plan that decides whether some values of the variables make a formula true.  Raises `NotDriven`."""
        tests = [_tested(s) for s in self.searches(variables, body, bound, ())]
        return tests[0] if len(tests) == 1 else Either(tuple(tests))

    def searches(
        self, variables: Sequence[Var], body: Formula, bound: frozenset[Var], found: Sequence[Var]
    ) -> list[Search]:
        """Searches that together find every value of `found` for which some values of the variables make it true.

        Raises `NotDriven`.
        """
        fresh = {x: Var(x.name, x.sort) for x in variables}
        hunt = _Hunt(self, frozenset(fresh.values()), bound, tuple(fresh.get(x, x) for x in found))
        return list(hunt.pursue((put(body, fresh),)))


def _tested(search: Search) -> Test:
    """A search of which only the success matters; one that walks through nothing is a plain test."""
    tests = [m.test for m in search.moves if isinstance(m, Given)]
    if len(tests) < len(search.moves):
        return Exists(search)
    return tests[0] if len(tests) == 1 else Both(tuple(tests))


@dataclass(frozen=True)
class _Hunt:
    """A search being planned: what is still wanted, what is bound, and the moves so far."""

    planner: Planner
    wanted: frozenset[Var]
    bound: frozenset[Var]
    found: tuple[Var, ...]
    moves: tuple[Move, ...] = ()

    def pursue(self, todo: Sequence[Formula]) -> Iterator[Search]:
        """Every search that makes all of `todo` true, one for each way to choose among alternatives."""
        hunt, claims = self.opened(todo)
        if claims is None:
            return
        equal = next((t for t in claims if isinstance(t, Eq) and hunt.wanted & {t.left, t.right}), None)
        if equal is not None:
            yield from hunt.unified(equal, [t for t in claims if t is not equal])
            return
        ready = [t for t in claims if not free(t) & hunt.wanted]
        if ready:
            gates = tuple(Given(hunt.planner.test(t, hunt.bound)) for t in ready)
            hunt = replace(hunt, moves=hunt.moves + gates)
            claims = [t for t in claims if t not in ready]
        if not hunt.wanted & hunt.needed(claims):
            yield Search(hunt.moves, hunt.found)
            return
        yield from hunt.driven(claims)

    def needed(self, claims: Iterable[Formula]) -> frozenset[Var]:
        """The variables that still matter: any member will do for the others, and no sort is empty."""
        return frozenset(self.found).union(*(free(t) for t in claims))

    def opened(self, todo: Sequence[Formula]) -> tuple[_Hunt, list[Formula] | None]:
        """What is to be made true, as single claims without nested quantifiers; None if it cannot be."""
        hunt, out, pending = self, list[Formula](), list(reversed(todo))
        while pending:
            match pending.pop():
                case Truth(True) | Not(Truth(False)):
                    pass
                case Truth(False) | Not(Truth(True)):
                    return hunt, None
                case Eq(left, right) if left is right:
                    pass
                case And(parts):
                    pending += reversed(parts)
                case Any(variables, body):
                    fresh = {x: Var(x.name, x.sort) for x in variables}
                    hunt = replace(hunt, wanted=hunt.wanted | set(fresh.values()))
                    pending.append(put(body, fresh))
                case Implies(p, q):
                    pending.append(Or((negation(p), q)))
                case Not(body) if (inside := _inward(body)) is not None:
                    pending.append(inside)
                case claim:
                    out.append(claim)
        return hunt, out

    def unified(self, equal: Eq, rest: Sequence[Formula]) -> Iterator[Search]:
        """Go on with one name for two things that are equal."""
        old, new = (equal.left, equal.right) if equal.left in self.wanted else (equal.right, equal.left)
        hunt = replace(
            self,
            wanted=self.wanted - {old},
            found=tuple(new if x is old else x for x in self.found),
        )
        yield from hunt.pursue([put(t, {old: new}) for t in rest])

    def driven(self, claims: Sequence[Formula]) -> Iterator[Search]:
        """Go on with whatever binds most narrowly."""
        for t in claims:
            if isinstance(t, Member) and t.item in self.wanted and t.many in self.bound:
                yield from self.bind(From(t.item, t.many), {t.item}, [x for x in claims if x is not t])
                return
        drivers = [t for t in claims if isinstance(t, In) and self.walkable(t)]
        if drivers:
            best = max(drivers, key=lambda t: (self.width(t), -len(t.args)))
            new = frozenset(best.args) & self.wanted
            yield from self.bind(
                Each(best.relation, best.args, new), new, [x for x in claims if x is not best]
            )
            return
        for x in self.alphabetical(claims):
            gate = self.interval(x, claims)
            if gate is not None:
                rest = [t for t in claims if x not in free(t)]
                yield from replace(self, moves=(*self.moves, Given(gate)), wanted=self.wanted - {x}).pursue(
                    rest
                )
                return
        for t in claims:
            if isinstance(t, Or):
                rest = [x for x in claims if x is not t]
                for part in t.parts:
                    yield from self.pursue([*rest, part])
                return
        for x in self.alphabetical(claims):
            if x.sort in self.planner.given:
                yield from self.bind(Over(x), {x}, claims)
                return
        x = next(iter(self.alphabetical(claims)))
        raise NotDriven(x, [t for t in claims if x in free(t)])

    def bind(self, move: Move, new: Collection[Var], rest: Sequence[Formula]) -> Iterator[Search]:
        hunt = replace(
            self, moves=(*self.moves, move), wanted=self.wanted - set(new), bound=self.bound | set(new)
        )
        yield from hunt.pursue(rest)

    def alphabetical(self, claims: Iterable[Formula]) -> list[Var]:
        """The variables still to be bound, in an order that does not change from run to run."""
        return sorted(self.wanted & self.needed(claims), key=lambda x: (x.name, x.sort.__name__))

    def walkable(self, t: In) -> bool:
        """Whether the relation has a row for each thing it holds; one kept as bounds has none along the cut."""
        cut = self.planner.cuts.get(t.relation)
        return cut is None or t.args[cut] not in self.wanted

    def width(self, t: In) -> float:
        """How much of a row is bound."""
        return sum(x not in self.wanted for x in t.args) / len(t.args)

    def interval(self, x: Var, claims: Sequence[Formula]) -> Between | None:
        """The test that there is a value of x, if all that is said of x is what it is below or not below."""
        if x in self.found or x.sort in self.planner.given:
            return None
        floors, ceilings = list[Bound](), list[Bound]()
        for t in claims:
            match t:
                case _ if x not in free(t):
                    pass
                case Less(left, right) if left is x and right in self.bound:
                    ceilings.append(right)
                case Not(Less(left, right)) if left is x and right in self.bound:
                    floors.append(right)
                case In(name, args) if self.cut_here(x, name, args):
                    ceilings.append(BoundOf(name, tuple(None if y is x else y for y in args)))
                case Not(In(name, args)) if self.cut_here(x, name, args):
                    floors.append(BoundOf(name, tuple(None if y is x else y for y in args)))
                case _:
                    return None
        return Between(tuple(floors), tuple(ceilings))

    def cut_here(self, x: Var, name: str, args: Sequence[Var]) -> bool:
        """Whether x stands just where the relation is cut, and the rest of the row is bound."""
        cut = self.planner.cuts.get(name)
        return cut is not None and all(
            (y is x) if i == cut else (y in self.bound) for i, y in enumerate(args)
        )


def _inward(body: Formula) -> Formula | None:
    """The negation of a formula with `not` moved one step inward; None for what stays as it is."""
    match body:
        case Not(inner):
            return inner
        case And(parts):
            return Or(tuple(map(negation, parts)))
        case Or(parts):
            return And(tuple(map(negation, parts)))
        case Implies(p, q):
            return And((p, negation(q)))
        case All(variables, inner):
            return Any(variables, negation(inner))
    return None


def free(t: Formula) -> frozenset[Var]:
    """The variables of a formula that nothing in it binds."""
    match t:
        case Truth():
            return frozenset()
        case Eq(left, right) | Less(left, right) | Member(left, right):
            return frozenset((left, right))
        case In(_, args):
            return frozenset(args)
        case Not(body):
            return free(body)
        case And(parts) | Or(parts):
            return frozenset[Var]().union(*map(free, parts))
        case Implies(p, q):
            return free(p) | free(q)
        case All(variables, body) | Any(variables, body):
            return free(body) - set(variables)
    assert_never(t)

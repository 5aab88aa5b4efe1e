"""The terms that a specification is read into, seventeen kinds, and what can be done without running them.

A variable; eleven kinds of formula; four of relation; and one of a whole step.  Terms are frozen data: they
know sorts, names of relations and where a `require` stands in the text; they do not know Python, Z3 or bits.

Variables are compared by identity, so a substitution can capture nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from .language import Sort, State, relations_of

# The kinds ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Var:
    """A variable of a sort: a parameter of an action, or one that a quantifier or a comprehension binds."""

    name: str
    sort: type[Sort]

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Truth:
    value: bool


@dataclass(frozen=True, slots=True)
class Eq:
    left: Var
    right: Var


@dataclass(frozen=True, slots=True)
class Less:
    left: Var
    right: Var


@dataclass(frozen=True, slots=True)
class Member:
    """`item in many`, as in `a in q`."""

    item: Var
    many: Var


@dataclass(frozen=True, slots=True)
class In:
    """`(args) in now.relation`."""

    relation: str
    args: tuple[Var, ...]


@dataclass(frozen=True, slots=True)
class Not:
    body: Formula


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Implies:
    left: Formula
    right: Formula


@dataclass(frozen=True, slots=True)
class All:
    vars: tuple[Var, ...]
    body: Formula


@dataclass(frozen=True, slots=True)
class Any:
    vars: tuple[Var, ...]
    body: Formula


@dataclass(frozen=True, slots=True)
class Field:
    """A relation of the state, as it is now."""

    name: str
    sorts: tuple[type[Sort], ...]


@dataclass(frozen=True, slots=True)
class Union:
    left: Relation
    right: Relation


@dataclass(frozen=True, slots=True)
class Minus:
    left: Relation
    right: Relation


@dataclass(frozen=True, slots=True)
class Those:
    """`{row for vars if where}`; without variables the single row, if `where` is true."""

    vars: tuple[Var, ...]
    row: tuple[Var, ...]
    where: Formula


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was said: a file, a line counted from 1, and the text there."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file.rsplit('/', 1)[-1]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Require:
    """An enabling condition, and where it stands."""

    formula: Formula
    place: Place


@dataclass(frozen=True, slots=True)
class StateTerm:
    """A state, said as one relation for each of its names."""

    of: type[State]
    relations: Mapping[str, Relation]

    def __getitem__(self, name: str) -> Relation:
        return self.relations[name]


@dataclass(frozen=True, slots=True)
class Step:
    """An action: its parameters, what it requires in source order, and the state that follows."""

    params: tuple[Var, ...]
    requires: tuple[Require, ...]
    then: StateTerm

    def changed(self) -> Mapping[str, Relation]:
        """The relations that the step replaces; every other one is what it was."""
        return {n: r for n, r in self.then.relations.items() if not (isinstance(r, Field) and r.name == n)}


Formula: TypeAlias = Truth | Eq | Less | Member | In | Not | And | Or | Implies | All | Any
Relation: TypeAlias = Field | Union | Minus | Those
FORMULAS = (Truth, Eq, Less, Member, In, Not, And, Or, Implies, All, Any)
RELATIONS = (Field, Union, Minus, Those)

TRUE, FALSE = Truth(True), Truth(False)


# Making ------------------------------------------------------------------------------------


def conj(*parts: Formula) -> Formula:
    """The conjunction, flat and without what is trivially true."""
    flat: list[Formula] = []
    for part in parts:
        flat += part.parts if isinstance(part, And) else () if part == TRUE else (part,)
    if FALSE in flat:
        return FALSE
    return flat[0] if len(flat) == 1 else And(tuple(flat)) if flat else TRUE


def disj(*parts: Formula) -> Formula:
    """The disjunction, flat and without what is trivially false."""
    flat: list[Formula] = []
    for part in parts:
        flat += part.parts if isinstance(part, Or) else () if part == FALSE else (part,)
    if TRUE in flat:
        return TRUE
    return flat[0] if len(flat) == 1 else Or(tuple(flat)) if flat else FALSE


def negation(body: Formula) -> Formula:
    """The negation, with a double one undone."""
    match body:
        case Truth(value):
            return Truth(not value)
        case Not(inner):
            return inner
    return Not(body)


def some(variables: Sequence[Var], body: Formula) -> Formula:
    return Any(tuple(variables), body) if variables else body


def every(variables: Sequence[Var], body: Formula) -> Formula:
    return All(tuple(variables), body) if variables else body


def empty(sorts: Sequence[type[Sort]]) -> Relation:
    """The relation with these columns and no row."""
    row = tuple(Var(f"x{i}", sort) for i, sort in enumerate(sorts))
    return Those(row, row, FALSE)


def start(state: type[State]) -> StateTerm:
    """The state as it is: each relation stands for itself."""
    return StateTerm(state, {name: Field(name, sorts) for name, sorts in relations_of(state).items()})


def columns(relation: Relation) -> tuple[type[Sort], ...]:
    """The sorts of a relation's columns."""
    match relation:
        case Field(_, sorts):
            return sorts
        case Union(left, _) | Minus(left, _):
            return columns(left)
        case Those(_, row, _):
            return tuple(x.sort for x in row)
    assert_never(relation)


# Substituting ------------------------------------------------------------------------------


def put(t: Formula, values: Mapping[Var, Var]) -> Formula:
    """The formula with free variables replaced."""
    if not values:
        return t

    def g(x: Var) -> Var:
        return values.get(x, x)

    match t:
        case Truth():
            return t
        case Eq(left, right):
            return Eq(g(left), g(right))
        case Less(left, right):
            return Less(g(left), g(right))
        case Member(item, many):
            return Member(g(item), g(many))
        case In(name, args):
            return In(name, tuple(map(g, args)))
        case Not(body):
            return Not(put(body, values))
        case And(parts):
            return And(tuple(put(x, values) for x in parts))
        case Or(parts):
            return Or(tuple(put(x, values) for x in parts))
        case Implies(p, q):
            return Implies(put(p, values), put(q, values))
        case All(bound, body):
            return All(bound, put(body, values))
        case Any(bound, body):
            return Any(bound, put(body, values))
    assert_never(t)


def put_in(relation: Relation, values: Mapping[Var, Var]) -> Relation:
    """The relation with free variables replaced."""
    match relation:
        case Field():
            return relation
        case Union(left, right):
            return Union(put_in(left, values), put_in(right, values))
        case Minus(left, right):
            return Minus(put_in(left, values), put_in(right, values))
        case Those(bound, row, where):
            return Those(bound, tuple(values.get(x, x) for x in row), put(where, values))
    assert_never(relation)


def member(args: Sequence[Var], relation: Relation) -> Formula:
    """`(args) in relation` as a formula over the state's own relations.

    Said of the relations that a step leads to, this *is* the weakest precondition.  A column that is a bound
    variable is given its value outright (the one-point rule): `(x, y) in {(a, c) for c in Ballot if c < b}`
    becomes `x == a and y < b`, without a quantifier.
    """
    match relation:
        case Field(name, _):
            return In(name, tuple(args))
        case Union(left, right):
            return disj(member(args, left), member(args, right))
        case Minus(left, right):
            return conj(member(args, left), negation(member(args, right)))
        case Those(bound, row, where):
            given: dict[Var, Var] = {}
            rest: list[tuple[Var, Var]] = []
            for x, a in zip(row, args, strict=True):
                if x in bound and x not in given:
                    given[x] = a
                else:
                    rest.append((x, a))
            fresh = {x: Var(x.name, x.sort) for x in bound if x not in given}
            values = {**given, **fresh}
            same = (Eq(values.get(x, x), a) for x, a in rest)
            return some(
                tuple(fresh.values()), conj(*(e for e in same if e.left is not e.right), put(where, values))
            )
    assert_never(relation)


# Looking -----------------------------------------------------------------------------------


Key: TypeAlias = tuple[object, ...]


def canonical(t: Formula, depth: Mapping[Var, int] | None = None) -> Key:
    """A value that two formulas share just if they are equal up to the names of bound variables."""
    level = depth or {}

    def g(x: Var) -> object:
        return level.get(x, x)

    match t:
        case Truth(value):
            return (Truth, value)
        case Eq(left, right) | Less(left, right) | Member(left, right):
            return (type(t), g(left), g(right))
        case In(name, args):
            return (In, name, *map(g, args))
        case Not(body):
            return (Not, canonical(body, level))
        case And(parts) | Or(parts):
            return (type(t), *(canonical(x, level) for x in parts))
        case Implies(p, q):
            return (Implies, canonical(p, level), canonical(q, level))
        case All(bound, body) | Any(bound, body):
            inner = {**level, **{x: len(level) + i for i, x in enumerate(bound)}}
            return (type(t), *(x.sort for x in bound), canonical(body, inner))
    assert_never(t)


def within(t: Formula) -> Iterator[Formula]:
    """A formula and every formula in it, outermost first."""
    yield t
    match t:
        case Not(body) | All(_, body) | Any(_, body):
            yield from within(body)
        case And(parts) | Or(parts):
            for x in parts:
                yield from within(x)
        case Implies(p, q):
            yield from within(p)
            yield from within(q)


def mentions(t: Formula) -> frozenset[str]:
    """The relations of the state that a formula speaks of."""
    return frozenset(x.relation for x in within(t) if isinstance(x, In))


def formulas_of(step: Step) -> Iterator[Formula]:
    """Every formula that a step is made of: what it requires, and what its comprehensions ask."""
    for r in step.requires:
        yield r.formula
    yield from filters_of(step.then)


def filters_of(state: StateTerm) -> Iterator[Formula]:
    """What the comprehensions of a state ask."""
    return (f for relation in state.relations.values() for f in _filters(relation))


def _filters(relation: Relation) -> Iterator[Formula]:
    match relation:
        case Union(left, right) | Minus(left, right):
            yield from _filters(left)
            yield from _filters(right)
        case Those(bound, _, where):
            yield some(bound, where)


def names(sorts: Sequence[type[Sort]]) -> str:
    """The sorts' names, as a row's columns are shown."""
    return ", ".join(s.__name__ for s in sorts)

"""A specification as a TLA+ module with a configuration for TLC, so that anyone can check us with another tool.

Printed from the same terms that every engine reads.  A relation is a variable that holds a set of tuples; a sort is
a constant; an ordered sort is a set of naturals.  The module states what an action requires with the source line
that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any as Anything
from typing import assert_never

from .instance import Instance
from .language import Many, Sort, item_of, relations_of
from .specification import Function, Specification, brief
from .term import (
    TRUE,
    All,
    And,
    Any,
    Eq,
    Field,
    Formula,
    Implies,
    In,
    Less,
    Member,
    Minus,
    Not,
    Or,
    Relation,
    Step,
    Those,
    Truth,
    Union,
    Var,
    conj,
)

RESERVED = frozenset(
    [
        "ASSUME",
        "ASSUMPTION",
        "AXIOM",
        "CASE",
        "CHOOSE",
        "CONSTANT",
        "CONSTANTS",
        "DOMAIN",
        "ELSE",
        "ENABLED",
        "EXCEPT",
        "EXTENDS",
        "IF",
        "IN",
        "INSTANCE",
        "LET",
        "LOCAL",
        "MODULE",
        "OTHER",
        "SUBSET",
        "THEN",
        "THEOREM",
        "UNCHANGED",
        "UNION",
        "VARIABLE",
        "VARIABLES",
        "WITH",
        "Init",
        "Next",
        "Spec",
        "vars",
    ]
)


@dataclass(frozen=True)
class Scope:
    """The names in use: TLA+ lets no name be bound twice, so an inner `a` becomes `a2`."""

    names: Mapping[Var, str]
    taken: frozenset[str]

    def bind(self, variables: Sequence[Var]) -> Scope:
        names, taken = dict(self.names), set(self.taken)
        for x in variables:
            name, n = x.name, 1
            while name in taken or name in RESERVED:
                n += 1
                name = f"{x.name}{n}"
            names[x] = name
            taken.add(name)
        return Scope(names, frozenset(taken))

    def row(self, row: Sequence[Var]) -> str:
        return f"<<{', '.join(self.names[x] for x in row)}>>"

    def over(self, variables: Sequence[Var], sets: Mapping[Var, Var]) -> str:
        """`a \\in q, b \\in Ballot`: what each variable ranges over, a set where one is given."""
        among = (self.names[sets[x]] if x in sets else x.sort.__name__ for x in variables)
        return ", ".join(f"{self.names[x]} \\in {m}" for x, m in zip(variables, among, strict=True))


def formula(t: Formula, scope: Scope) -> str:
    """A formula in TLA+, parenthesised wherever it is not atomic."""
    match t:
        case Truth(value):
            return "TRUE" if value else "FALSE"
        case Eq(left, right):
            return f"{scope.names[left]} = {scope.names[right]}"
        case Less(left, right):
            return f"{scope.names[left]} < {scope.names[right]}"
        case Member(item, many):
            return f"{scope.names[item]} \\in {scope.names[many]}"
        case In(name, args):
            return f"{scope.row(args)} \\in {name}"
        case Not(Eq(left, right)):
            return f"{scope.names[left]} # {scope.names[right]}"
        case Not(In(name, args)):
            return f"{scope.row(args)} \\notin {name}"
        case Not(body):
            inside = formula(body, scope)
            return f"~{inside}" if inside.startswith("(") else f"~({inside})"
        case And(parts):
            return "(" + " /\\ ".join(formula(x, scope) for x in parts) + ")"
        case Or(parts):
            return "(" + " \\/ ".join(formula(x, scope) for x in parts) + ")"
        case Implies(p, q):
            return f"({formula(p, scope)} => {formula(q, scope)})"
        case All(bound, Implies(given, body)):
            return _quantified(
                "\\A", bound, given, lambda rest: body if rest == TRUE else Implies(rest, body), scope
            )
        case All(bound, body):
            return _quantified("\\A", bound, TRUE, lambda _: body, scope)
        case Any(bound, body):
            return _quantified("\\E", bound, body, lambda rest: rest, scope)
    assert_never(t)


def _quantified(
    mark: str, bound: Sequence[Var], given: Formula, body: Callable[[Formula], Formula], scope: Scope
) -> str:
    """A quantifier in which `a \\in q`, where it is among what is given, says what `a` ranges over."""
    parts = given.parts if isinstance(given, And) else (given,)
    sets = {
        p.item: p.many for p in parts if isinstance(p, Member) and p.item in bound and p.many not in bound
    }
    rest = conj(*(p for p in parts if not (isinstance(p, Member) and sets.get(p.item) is p.many)))
    inner = scope.bind(bound)
    return f"({mark} {inner.over(bound, sets)} : {formula(body(rest), inner)})"


def relation(r: Relation, scope: Scope) -> str:
    """A relation in TLA+."""
    match r:
        case Field(name, _):
            return name
        case Union(left, right):
            return f"({relation(left, scope)} \\cup {relation(right, scope)})"
        case Minus(left, right):
            return f"({relation(left, scope)} \\ {relation(right, scope)})"
        case Those((), row, Truth(True)):
            return f"{{{scope.row(row)}}}"
        case Those((), row, where):
            return f"(IF {formula(where, scope)} THEN {{{scope.row(row)}}} ELSE {{}})"
        case Those(_, _, Truth(False)):
            return "{}"
        case Those(bound, row, where):
            inner = scope.bind(bound)
            names = inner.names[bound[0]] if len(bound) == 1 else inner.row(bound)
            among = " \\X ".join(x.sort.__name__ for x in bound)
            if where != Truth(True):
                among = f"{{{names} \\in {among} : {formula(where, inner)}}}"
            return f"{{{inner.row(row)} : {names} \\in {among}}}"
    assert_never(r)


@dataclass(frozen=True)
class Export:
    """A TLA+ module and the configuration with which TLC explores one instance of it."""

    name: str
    module: str
    configuration: str


def export(spec: Specification, instance: Instance) -> Export:
    """The specification as `name.tla` and `name.cfg`.  Raises `Unreadable` as reading does."""
    name = spec.name
    variables = ", ".join(relations_of(spec.state))
    parts = [
        f"---- MODULE {name} ----",
        _comment(spec.module.__doc__),
        "EXTENDS Naturals" if any(s.ordered for s in spec.sorts) else "",
        f"CONSTANTS {', '.join(s.__name__ for s in spec.sorts)}",
        *(_assume(s) for s in spec.sorts if s.ordered or issubclass(s, Many)),
        *(
            f"\\* {brief(f)}.\nASSUME {formula(t, _scope(spec))}"
            for f, t in zip(spec.assumes, spec.axioms.values(), strict=True)
        ),
        f"VARIABLES {variables}\nvars == <<{variables}>>",
        _init(spec),
        *(_action(spec, f, spec.steps[f.__name__]) for f in spec.actions),
        _next(spec),
        *(_property(spec, f) for f in spec.properties),
        "====",
    ]
    return Export(name, "\n\n".join(p for p in parts if p) + "\n", _configuration(spec, instance))


def _scope(spec: Specification) -> Scope:
    taken = {*relations_of(spec.state), *(s.__name__ for s in spec.sorts)}
    taken |= {f.__name__ for f in (*spec.actions, *spec.properties)}
    return Scope({}, frozenset(taken))


def _assume(sort: type[Sort]) -> str:
    if issubclass(sort, Many):
        return f"ASSUME {sort.__name__} \\subseteq SUBSET {item_of(sort).__name__}"
    return f"ASSUME {sort.__name__} \\subseteq Nat"


def _axiom(spec: Specification, f: Function) -> str:
    return f"\\* {brief(f)}.\nASSUME {formula(spec.axioms[f.__name__], _scope(spec))}"


def _init(spec: Specification) -> str:
    first = spec.first.relations.items()
    return "\n".join(["Init ==", *(f"    /\\ {name} = {relation(r, _scope(spec))}" for name, r in first)])


def _action(spec: Specification, f: Function, step: Step) -> str:
    scope = _scope(spec).bind(step.params)
    lines = [_comment(f.__doc__), f"{f.__name__}({', '.join(scope.names[x] for x in step.params)}) =="]
    lines += [f"    /\\ {formula(r.formula, scope)}  \\* {r.place}" for r in step.requires]
    changed = step.changed()
    lines += [f"    /\\ {name}' = {relation(r, scope)}" for name, r in changed.items()]
    if same := [name for name in relations_of(spec.state) if name not in changed]:
        lines.append(f"    /\\ UNCHANGED <<{', '.join(same)}>>")
    return "\n".join(x for x in lines if x)


def _next(spec: Specification) -> str:
    lines = ["Next =="]
    for name, step in spec.steps.items():
        scope = _scope(spec).bind(step.params)
        call = f"{name}({', '.join(scope.names[x] for x in step.params)})"
        lines.append(
            f"    \\/ \\E {scope.over(step.params, {})} : {call}" if step.params else f"    \\/ {name}"
        )
    return "\n".join([*lines, "", "Spec == Init /\\ [][Next]_vars"])


def _property(spec: Specification, f: Function) -> str:
    return "\n".join(
        x
        for x in (_comment(f.__doc__), f"{f.__name__} == {formula(spec.claims[f.__name__], _scope(spec))}")
        if x
    )


def _comment(text: str | None) -> str:
    return "\n".join(f"\\* {line.strip()}".rstrip() for line in (text or "").strip().splitlines())


def _configuration(spec: Specification, instance: Instance) -> str:
    lines = ["\\* Sizes: " + str(instance), "INIT Init", "NEXT Next", "CHECK_DEADLOCK FALSE", "CONSTANTS"]
    lines += [f"    {sort.__name__} = {_literal(instance.members[sort])}" for sort in spec.sorts]
    return "\n".join([*lines, *(f"INVARIANT {f.__name__}" for f in spec.properties)]) + "\n"


def _literal(members: Sequence[Anything]) -> str:
    def one(x: object) -> str:
        return _literal(sorted(x)) if isinstance(x, frozenset) else str(x)

    return "{" + ", ".join(one(x) for x in members) + "}"

"""A specification as a TLA+ module with a configuration for TLC, so that anyone can check us with another tool.

Printed from the same terms that every engine reads.  A relation is a variable that holds a set of tuples; a sort is
a constant; an ordered sort is a set of naturals.  The module states what an action requires with the source line
that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any as Anything
from typing import TypeAlias, assert_never

from .instance import Instance, by_number, show
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

KEYWORDS = """
    ACTION ASSUME ASSUMPTION AXIOM BOOLEAN BY CASE CHOOSE CONSTANT CONSTANTS COROLLARY DEF DEFINE DEFS DOMAIN ELSE
    ENABLED EXCEPT EXTENDS FALSE HAVE HIDE IF IN INSTANCE LAMBDA LEMMA LET LOCAL MODULE NEW OBVIOUS OMITTED ONLY OTHER
    PICK PROOF PROPOSITION PROVE QED RECURSIVE STATE STRING SUBSET SUFFICES TAKE TEMPORAL THEN THEOREM TRUE UNCHANGED
    UNION USE VARIABLE VARIABLES WITH WITNESS Nat Init Next Spec vars
"""
RESERVED = frozenset(KEYWORDS.split())
"""What means something to TLA+, to the module Naturals or to the module that is printed."""

Words: TypeAlias = Mapping[Anything, str]
"""What sorts, relations (by name) and functions are called in TLA+."""


def identifier(name: str, taken: Set[str]) -> str:
    """A name as TLA+ has it, letters, digits and `_` with a letter among them; numbered if it is taken."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not re.search("[A-Za-z]", plain) or plain.startswith(("WF_", "SF_")):
        plain = f"x{plain}"
    said, n = plain, 1
    while said in taken or said in RESERVED:
        n += 1
        said = f"{plain}{n}"
    return said


@dataclass(frozen=True)
class Scope:
    """The names in use: TLA+ lets no name be bound twice, so an inner `a` becomes `a2`."""

    words: Words
    names: Mapping[Var, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Specification) -> Scope:
        """The scope of a module's top: sorts and relations keep their names, if they can, before functions do."""
        words: dict[Anything, str] = {}
        things: list[Anything] = [*spec.sorts, *relations_of(spec.state), *spec.actions, *spec.properties]
        for thing in things:
            name = thing if isinstance(thing, str) else thing.__name__
            words[thing] = identifier(name, set(words.values()))
        return cls(words)

    def bind(self, variables: Sequence[Var]) -> Scope:
        names = dict(self.names)
        for x in variables:
            names[x] = identifier(x.name, {*self.words.values(), *names.values()})
        return Scope(self.words, names)

    def row(self, row: Sequence[Var]) -> str:
        return f"<<{', '.join(self.names[x] for x in row)}>>"

    def over(self, variables: Sequence[Var], sets: Mapping[Var, Var]) -> str:
        """`a \\in q, b \\in Ballot`: what each variable ranges over, a set where one is given."""
        among = (self.names[sets[x]] if x in sets else self.words[x.sort] for x in variables)
        return ", ".join(f"{self.names[x]} \\in {m}" for x, m in zip(variables, among, strict=True))

    def call(self, f: Function, step: Step) -> str:
        """An action with its parameters, as it is defined and as it is used."""
        params = ", ".join(self.names[x] for x in step.params)
        return f"{self.words[f]}({params})" if params else self.words[f]


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
            return f"{scope.row(args)} \\in {scope.words[name]}"
        case Not(Eq(left, right)):
            return f"{scope.names[left]} # {scope.names[right]}"
        case Not(In(name, args)):
            return f"{scope.row(args)} \\notin {scope.words[name]}"
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
            return scope.words[name]
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
            among = " \\X ".join(scope.words[x.sort] for x in bound)
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
    name, top = identifier(spec.name, set()), Scope.of(spec)
    variables = ", ".join(top.words[r] for r in relations_of(spec.state))
    parts = [
        f"---- MODULE {name} ----",
        _comment(spec.module.__doc__),
        "EXTENDS Naturals" if any(s.ordered for s in spec.sorts) else "",
        f"CONSTANTS {', '.join(top.words[s] for s in spec.sorts)}",
        *(_assume(s, top) for s in spec.sorts if s.ordered or issubclass(s, Many)),
        *(f"\\* {brief(f)}.\nASSUME {formula(spec.axioms[f.__name__], top)}" for f in spec.assumes),
        f"VARIABLES {variables}\nvars == <<{variables}>>",
        _init(spec, top),
        *(_action(f, spec.steps[f.__name__], top) for f in spec.actions),
        _next(spec, top),
        *(_property(f, spec.claims[f.__name__], top) for f in spec.properties),
        "====",
    ]
    return Export(name, "\n\n".join(p for p in parts if p) + "\n", _configuration(spec, instance, top))


def _assume(sort: type[Sort], top: Scope) -> str:
    among = f"SUBSET {top.words[item_of(sort)]}" if issubclass(sort, Many) else "Nat"
    return f"ASSUME {top.words[sort]} \\subseteq {among}"


def _init(spec: Specification, top: Scope) -> str:
    first = spec.first.relations.items()
    return "\n".join(["Init ==", *(f"    /\\ {top.words[name]} = {relation(r, top)}" for name, r in first)])


def _action(f: Function, step: Step, top: Scope) -> str:
    scope, changed = top.bind(step.params), step.changed()
    lines = [_comment(f.__doc__), f"{scope.call(f, step)} =="]
    lines += [f"    /\\ {formula(r.formula, scope)}  \\* {r.place}" for r in step.requires]
    lines += [f"    /\\ {top.words[name]}' = {relation(r, scope)}" for name, r in changed.items()]
    if same := [top.words[name] for name in relations_of(step.then.of) if name not in changed]:
        lines.append(f"    /\\ UNCHANGED <<{', '.join(same)}>>")
    return "\n".join(x for x in lines if x)


def _next(spec: Specification, top: Scope) -> str:
    lines = ["Next =="]
    for f in spec.actions:
        step = spec.steps[f.__name__]
        scope = top.bind(step.params)
        some = f"\\E {scope.over(step.params, {})} : " if step.params else ""
        lines.append(f"    \\/ {some}{scope.call(f, step)}")
    return "\n".join([*lines, "", "Spec == Init /\\ [][Next]_vars"])


def _property(f: Function, claim: Formula, top: Scope) -> str:
    return "\n".join(
        x for x in (_comment(f.__doc__), f"{top.words[f]} ==", f"    {formula(claim, top)}") if x
    )


def _comment(text: str | None) -> str:
    return "\n".join(f"\\* {line.strip()}".rstrip() for line in (text or "").strip().splitlines())


def _configuration(spec: Specification, instance: Instance, top: Scope) -> str:
    lines = ["\\* Sizes: " + str(instance), "INIT Init", "NEXT Next", "CHECK_DEADLOCK FALSE", "CONSTANTS"]
    lines += [f"    {top.words[sort]} = {_literal(instance.members[sort])}" for sort in spec.sorts]
    return "\n".join([*lines, *(f"INVARIANT {top.words[f]}" for f in spec.properties)]) + "\n"


def _literal(members: Sequence[Anything]) -> str:
    def one(x: object) -> str:
        return _literal(sorted(x, key=lambda y: by_number(show(y)))) if isinstance(x, frozenset) else str(x)

    return "{" + ", ".join(one(x) for x in members) + "}"

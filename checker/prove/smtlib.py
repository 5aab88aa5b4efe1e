"""An obligation as SMT-LIB text, which any solver reads: unsatisfiable just if the obligation holds.

The text is canonical: it depends on what is asked and on nothing else, neither on where a line stands nor on what was
asked before.  So a proof can be kept under it, and a saved query answers the same elsewhere.  The names are those
under which `smt` declares things to Z3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import assert_never

from ..language import Sort
from ..term import All, And, Any, Eq, Formula, Implies, In, Less, Member, Not, Or, Truth, Var
from .obligation import Obligation

GOAL = "the goal is false"
"""What the last assertion is called."""


# Names ---------------------------------------------------------------------------------------
#
# Each has a dot or a space, which no name in a specification has: none can be taken for another, or for a word of
# SMT-LIB.


def sort_name(sort: type[Sort]) -> str:
    """What a sort is called: in full, where two sorts of one name would be one sort."""
    return plain(f"{sort.__module__}.{sort.__qualname__}")


def relation_name(name: str) -> str:
    """What a relation of the state is called, as `now.voted`; one that stands for an image has a dot already."""
    return plain(name if "." in name else f"now.{name}")


def order_name(sort: type[Sort]) -> str:
    """What the order of a sort is called."""
    return f"< {sort_name(sort)}"


def member_name(many: type[Sort]) -> str:
    """What membership in a sort of sets is called."""
    return f"in {sort_name(many)}"


def variable_name(x: Var, number: int) -> str:
    """What a variable is called of which so many were met before."""
    return plain(f"{x.name}.{number}")


@cache
def plain(name: str) -> str:
    """A name in the characters that SMT-LIB allows between bars."""
    return name.encode("ascii", "backslashreplace").decode().translate({ord("\\"): "#", ord("|"): "#"})


# Text ----------------------------------------------------------------------------------------


@dataclass
class Writer:
    """Says formulas as text and remembers what must be declared for that."""

    sorts: dict[type[Sort], str] = field(default_factory=dict)
    predicates: dict[str, tuple[type[Sort], ...]] = field(default_factory=dict)
    variables: dict[Var, str] = field(default_factory=dict)
    free: dict[Var, str] = field(default_factory=dict)
    bound: frozenset[Var] = frozenset()

    def formula(self, t: Formula) -> str:
        """What a formula says; its free variables become constants."""
        match t:
            case Truth(value):
                return "true" if value else "false"
            case Eq(left, right):
                return f"(= {self.variable(left)} {self.variable(right)})"
            case Less(left, right):
                return self.atom(order_name(left.sort), (left, right))
            case Member(item, many):
                return self.atom(member_name(many.sort), (item, many))
            case In(name, args):
                return self.atom(relation_name(name), args)
            case Not(body):
                return f"(not {self.formula(body)})"
            case And(parts):
                return f"(and {' '.join(map(self.formula, parts))})"
            case Or(parts):
                return f"(or {' '.join(map(self.formula, parts))})"
            case Implies(p, q):
                return f"(=> {self.formula(p)} {self.formula(q)})"
            case All(bound, body):
                return self.quantified("forall", bound, body)
            case Any(bound, body):
                return self.quantified("exists", bound, body)
        assert_never(t)

    def quantified(self, quantifier: str, bound: Sequence[Var], body: Formula) -> str:
        outside, self.bound = self.bound, self.bound | {*bound}
        columns = " ".join(f"({self.variable(x)} {self.sort(x.sort)})" for x in bound)
        said = f"({quantifier} ({columns}) {self.formula(body)})"
        self.bound = outside
        return said

    def atom(self, name: str, args: Sequence[Var]) -> str:
        """One predicate of these variables; a predicate has at least one column."""
        self.predicates.setdefault(name, tuple(x.sort for x in args))
        return f"({quoted(name)} {' '.join(map(self.variable, args))})"

    def sort(self, sort: type[Sort]) -> str:
        if sort not in self.sorts:
            self.sorts[sort] = quoted(sort_name(sort))
        return self.sorts[sort]

    def variable(self, x: Var) -> str:
        """A variable by its name; one that no quantifier binds here is a constant."""
        if x not in self.variables:
            self.variables[x] = quoted(variable_name(x, len(self.variables)))
        if x not in self.bound:
            self.free[x] = self.variables[x]
        return self.variables[x]

    def declarations(self) -> Iterator[str]:
        """Everything that was spoken of, sorts first."""
        used = (*(s for columns in self.predicates.values() for s in columns), *(x.sort for x in self.free))
        for sort in dict.fromkeys((*self.sorts, *used)):
            yield f"(declare-sort {quoted(sort_name(sort))} 0)"
        for name, columns in self.predicates.items():
            yield f"(declare-fun {quoted(name)} ({' '.join(map(self.sort, columns))}) Bool)"
        for x, name in self.free.items():
            yield f"(declare-const {name} {self.sort(x.sort)})"


def quoted(name: str) -> str:
    """A name that is no simple symbol, as `|in Quorum|`."""
    return f"|{name}|"


@dataclass(frozen=True)
class Query:
    """What a solver is told: declarations, then the hypotheses, by name, and last the goal's negation.

    `variables` are all that were met, in that order, free or bound.
    """

    declarations: tuple[str, ...]
    assertions: tuple[tuple[str, str], ...]
    variables: tuple[Var, ...]

    @classmethod
    def of(cls, obligation: Obligation) -> Query:
        """The query that an obligation is."""
        writer = Writer()
        said = [(h.name, writer.formula(h.formula)) for h in obligation.hypotheses]
        said.append((GOAL, f"(not {writer.formula(obligation.goal)})"))
        return cls(tuple(writer.declarations()), tuple(said), tuple(writer.variables))

    @property
    def text(self) -> str:
        """Declarations and assertions, and nothing that means nothing."""
        return self.part(range(len(self.assertions)))

    def part(self, some: Iterable[int]) -> str:
        """The same with some of the assertions only, by their places."""
        asserted = (f"(assert {self.assertions[i][1]})" for i in some)
        return "".join(f"{line}\n" for line in (*self.declarations, *asserted))


def script(obligation: Obligation) -> str:
    """An obligation as a file for a person and any solver: what it is, what each line says, and the question."""
    query = Query.of(obligation)
    places = {h.name: h.place for h in obligation.hypotheses} | {GOAL: obligation.place}
    lines = [
        f"; {one_line(str(obligation))}  ({obligation.place})",
        "; It holds just if the answer is unsat.",
        "(set-logic UF)",
    ]
    lines += query.declarations
    for name, text in query.assertions:
        where = f"  ({places[name]})" if places[name] else ""
        lines += (f"; {one_line(name)}{where}", f"(assert {text})")
    return "\n".join((*lines, "(check-sat)", ""))


def one_line(text: str) -> str:
    return " ".join(text.split())

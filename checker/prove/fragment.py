"""Whether an obligation lies in the decidable fragment, and which conjuncts lead out of it if not.

A query made of quantifiers over uninterpreted sorts is decidable if, after Skolemisation, no function leads from a
sort back to that sort: then every ground term that the solver can build is one of finitely many.  (This is the
many-sorted extension of the Bernays-Schoenfinkel class; Ivy calls it EPR.)  "For every ballot there is a ballot" makes
a cycle by itself; "for every quorum an acceptor" and "for every acceptor a quorum" make one together.

Outside the fragment a solver may still answer, and mostly does; but nothing promises that it will.  This is decided by
looking at the terms; no solver is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import assert_never

from ..components import along, components
from ..language import Sort
from ..term import All, And, Any, Eq, Formula, Implies, In, Less, Member, Not, Or, Truth, Var
from .obligation import Obligation

DENIED = "the goal denied"
"""What the goal is called among the hypotheses, for a solver is asked to make it false."""

Edge = tuple[type[Sort], type[Sort]]


@dataclass(frozen=True)
class Fragment:
    """The sort graph of a query: which sort's elements give rise to which, and whose words say so.

    `edges` names for every edge the hypotheses, or the goal, that make it.
    """

    edges: Mapping[Edge, tuple[str, ...]]

    @cached_property
    def cycles(self) -> tuple[Mapping[Edge, tuple[str, ...]], ...]:
        """The edges that lie on a cycle, a map for each group of sorts that lead to one another."""
        nodes = tuple(dict.fromkeys(sort for edge in self.edges for sort in edge))
        out = []
        for group in components(nodes, along(self.edges)):
            inside = {e: names for e, names in self.edges.items() if {*e} <= {*group}}
            if inside:
                out.append(inside)
        return tuple(out)

    @property
    def decidable(self) -> bool:
        """Whether no sort leads back to itself."""
        return not self.cycles

    def culprits(self) -> Sequence[str]:
        """Whose words make a cycle, each once."""
        return tuple(dict.fromkeys(n for cycle in self.cycles for names in cycle.values() for n in names))

    def reasons(self) -> Iterator[str]:
        """Each edge of a cycle, as `ballot to ballot by reports_are_full`."""
        for cycle in self.cycles:
            for (source, target), names in cycle.items():
                yield f"{source.__name__.lower()} to {target.__name__.lower()} by {', '.join(names)}"


def fragment_of(obligation: Obligation) -> Fragment:
    """The sort graph of what a solver is asked: every hypothesis, and the goal denied."""
    edges: dict[Edge, dict[str, None]] = {}
    asked = [(h.name, h.formula, True) for h in obligation.hypotheses]
    asked.append((DENIED, obligation.goal, False))
    for name, formula, asserted in asked:
        for edge in Skolem().edges(formula, asserted):
            edges.setdefault(edge, {})[name] = None
    return Fragment({edge: tuple(names) for edge, names in edges.items()})


@dataclass
class Skolem:
    """The Skolem functions of one formula: what each existential variable in scope depends on."""

    depends: dict[Var, frozenset[type[Sort]]] = field(default_factory=dict)

    def edges(self, t: Formula, asserted: bool) -> Iterator[Edge]:
        """An edge from each argument's sort to the value's, for every function; a formula denied swaps quantifiers."""
        match t:
            case Truth() | Eq() | Less() | Member() | In():
                return
            case Not(body):
                yield from self.edges(body, not asserted)
            case And(parts) | Or(parts):
                for x in parts:
                    yield from self.edges(x, asserted)
            case Implies(p, q):
                yield from self.edges(p, not asserted)
                yield from self.edges(q, asserted)
            case All(bound, body) | Any(bound, body):
                if isinstance(t, All) == asserted:
                    self.depends.update({x: frozenset({x.sort}) for x in bound})
                else:
                    given = frozenset(s for x in free_in(t) for s in self.depends.get(x, ()))
                    self.depends.update(dict.fromkeys(bound, given))
                    yield from ((s, x.sort) for x in bound for s in sorted(given, key=lambda s: s.__name__))
                yield from self.edges(body, asserted)
            case _:
                assert_never(t)


def free_in(t: Formula) -> frozenset[Var]:
    """The variables that a formula speaks of and does not bind."""
    match t:
        case Truth():
            return frozenset()
        case Eq(left, right) | Less(left, right) | Member(left, right):
            return frozenset((left, right))
        case In(_, args):
            return frozenset(args)
        case Not(body):
            return free_in(body)
        case And(parts) | Or(parts):
            return frozenset().union(*map(free_in, parts))
        case Implies(p, q):
            return free_in(p) | free_in(q)
        case All(bound, body) | Any(bound, body):
            return free_in(body) - {*bound}
    assert_never(t)

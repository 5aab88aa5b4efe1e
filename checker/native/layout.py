"""A state as bits: only the rows that some action can ever add or remove have one, 64 of them a word.

Which rows those are is a static fixpoint: a row is constant until an action that is not impossible, as far as
constants show, would change it.  On the message-level specification two rows in three turn out constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..instance import Instance
from ..language import State, relations_of
from ..specification import Specification
from ..term import Step
from .circuit import Circuit, Node
from .ground import Bits, Frame, Grounder, Row, Rows, Scope

WORD_BITS = 64
Words = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Where each varying row stands, and what the rows that never vary are."""

    of: type[State]
    rows: tuple[tuple[str, Row], ...]
    """By bit: the relation and the row."""
    bits: Bits
    first: Words
    """The initial state."""

    @property
    def words(self) -> int:
        """How many words a state has; at least one."""
        return len(self.first)

    def keeping(self, rows: Sequence[tuple[str, Row]]) -> Layout:
        """The layout with these rows only; the others are for ever what they are initially."""
        return _numbered(self.of, self.bits.first, rows)

    def decode(self, words: Words) -> State:
        """The state that words stand for."""
        rows: dict[str, set[Row]] = {
            name: set(first) - self.bits.varying[name].keys() for name, first in self.bits.first.items()
        }
        for bit, (name, row) in enumerate(self.rows):
            if words[bit // WORD_BITS] >> bit % WORD_BITS & 1:
                rows[name].add(row)
        return self.of(**rows)


@dataclass(frozen=True)
class GroundStep:
    """An action ready to be grounded, as functions of a frame that begins with its parameters."""

    name: str
    step: Step
    scope: Scope
    requires: tuple[Callable[[Frame], Node], ...]
    changed: Mapping[str, Callable[[Frame], Rows]]

    @classmethod
    def of(cls, name: str, step: Step, grounder: Grounder) -> GroundStep:
        scope = Scope.of(step.params)
        requires = tuple(grounder.formula(r.formula, scope) for r in step.requires)
        changed = {n: grounder.relation(r, scope) for n, r in step.changed().items()}
        return cls(name, step, scope, requires, changed)

    def frame(self, args: Row = ()) -> Frame:
        return [*args, *[None] * (self.scope.size - len(args))]


def lay_out(spec: Specification, instance: Instance) -> Layout:
    """Finds what varies, and gives it bits: relation by relation, in the order written."""
    with instance.inhabited():
        first_state = spec.init()
    relations = relations_of(spec.state)
    first: dict[str, frozenset[Row]] = {name: getattr(first_state, name) for name in relations}
    found = _what_varies(spec, instance, first)
    rows: list[tuple[str, Row]] = []
    for name, sorts in relations.items():
        every = instance.arguments(sorts)
        rows.extend((name, row) for row in every if row in found[name])
    return _numbered(spec.state, first, rows)


def _numbered(
    of: type[State], first: Mapping[str, frozenset[Row]], rows: Sequence[tuple[str, Row]]
) -> Layout:
    """The layout in which these rows have the bits 0, 1, 2 ..."""
    bits = Bits(first, {name: {} for name in first})
    words = [0] * max(1, -(-len(rows) // WORD_BITS))
    for bit, (name, row) in enumerate(rows):
        bits.varying[name][row] = bit
        words[bit // WORD_BITS] |= (row in first[name]) << bit % WORD_BITS
    return Layout(of, tuple(rows), bits, tuple(words))


def _what_varies(
    spec: Specification, instance: Instance, first: Mapping[str, frozenset[Row]]
) -> Mapping[str, Mapping[Row, int]]:
    bits = Bits(first, {name: {} for name in first})
    circuit = Circuit()
    grounder = Grounder(circuit, instance.members, bits)
    steps = [GroundStep.of(name, step, grounder) for name, step in spec.steps.items()]
    moves: list[tuple[GroundStep, Row]] = [
        (step, args) for step in steps for args in instance.arguments([x.sort for x in step.step.params])
    ]
    count = 0
    while True:
        grounder.forget()
        before = count
        for step, args in moves:
            frame = step.frame(args)
            if circuit.conj(f(frame) for f in step.requires) is False:
                continue
            for name, relation in step.changed.items():
                varying = bits.varying[name]
                for row, value in grounder.changes(name, relation(frame)):
                    if row not in varying and value is not (row in first[name]):
                        varying[row] = count
                        count += 1
        if count == before:
            return bits.varying

"""Actions grounded: a tree of guards for each action, each tested at the outermost parameter that settles it.

At the leaves stand effects: the bits that change and what each becomes.  A parameter that the new state does not
mention (a quorum that a leader shows) is quantified away, or successors would be made twice.  Which effects can
still lead to one and the same successor is worked out here, so that a search need compare only those.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from ..instance import Instance
from ..specification import Specification
from ..term import Require, Step, Var, conj, some
from .circuit import Circuit, Lit, Node, conjuncts
from .ground import Grounder, Row, free_variables, variables_of
from .layout import GroundStep, Layout

SELECTIVITY = 0.4
"""How often a requirement is taken to hold when parameters are put in order; only the speed depends on it."""
ORDERED_AT_MOST = 6
"""More parameters than these stay as they are written."""

Flip: TypeAlias = tuple[int, bool]
"""A bit, and whether it becomes set or clear."""


@dataclass(eq=False)
class Leaf:
    """One ground action: where `guard` holds, `becomes` says what each changed bit becomes.

    The guard repeats what stands in the tree above, and may add what is known to hold there.
    """

    action: int
    args: Row
    circuit: Circuit
    guard: Node
    becomes: Mapping[int, Node]
    private: tuple[int, ...] = ()
    """Bits that, where they change, no other ground action would have changed so."""

    @cached_property
    def flips(self) -> Mapping[Flip, bool]:
        """How bits may change, and whether they do so wherever the guards hold."""
        out: dict[Flip, bool] = {}
        held = {x.bit: x.positive for x in conjuncts(self.guard) if isinstance(x, Lit)}
        for bit, value in self.becomes.items():
            for up in (True, False):
                if held.get(bit) is up or value is (not up) or _keeps(bit, not up, value):
                    continue
                out[bit, up] = value is up and bit in held
        return out

    @property
    def always_new(self) -> bool:
        """Whether a private bit changes wherever the guards hold, so that the successor is like no other."""
        return any(sure and bit in self.private for (bit, _), sure in self.flips.items())

    @property
    def only_private(self) -> bool:
        """Whether nothing but private bits can change: if none of them does, the state stays as it is."""
        return all(bit in self.private for bit, _ in self.flips)


def _keeps(bit: int, up: bool, value: Node) -> bool:
    """Whether the value is plainly the old bit or more (`up`), or the old bit and more: it flips one way only."""
    if isinstance(value, bool | Lit) or value.conjunction is up:
        return False
    return any(isinstance(x, Lit) and x.bit == bit and x.positive for x in value.parts)


@dataclass(frozen=True)
class Guard:
    """What must hold for anything below to happen, and where the specification says so."""

    holds: Node
    requires: tuple[Require, ...]
    below: tuple[Guard | Leaf, ...]


@dataclass(frozen=True)
class Moves:
    """Everything that can happen in an instance: a tree for each action, in the order written."""

    actions: tuple[str, ...]
    trees: tuple[tuple[Guard | Leaf, ...], ...]
    leaves: tuple[Leaf, ...] = field(repr=False)


def ground_moves(spec: Specification, instance: Instance, layout: Layout, circuit: Circuit) -> Moves:
    """Grounds every action of a specification."""
    trees = [
        tuple(_Grounding(index, name, step, instance, layout, circuit).tree())
        for index, (name, step) in enumerate(spec.steps.items())
    ]
    return moves_of(tuple(spec.steps), trees)


def moves_of(actions: tuple[str, ...], trees: Sequence[tuple[Guard | Leaf, ...]]) -> Moves:
    """Moves from their trees; finds out which bits are private to which leaf."""
    leaves = tuple(leaf for tree in trees for node in tree for leaf in leaves_of(node))
    makers = Counter(flip for leaf in leaves for flip in leaf.flips)
    for leaf in leaves:
        shared = {bit for bit, up in leaf.flips if makers[bit, up] > 1}
        leaf.private = tuple(sorted({bit for bit, _ in leaf.flips} - shared))
    return Moves(actions, tuple(trees), leaves)


def parted(moves: Moves, layout: Layout) -> Moves:
    """The same moves; a leaf that may have happened already is parted by the bit that tells.

    Where that bit changes, the successor is surely new; where it does not, little is left to change, or nothing.
    """
    falling = {layout.rows[bit][0] for leaf in moves.leaves for bit, up in leaf.flips if not up}

    def telling(leaf: Leaf) -> int | None:
        """A private bit that is set or cleared for certain; one of a relation that only grows, if there is any."""
        bits = [bit for bit in leaf.private if isinstance(leaf.becomes[bit], bool)]
        return min(bits, key=lambda bit: layout.rows[bit][0] in falling, default=None)

    def part(node: Guard | Leaf) -> Iterator[Guard | Leaf]:
        if isinstance(node, Guard):
            yield replace(node, below=tuple(y for x in node.below for y in part(x)))
        elif node.always_new or (bit := telling(node)) is None:
            yield node
        else:
            for changes in (True, False):
                holds = node.circuit.lit(bit, node.becomes[bit] is not changes)
                becomes = {b: value for b, value in node.becomes.items() if changes or b != bit}
                guard = node.circuit.conj((node.guard, holds))
                leaf = Leaf(node.action, node.args, node.circuit, guard, becomes)
                if leaf.flips:
                    yield Guard(holds, (), (leaf,))

    return moves_of(moves.actions, [tuple(y for x in tree for y in part(x)) for tree in moves.trees])


def leaves_of(node: Guard | Leaf) -> Iterator[Leaf]:
    if isinstance(node, Leaf):
        yield node
    else:
        for x in node.below:
            yield from leaves_of(x)


class _Grounding:
    """One action, being grounded."""

    def __init__(
        self, index: int, name: str, step: Step, instance: Instance, layout: Layout, circuit: Circuit
    ) -> None:
        self.index, self.instance, self.layout, self.circuit = index, instance, layout, circuit
        used = {x for r in step.changed().values() for x in variables_of(r)}
        requires = _without_idle_parameters(step, used)
        self.params = _best_order([x for x in step.params if x in used], requires, instance)
        grounder = Grounder(circuit, instance.members, layout.bits)
        self.ground = GroundStep.of(name, Step(self.params, tuple(requires), step.then), grounder)
        self.grounder = grounder
        self.settled_at = [_settled_at(r, self.params) for r in requires]
        self.order = [self.params.index(x) for x in step.params if x in used]

    def tree(self) -> list[Guard | Leaf]:
        return self._below(0, (), True)

    def _below(self, depth: int, args: Row, above: Node) -> list[Guard | Leaf]:
        frame = self.ground.frame(args)
        here = [i for i, at in enumerate(self.settled_at) if at == depth]
        holds = self.circuit.conj(self.ground.requires[i](frame) for i in here)
        if holds is False:
            return []
        guard = self.circuit.conj((above, holds))
        if guard is False:
            return []
        if depth == len(self.params):
            found: list[Guard | Leaf] = list(self._leaf(args, guard))
        else:
            members = self.instance.members[self.params[depth].sort]
            found = [x for m in members for x in self._below(depth + 1, (*args, m), guard)]
        if holds is True or not found:
            return found
        requires = tuple(self.ground.step.requires[i] for i in here)
        return [Guard(holds, requires, tuple(found))]

    def _leaf(self, args: Row, guard: Node) -> Iterator[Leaf]:
        frame, becomes = self.ground.frame(args), dict[int, Node]()
        for name, relation in self.ground.changed.items():
            for row, value in self.grounder.changes(name, relation(frame)):
                bit = self.layout.bits.varying[name].get(row)
                if bit is not None:
                    becomes[bit] = value
        leaf = Leaf(
            self.index,
            tuple(args[i] for i in self.order),
            self.circuit,
            guard,
            {bit: becomes[bit] for bit in sorted(becomes)},
        )
        if leaf.flips:
            yield leaf


def _without_idle_parameters(step: Step, used: set[Var]) -> list[Require]:
    """What a step requires of the parameters that it uses: of the others, that there are some."""
    idle = [x for x in step.params if x not in used]
    plain = [r for r in step.requires if not set(idle) & free_variables(r.formula).keys()]
    bound = [r for r in step.requires if r not in plain]
    if not bound:
        return plain
    return [*plain, Require(some(idle, conj(*(r.formula for r in bound))), bound[0].place)]


def _settled_at(r: Require, params: Sequence[Var]) -> int:
    """How many of the parameters must be known to know whether a requirement holds."""
    free = free_variables(r.formula)
    return max((i + 1 for i, x in enumerate(params) if x in free), default=0)


def _best_order(params: Sequence[Var], requires: Sequence[Require], instance: Instance) -> tuple[Var, ...]:
    """The parameters in the order that needs the fewest tests."""
    if len(params) > ORDERED_AT_MOST:
        return tuple(params)

    def tests(order: tuple[Var, ...]) -> float:
        settled = Counter(_settled_at(r, order) for r in requires)
        total, reached = 0.0, 1.0
        for depth in range(len(order) + 1):
            reached *= len(instance.members[order[depth - 1].sort]) if depth else 1
            total += reached * (settled[depth] > 0)
            reached *= SELECTIVITY ** settled[depth]
        return total + reached

    return min(itertools.permutations(params), key=tests)

"""Finds out, before anything is explored, which bits imply which, and simplifies everything by it.

The largest set of implications between two literals that holds initially and is kept by every action (Flanagan and
Leino's Houdini, on clauses of two literals).  On the message-level specification it shows that a third of the bits can
never be set, and proves half of the invariants, so that they need not be looked at in any state.

What is found holds in every reachable state; what is not found costs time, never an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .circuit import Circuit, Gate, Lit, Node, conjuncts
from .layout import WORD_BITS, Layout
from .moves import Guard, Leaf, Moves, moves_of

WORK_MAX = 60_000
"""Bits times leaves; larger specifications are left as they are, for the cost grows with the square of the bits."""

Mask = int
"""A set of literals: bit b says that bit b is set, bit n + b that it is not, n being how many bits there are."""


class Implications:
    """For each literal, what holds wherever it does."""

    def __init__(self, first: Sequence[bool]) -> None:
        self.n = len(first)
        self._positive = (1 << self.n) - 1
        everything = (1 << 2 * self.n) - 1
        initial = sum(1 << (bit if value else self.n + bit) for bit, value in enumerate(first))
        self.rows = [initial if initial >> x & 1 else everything for x in range(2 * self.n)]

    def index(self, x: Lit) -> int:
        return x.bit if x.positive else self.n + x.bit

    def opposite(self, index: int) -> int:
        return index + self.n if index < self.n else index - self.n

    def impossible(self, known: Mask) -> bool:
        """Whether a bit is both set and not."""
        return known & known >> self.n & self._positive != 0

    def given(self, literals: Iterable[Lit], known: Mask = 0) -> Mask:
        """What holds where these literals do, beside what is known."""
        for x in literals:
            known |= self.rows[self.index(x)]
        return known

    def constants(self) -> Mask:
        """The literals that always hold: those whose opposites never do."""
        return sum(1 << self.opposite(x) for x, row in enumerate(self.rows) if self.impossible(row))

    def value(self, x: Node, known: Mask) -> bool | None:
        """What a node comes to where this is known, if that settles it."""
        if isinstance(x, bool):
            return x
        if isinstance(x, Lit):
            index = self.index(x)
            return True if known >> index & 1 else False if known >> self.opposite(index) & 1 else None
        settled = not x.conjunction
        values = [self.value(p, known) for p in x.parts]
        if settled in values:
            return settled
        return None if None in values else x.conjunction


def infer(layout: Layout, moves: Moves) -> Implications:
    """The implications that hold in every reachable state, as far as two literals at a time can show."""
    first = [layout.first[b // WORD_BITS] >> b % WORD_BITS & 1 == 1 for b in range(len(layout.rows))]
    out = Implications(first)
    leaves = [_Kept(out, leaf) for leaf in moves.leaves]
    weaker = True
    while weaker:
        weaker = False
        for leaf in leaves:
            weaker |= leaf.weaken()
    return out


class _Kept:
    """One leaf, and which implications it keeps."""

    def __init__(self, implications: Implications, leaf: Leaf) -> None:
        self.all, self.leaf = implications, leaf
        self.literals = [x for x in conjuncts(leaf.guard) if isinstance(x, Lit)]
        n = implications.n
        self.touched = sum(1 << bit | 1 << n + bit for bit in leaf.becomes)
        circuit = leaf.circuit
        self.ways = [
            (index, list(_ways(value)))
            for bit, becomes in leaf.becomes.items()
            for index, value in ((bit, becomes), (n + bit, circuit.negation(becomes)))
        ]

    def weaken(self) -> bool:
        """Takes back every implication that the leaf might break; says whether there was one."""
        known = self._before(())
        if known is None:
            return False
        changed, rows = False, self.all.rows
        doubtful = self.touched & ~self._after(known)
        for x in range(2 * self.all.n):
            if self.touched >> x & 1 or not rows[x] & doubtful:
                continue
            before = known | rows[x]
            if known >> self.all.opposite(x) & 1 or self.all.impossible(before):
                continue
            changed |= self._meet(x, ~self.touched | self._after(before))
        for x, ways in self.ways:
            for literals in ways:
                before_ = self._before(literals)
                if before_ is not None:
                    changed |= self._meet(x, before_ & ~self.touched | self._after(before_) | 1 << x)
        return changed

    def _before(self, literals: Iterable[Lit]) -> Mask | None:
        """What is known before the step, these literals given; None if then it cannot be taken."""
        known = self.all.given(literals, self.all.given(self.literals))
        if self.all.impossible(known) or self.all.value(self.leaf.guard, known) is False:
            return None
        return known

    def _after(self, known: Mask) -> Mask:
        """What is known of the touched bits after the step."""
        out = 0
        for bit, becomes in self.leaf.becomes.items():
            value = self.all.value(becomes, known)
            if value is not None:
                out |= 1 << (bit if value else self.all.n + bit)
        return out

    def _meet(self, x: int, mask: Mask) -> bool:
        left = self.all.rows[x] & mask
        changed = left != self.all.rows[x]
        self.all.rows[x] = left
        return changed


def _ways(value: Node) -> Iterator[tuple[Lit, ...]]:
    """Literals of which, where the value is true, one lot holds."""
    if value is True:
        yield ()
    elif isinstance(value, Lit):
        yield (value,)
    elif isinstance(value, Gate) and value.conjunction:
        yield tuple(x for x in value.parts if isinstance(x, Lit))
    elif isinstance(value, Gate):
        for part in value.parts:
            yield from _ways(part)


# Simplifying -------------------------------------------------------------------------------


@dataclass
class Reduction:
    """Nodes, moves and layout without what implications make superfluous, the bits numbered anew."""

    implications: Implications
    circuit: Circuit
    number: Mapping[int, int]
    """The new number of each bit that varies."""
    always: Mask

    @classmethod
    def of(cls, implications: Implications) -> Reduction:
        always = implications.constants()
        n = implications.n
        varying = [bit for bit in range(n) if not (always >> bit | always >> n + bit) & 1]
        return cls(implications, Circuit(), {bit: i for i, bit in enumerate(varying)}, always)

    def layout(self, old: Layout) -> Layout:
        return old.keeping([old.rows[bit] for bit in self.number])

    def node(self, x: Node, known: Mask | None = None) -> Node:
        """An equal node, where this is known."""
        known = self.always if known is None else known
        if isinstance(x, bool):
            return x
        if isinstance(x, Lit):
            value = self.implications.value(x, known)
            return self.circuit.lit(self.number[x.bit], x.positive) if value is None else value
        # In a conjunction the other parts hold, in a disjunction they do not: else it is settled without this one.
        literals = [p for p in x.parts if isinstance(p, Lit)]
        context = self.implications.given((Lit(p.bit, p.positive is x.conjunction) for p in literals), known)
        if self.implications.impossible(context):
            return not x.conjunction
        gather = self.circuit.conj if x.conjunction else self.circuit.disj
        return gather(self.node(p, known if isinstance(p, Lit) else context) for p in x.parts)

    def moves(self, old: Moves) -> Moves:
        trees = [tuple(y for x in tree for y in self._tree(x, self.always)) for tree in old.trees]
        return moves_of(old.actions, trees)

    def _tree(self, x: Guard | Leaf, known: Mask) -> Iterator[Guard | Leaf]:
        if isinstance(x, Leaf):
            yield from self._leaf(x)
            return
        holds = self.node(x.holds, known)
        inner = self.implications.given((p for p in conjuncts(x.holds) if isinstance(p, Lit)), known)
        if holds is False or self.implications.impossible(inner):
            return
        below = tuple(z for y in x.below for z in self._tree(y, inner))
        if holds is True:
            yield from below
        elif below:
            yield Guard(holds, x.requires, below)

    def _leaf(self, leaf: Leaf) -> Iterator[Leaf]:
        literals = [p for p in conjuncts(leaf.guard) if isinstance(p, Lit)]
        known = self.implications.given(literals, self.always)
        if self.implications.impossible(known):
            return
        becomes: dict[int, Node] = {}
        for bit, value in leaf.becomes.items():
            if bit not in self.number:
                continue
            new = self.node(value, known)
            was = self.implications.value(Lit(bit, True), known)
            if new is not was and new is not self.circuit.lit(self.number[bit]):
                becomes[self.number[bit]] = new
        held = [Lit(bit, True) for bit in leaf.becomes if known >> bit & 1]
        held += [Lit(bit, False) for bit in leaf.becomes if known >> self.implications.n + bit & 1]
        guard = self.circuit.conj(self.node(p) for p in (*conjuncts(leaf.guard), *held))
        made = Leaf(leaf.action, leaf.args, self.circuit, guard, becomes)
        if guard is not False and made.flips:
            yield made


def reduce(layout: Layout, moves: Moves) -> Reduction | None:
    """What implications make of a layout and its moves; None if finding out would cost too much."""
    if len(layout.rows) * len(moves.leaves) > WORK_MAX:
        return None
    return Reduction.of(infer(layout, moves))

"""What a program does, as a person reads it: each guard beside the line of the specification that it comes from.

It lists what was compiled: the bits that are left, the tests in the order in which they are made, and what changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from ..instance import show
from ..specification import Specification
from .circuit import Lit, Node, conjuncts
from .ground import variables_of
from .layout import WORD_BITS
from .moves import Guard, Leaf
from .program import Program

INDENT = "  "


def listing(spec: Specification, program: Program) -> Iterator[str]:
    """The whole program, line by line."""
    return _Listing(spec, program).lines()


class _Listing:
    """One program, being listed."""

    def __init__(self, spec: Specification, program: Program) -> None:
        self.spec, self.program = spec, program
        self.rows = program.layout.rows

    def lines(self) -> Iterator[str]:
        layout, sleep = self.program.layout, self.program.sleep
        yield f"a state: {len(self.rows)} bits in {_words(layout.words)}"
        for name, bits in groupby(range(len(self.rows)), key=lambda bit: self.rows[bit][0]):
            numbers = list(bits)
            yield f"{INDENT}bits {numbers[0]} to {numbers[-1]}: {name}, {len(numbers)} rows that can change"
        if sleep.words:
            asleep = f"the steps that it need not take, of {sleep.sleepers} that commute with others"
            yield f"{INDENT}and {_words(sleep.words)} for {asleep}"
        for name, tree in zip(self.program.moves.actions, self.program.moves.trees, strict=True):
            yield ""
            yield f"action {name}"
            names = self._parameters(name)
            for node in tree:
                yield from self._node(node, INDENT, names)
        yield ""
        yield "in every new state"
        for name, holds in self.program.claims:
            yield f"{INDENT}{name}: {'holds whatever the bits are' if holds is True else self.formula(holds)}"

    def _parameters(self, action: str) -> Sequence[str]:
        """The names of the parameters that are left, in order: those that the new state mentions."""
        step = self.spec.steps[action]
        used = {x for r in step.changed().values() for x in variables_of(r)}
        return [x.name for x in step.params if x in used]

    def _node(self, node: Guard | Leaf, indent: str, names: Sequence[str]) -> Iterator[str]:
        if isinstance(node, Leaf):
            yield from self._leaf(node, indent, names)
            return
        for require in node.requires:
            yield f"{indent}# {require.place}  {require.place.text}"
        yield f"{indent}if {self.formula(node.holds)}:{self._masks(node.holds)}"
        for below in node.below:
            yield from self._node(below, indent + INDENT, names)

    def _leaf(self, leaf: Leaf, indent: str, names: Sequence[str]) -> Iterator[str]:
        given = ", ".join(f"{name}={show(x)}" for name, x in zip(names, leaf.args, strict=True))
        unsure = "" if leaf.always_new else ", if that changes anything"
        yield f"{indent}{self.program.moves.actions[leaf.action]}({given}){unsure}"
        for bit, value in leaf.becomes.items():
            becomes = {True: "+ ", False: "- "}.get(value) if isinstance(value, bool) else None
            tail = "" if becomes else f" := {self.formula(value)}"
            yield f"{indent}{INDENT}{becomes or ''}{self.row(bit)}{tail}"

    def row(self, bit: int) -> str:
        """A bit as the row that it stands for."""
        name, row = self.rows[bit]
        return f"{name} ({' '.join(map(show, row))})"

    def formula(self, x: Node, inner: bool = False) -> str:
        """A node, over rows."""
        if isinstance(x, bool):
            return str(x)
        if isinstance(x, Lit):
            return self.row(x.bit) if x.positive else f"not {self.row(x.bit)}"
        text = (" and " if x.conjunction else " or ").join(self.formula(p, True) for p in x.parts)
        return f"({text})" if inner else text

    def _masks(self, x: Node) -> str:
        """The comparisons that a conjunction's literals become, one a word."""
        literals = [p for p in conjuncts(x) if isinstance(p, Lit)]
        masks = [
            f"w{w} & {mask:#x} = {wanted:#x}" for w, (mask, wanted) in sorted(_by_word(literals).items())
        ]
        return f"    [{', '.join(masks)}]" if masks else ""


def _by_word(literals: Iterable[Lit]) -> Mapping[int, tuple[int, int]]:
    """For each word that literals speak of, the bits and what they must be."""
    out: dict[int, tuple[int, int]] = {}
    for x in literals:
        word, at = divmod(x.bit, WORD_BITS)
        mask, wanted = out.get(word, (0, 0))
        out[word] = mask | 1 << at, wanted | x.positive << at
    return out


def _words(count: int) -> str:
    return f"{count} word{'s' if count > 1 else ''}"

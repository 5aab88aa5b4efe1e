"""An instance of a specification as a Promela model, so that Spin explores the very same transition system.

    python bench/promela.py 3,2,2,2 > core.pml

Printed from the grounded actions that the native explorer starts from: one bit for each row that can ever vary, one
`d_step` for each action with its parameters, hence one state of Spin for each state of ours.  Spin is given that
constant rows are left out and quorums quantified away; what our engine deduces from there on, it is not given.
This file does not run Spin.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Mapping

from quorate.checker.instance import Instance, show
from quorate.checker.native.circuit import Circuit, Lit, Node
from quorate.checker.native.layout import WORD_BITS, Layout, lay_out
from quorate.checker.native.moves import Leaf, ground_moves
from quorate.checker.native.program import ground_properties
from quorate.checker.specification import Specification
from quorate.spec import multipaxos

SORTS = ("acceptor", "ballot", "slot", "value")
"""What the numbers of a model stand for."""


def core(model: str) -> tuple[Specification, Instance]:
    """The core specification and its instance of these sizes, as `3,2,2,2`.  Raises `ValueError`."""
    sizes: dict[str, int] = dict(zip(SORTS, map(int, model.split(",")), strict=True))
    spec = Specification.of(multipaxos)
    return spec, Instance.of(spec, sizes)


def promela(spec: Specification, instance: Instance, asserted: Collection[str] | None = None) -> str:
    """The model; it asserts after every step the properties named in `asserted`, or all there are."""
    layout, circuit = lay_out(spec, instance), Circuit()
    moves = ground_moves(spec, instance, layout, circuit)
    goals = [p for p in spec.properties if asserted is None or p.__name__ in asserted]
    claims = ground_properties(spec, instance, goals, layout, circuit)
    bit = [_name(i, *row) for i, row in enumerate(layout.rows)]
    read_late = {x for leaf in moves.leaves for x in _overwritten(leaf.becomes)}
    options = "\n".join(_option(moves.actions[leaf.action], leaf, bit) for leaf in moves.leaves)
    asserts = "".join(f"    assert({_text(holds, bit)}); /* {name} */\\\n" for name, holds in claims)
    return (
        f"/* {spec.name}: {instance} */\n\n"
        + "".join(f"bit {name} = {int(_first(layout, i))};\n" for i, name in enumerate(bit))
        + "".join(f"hidden byte was_{bit[i]};\n" for i in sorted(read_late))
        + f"\n#define CHECK \\\n{asserts}    skip\n"
        + f"\nactive proctype system() {{\n  do\n{options}\n  od\n}}\n"
    )


def _name(index: int, relation: str, row: tuple[object, ...]) -> str:
    """What a bit is called; the number keeps names apart from each other and from Promela's words."""
    return f"b{index}_{relation}_" + "_".join(re.sub(r"\W+", "_", show(x)).strip("_") for x in row)


def _first(layout: Layout, bit: int) -> bool:
    return bool(layout.first[bit // WORD_BITS] >> bit % WORD_BITS & 1)


def _option(action: str, leaf: Leaf, bit: list[str]) -> str:
    """One action with its parameters: a step that nothing can come between."""
    late = _overwritten(leaf.becomes)
    names = [f"was_{name}" if i in late else name for i, name in enumerate(bit)]
    steps = [f"was_{bit[i]} = {bit[i]}" for i in sorted(late)]
    steps += [f"{bit[i]} = {_text(value, names)}" for i, value in leaf.becomes.items()]
    said = f"{action}({', '.join(map(show, leaf.args))})"
    return f"  :: d_step {{ /* {said} */ {_text(leaf.guard, bit)} -> {'; '.join(steps)}; CHECK }}"


def _overwritten(becomes: Mapping[int, Node]) -> set[int]:
    """The bits that change and that another change reads: Promela assigns one after the other, a step all at once."""
    return {x for i, value in becomes.items() for x in _bits(value) if x != i and x in becomes}


def _bits(x: Node) -> Iterator[int]:
    if isinstance(x, Lit):
        yield x.bit
    elif not isinstance(x, bool):
        for part in x.parts:
            yield from _bits(part)


def _text(x: Node, bit: list[str]) -> str:
    """A formula over bits in Promela's syntax."""
    if isinstance(x, bool):
        return str(x).lower()
    if isinstance(x, Lit):
        return bit[x.bit] if x.positive else f"!{bit[x.bit]}"
    return "(" + (" && " if x.conjunction else " || ").join(_text(part, bit) for part in x.parts) + ")"


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.fullmatch(r"[1-9]\d*(,[1-9]\d*){3}", sys.argv[1]):
        sys.exit("promela: name one model by its numbers of acceptors, ballots, slots and values, as 3,2,2,2")
    sys.stdout.write(promela(*core(sys.argv[1])))

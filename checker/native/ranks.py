"""Whether all runs to a state are equally long, told by relations of which every step adds exactly one row.

Where that is so, a state can only be found again in the level in which it was found first, and a search need not
remember any other.  On the message-level specification every step adds one row to what was prepared, promised, proposed
or accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .layout import Layout
from .moves import Leaf, Moves

Added = Mapping[str, int]
"""How many rows of each relation a step adds for certain; relations in which it may do anything else are absent."""


def counting(moves: Moves, layout: Layout) -> tuple[str, ...] | None:
    """Relations whose rows, taken together, count the steps of every run; None if there are none.

    What is left of a leaf where it may have happened already (`moves.parted`) is not taken into account: a search has
    to see that it never leads on.
    """
    sure = [leaf for leaf in moves.leaves if leaf.always_new]
    counted = {(leaf.action, leaf.args) for leaf in sure}
    if any((leaf.action, leaf.args) not in counted for leaf in moves.leaves):
        return None
    added = [_added(leaf, layout) for leaf in sure]
    whole = {name for name, _ in layout.rows if all(name in each for each in added)}
    if not added:
        return None
    kinds = {tuple(sorted((name, each[name]) for name in whole if each[name])) for each in added}
    return cover([dict(kind) for kind in kinds], ())


def _added(leaf: Leaf, layout: Layout) -> Added:
    out = Counter(dict.fromkeys((name for name, _ in layout.rows), 0))
    for (bit, up), sure in leaf.flips.items():
        name = layout.rows[bit][0]
        if up and sure:
            if name in out:
                out[name] += 1
        else:
            out.pop(name, None)
    return out


def cover(kinds: Sequence[Added], chosen: tuple[str, ...]) -> tuple[str, ...] | None:
    """Relations, `chosen` among them, that count one for every kind of step."""
    counts = [sum(kind.get(name, 0) for name in chosen) for kind in kinds]
    if any(n > 1 for n in counts):
        return None
    missing = next((kind for kind, n in zip(kinds, counts, strict=True) if not n), None)
    if missing is None:
        return tuple(sorted(chosen))
    return next((found for name in missing if (found := cover(kinds, (*chosen, name)))), None)

"""Members of a sort whose order nobody vouches for: which is less than which is said pair by pair.

They are what an instance has where a total order was assumed, to show what goes wrong when it is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator


class Loose(str):
    """A member called by its name; less than exactly those that `above` names.

    Compares as a specification is read: `x <= y` says that y is not less than x.
    """

    above: Collection[str]

    def __new__(cls, name: str, above: Collection[str]) -> Loose:
        made = super().__new__(cls, name)
        made.above = above
        return made

    def __lt__(self, other: str) -> bool:
        return str(other) in self.above

    def __gt__(self, other: str) -> bool:
        return other < self

    def __le__(self, other: str) -> bool:
        return not other < self

    def __ge__(self, other: str) -> bool:
        return not self < other


def said_order(members: Collection[object]) -> Iterator[str]:
    """The order of loose members as a person reads it: `b1 < b2`, a pair each; nothing for any others."""
    for x in members:
        if isinstance(x, Loose):
            yield from (f"{x} < {y}" for y in members if str(y) in x.above)

"""An instance: how many members each sort has, and what they are called.

Every bound of a finite exploration stands here; a specification has none.  An instance is held to the axioms on
which the prover relies, so that what is explored and what is proved speak of the same things.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .language import Many, Sort, inhabited, item_of
from .specification import Specification, brief

MEMBERS_MAX = 10_000
SETS_MAX = 2_000
CHOICES_MAX = 2_000_000
"""Members of a sort, sets of a sort of sets, and ways to choose parameters or a row: beyond, nothing would be seen of a
search but that it takes all memory.  What axioms say is tried on all pairs of sets, so there may be fewer of them."""


class BadInstance(Exception):
    """An instance cannot be; the message is one line that says which sort, why, and what to do."""


@dataclass(frozen=True)
class Instance:
    """The members of every sort.  `with instance:` lets the specification's text run over them.

    Members of a plain sort are called by its initial, `a1 a2 a3`; of an ordered one, `1 2 3`; of a sort of sets,
    they are frozen sets of the others.  Raises `BadInstance` if a sort has no member, or one twice.
    """

    members: Mapping[type[Sort], tuple[Any, ...]]

    def __post_init__(self) -> None:
        for sort, members in self.members.items():
            if not members:
                raise BadInstance(f"{sort.__name__} has no members; a sort has at least one")
            if len(set(members)) < len(members):
                raise BadInstance(f"{sort.__name__} has a member twice; name each differently")

    @classmethod
    def of(cls, spec: Specification, sizes: Mapping[str, int] | None = None) -> Instance:
        """The instance of these sizes, by the sorts' names in lower case.

        Where nothing is said a sort has two members, and three if sets are made of it.  A sort of sets holds every
        set of k members; k is the size given, or else the smallest with which the axioms hold (majorities, if the
        axiom is that any two meet).  Raises `BadInstance`.
        """
        sizes = dict(sizes or {})
        known = {s.__name__.lower(): s for s in spec.sorts}
        for name, size in sizes.items():
            if name not in known:
                raise BadInstance(f"{name}={size}: {spec.name} has no sort {name}; it has {', '.join(known)}")
            if size < 1:
                raise BadInstance(f"{name}={size}: a sort has at least one member; use {name}=1 or more")
            if size > MEMBERS_MAX:
                raise BadInstance(
                    f"{name}={size}: a sort has at most {MEMBERS_MAX:,} members; a proof is for any number"
                )
        plain = [s for s in spec.sorts if not issubclass(s, Many)]
        many = [s for s in spec.sorts if issubclass(s, Many)]
        items = {item_of(s) for s in many}
        letters = initials(plain)
        members: dict[type[Sort], tuple[Any, ...]] = {}
        for sort in plain:
            size = sizes.get(sort.__name__.lower(), 3 if sort in items else 2)
            members[sort] = tuple(i if sort.ordered else f"{letters[sort]}{i}" for i in range(1, size + 1))
        return cls._with_sets(spec, members, many, sizes)

    @classmethod
    def _with_sets(
        cls,
        spec: Specification,
        members: Mapping[type[Sort], tuple[Any, ...]],
        many: Sequence[type[Sort]],
        sizes: Mapping[str, int],
    ) -> Instance:
        largest = max((len(members[item_of(s)]) for s in many), default=1)
        broken = ""
        for k in range(1, largest + 1):
            sets = {s: _sets(members[item_of(s)], sizes.get(s.__name__.lower(), k), s) for s in many}
            instance = cls({**members, **sets})
            broken = instance.broken_axiom(spec)
            if not broken:
                return instance
        asked = ", ".join(f"{name}={size}" for name, size in sizes.items()) or "the sizes given"
        raise BadInstance(f"{asked}: what {spec.name} assumes does not hold: {broken}; use other sizes")

    def broken_axiom(self, spec: Specification) -> str:
        """What an axiom says that does not hold here; empty if all hold."""
        with self.inhabited():
            return next((brief(f) for f in spec.assumes if not f()), "")

    @contextmanager
    def inhabited(self) -> Iterator[None]:
        """A context in which the specification's text runs over these members."""
        with inhabited(self.members):
            yield

    def arguments(self, sorts: Sequence[type[Sort]]) -> list[tuple[Any, ...]]:
        """Every way to give parameters of these sorts a value.  Raises `BadInstance` if there are too many."""
        if (count := math.prod(len(self.members[s]) for s in sorts)) > CHOICES_MAX:
            among = ", ".join(s.__name__ for s in sorts)
            raise BadInstance(
                f"{self}: there are {approximately(count)} ways to choose of {among}, and {CHOICES_MAX:,} at most "
                "can be looked at; use fewer members"
            )
        return list(itertools.product(*(self.members[s] for s in sorts)))

    def sizes(self) -> Mapping[str, int]:
        """How many members each plain sort has, by its name in lower case."""
        return {s.__name__.lower(): len(m) for s, m in self.members.items() if not issubclass(s, Many)}

    def __str__(self) -> str:
        return ", ".join(f"{name}={size}" for name, size in self.sizes().items())


def initials(sorts: Sequence[type[Sort]]) -> Mapping[type[Sort], str]:
    """A sort's initial, or its whole name where two sorts share the initial."""
    firsts = [s.__name__[0].lower() for s in sorts]
    return {s: f if firsts.count(f) == 1 else s.__name__.lower() for s, f in zip(sorts, firsts, strict=True)}


def _sets(items: Sequence[Any], k: int, sort: type[Sort]) -> tuple[frozenset[Any], ...]:
    name, item = sort.__name__.lower(), item_of(sort).__name__.lower()
    if k > len(items):
        raise BadInstance(
            f"{name}={k}: there are no sets of {k} among {len(items)}; give {name} at most {item}"
        )
    if (count := math.comb(len(items), k)) > SETS_MAX:
        raise BadInstance(
            f"{item}={len(items)}: {name} would have {approximately(count)} sets of {k}, and may have {SETS_MAX:,}; "
            f"give {item} fewer members"
        )
    return tuple(map(frozenset, itertools.combinations(items, k)))


def approximately(count: int) -> str:
    """A number in full if it can be read at a glance."""
    return f"{count:,}" if count < 10**12 else f"some 10^{len(str(count)) - 1}"


def show(value: object) -> str:
    """A member as a person reads it: `a1`, `2`, `{a1 a2}`."""
    if isinstance(value, frozenset):
        return "{" + " ".join(sorted(map(show, value), key=by_number)) + "}"
    return str(value)


def by_number(shown: str) -> tuple[int, str]:
    """Orders what is shown of members so that a2 comes before a10."""
    return len(shown), shown


def in_order(rows: frozenset[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of a relation as a person would list them."""
    return sorted(rows, key=lambda row: tuple(x if isinstance(x, int) else show(x) for x in row))


def plain(value: object) -> Any:
    """A member or a row as JSON has it; a set of members is a sorted list."""
    if isinstance(value, frozenset):
        return sorted(map(plain, value))
    return [plain(x) for x in value] if isinstance(value, tuple) else value

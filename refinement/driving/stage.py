"""A cluster in the middle of a run: its players, and every message that they ever sent.

Nothing is ever lost on the stage, and nothing arrives by itself: a message is there to be delivered, once, often, late
or never, as in the specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from ...checker.instance import Instance
from ...impl.core.messages import Accept, Accepted, Message, Prepare, Promise
from ...spec import sorts
from ..mapping import Action
from .cast import Cast
from .player import Part, Player
from .view import Fact, Facts

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, eq=False)
class Stage:
    """The players by name; `came` tells how the stage came to be so."""

    cast: Cast
    players: Mapping[str, Player]
    came: tuple[Stage, Action] | None = None

    @classmethod
    def first(cls, instance: Instance, cast: Cast) -> Stage:
        """Every node is up, for the first time."""
        quorum = len(instance.members[sorts.Quorum][0])
        parts = (Part(cast, a, quorum) for a in cast.acceptors)
        return cls(cast, {part.node: Player.first(part) for part in parts})

    def but(self, player: Player, action: Action) -> Stage:
        """One player has gone on, which is what the action stands for."""
        return Stage(self.cast, {**self.players, player.part.node: player}, (self, action))

    def owner(self, b: int) -> Player:
        """Whose ballot it is."""
        return self.players[self.cast.owners[b - 1]]

    def filled(self, b: int) -> int:
        """The last position of the log in which a ballot proposed, or which its owner knows to be chosen."""
        owner = self.owner(b)
        proposed = [self.cast.slot(row[0]) for name, row in owner.said if name == "proposed" and row[1] == b]
        return max(owner.status.committed, *proposed, 0)

    @cached_property
    def facts(self) -> Facts:
        """How the specification sees it: the rows of its state."""
        return frozenset[Fact]().union(*[player.rows for player in self.players.values()])

    @property
    def key(self) -> tuple[int, ...]:
        """Who is on it: stages of the same players are the same."""
        return tuple([id(player) for player in self.players.values()])

    def way(self) -> list[Action]:
        """The actions that led here."""
        out: list[Action] = []
        at = self
        while at.came is not None:
            at, action = at.came
            out.append(action)
        return out[::-1]

    # Messages under way ------------------------------------------------------------------

    def prepares(self, b: int) -> Iterator[Prepare]:
        """What the owner of a ballot asks everybody for."""
        ballot = self.cast.ballot(b)
        return (m for m in said(self.owner(b), Prepare) if m.ballot == ballot)

    def promises(self, a: str, b: int) -> Iterator[Promise]:
        """What an acceptor promised."""
        ballot = self.cast.ballot(b)
        return (m for m in said(self.players[a], Promise) if m.ballot == ballot)

    def accepts(self, s: str, b: int, v: str) -> Iterator[Accept]:
        """What the owner of a ballot proposes in a slot."""
        ballot, entry = self.cast.ballot(b), self.cast.entry(s, v)
        return (m for m in said(self.owner(b), Accept) if m.ballot == ballot and entry in m.entries)

    def accepted(self, b: int) -> Iterator[Accepted]:
        """What everybody but the owner says to have accepted in a ballot."""
        ballot = self.cast.ballot(b)
        for player in self.players.values():
            if player.part.node != ballot.node:
                yield from (m for m in said(player, Accepted) if m.ballot == ballot)


def said(player: Player, kind: type[M], to: str | None = None) -> Iterator[M]:
    """The messages of a kind that a player ever sent: to anybody, or to this node."""
    return (
        sent.message
        for sent in player.sent
        if isinstance(sent.message, kind) and (to is None or to in sent.to)
    )

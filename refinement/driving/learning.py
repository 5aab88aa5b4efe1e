"""What a leader makes of the acceptances that it hears of, held against what the specification calls chosen.

To know is no action, so no edge asks for it.  Here a leader hears everything that was said in its ballot: what it then
commits must be chosen, and what was chosen in its ballot it must commit.
"""

from __future__ import annotations

from typing import Any

from ...impl.core.messages import Accepted
from ...spec import multipaxos
from ...spec.multipaxos import MultiPaxos
from ...spec.sorts import Ballot, Slot, Value
from .player import Player
from .rumour import quiet
from .stage import Stage
from .view import Entries


class Lessons:
    """What leaders commit, each time that they hear all there is."""

    def __init__(self) -> None:
        self._known: dict[tuple[Player, tuple[Accepted, ...]], Entries] = {}

    def misjudged(self, stage: Stage, chosen: Chosen) -> str:
        """What a leader commits though it is not chosen, or does not commit though it is; empty if nothing.

        Nothing is asked of a replica that does not lead, or waits for its disk.
        """
        for node, player in stage.players.items():
            if wrong := player.commits - chosen.anywhere:
                return f"{node} takes for chosen {_told(wrong)}, which is not"
        for b, entries in chosen.here.items():
            leader = stage.owner(b)
            if leader.is_busy or leader.status.role != "leader" or not leader.is_for(stage.cast.ballot(b)):
                continue
            known = self._committed(leader, tuple(stage.accepted(b)))
            if wrong := known - chosen.anywhere:
                return f"{leader.part.node} takes for chosen {_told(wrong)}, which is not"
            if missing := entries - known:
                return f"{leader.part.node} does not take for chosen {_told(missing)}, which it heard is"
        return ""

    def _committed(self, leader: Player, heard: tuple[Accepted, ...]) -> Entries:
        known = self._known.get((leader, heard))
        if known is None:
            known = self._known[leader, heard] = committed(leader, heard)
        return known


class Chosen:
    """What is chosen in a state: at all, and in each ballot in which somebody accepted something."""

    def __init__(self, now: MultiPaxos) -> None:
        self.anywhere = chosen_in(now)
        self.here: dict[Any, Entries] = {
            b: chosen_in(now.but(accepted=rows))
            for b in Ballot
            if (rows := [row for row in now.accepted if row[2] == b])
        }
        self.decided = [b for b, entries in self.here.items() if entries]


def chosen_in(now: MultiPaxos) -> Entries:
    """By the specification's own word."""
    return frozenset([(s, v) for s in Slot for v in Value if multipaxos.chosen(now, s, v)])


def committed(leader: Player, heard: tuple[Accepted, ...]) -> Entries:
    """What a leader takes for chosen once it heard all this."""
    for message in heard:
        leader = quiet(leader.hear(message))
    return leader.commits


def _told(entries: Entries) -> str:
    return ", ".join(f"{v} in {s}" for s, v in sorted(entries))

"""One replica on the stage, with a disk and a caller: what it was given, what it said, what a restart would find.

A player never changes: what happens to one makes another.  A replica shares nothing with others, and the same events
give the same effects; so each history is played once, by the real replica, and remembered.  A replica is cloned by
giving its events to a new one.

The caller does its duties (`impl.core.replica`) as late as it may: a write waits to be synced, and of what was handed
out, what was not carried out yet waits as well.  A crash loses both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import msgspec

from ...impl.core.config import Config
from ...impl.core.effects import Effect, Line, Persist, Sent
from ...impl.core.events import Event, Persisted, Received, Start, Submitted, Tick
from ...impl.core.messages import AnyMessage, Ballot, Value
from ...impl.core.records import Record, Recovered, recover
from ...impl.core.replica import Replica, Status
from ...impl.core.traced import as_traced
from ...traces import events as traced
from ...traces.schema import decode_line
from ..mapping import Action, Quorum
from .cast import Cast
from .view import Entries, Facts, acts, commits, rests_on, says

Known: TypeAlias = dict[Any, "Player"]

PATIENCE_MS = 1000
"""Longer than any replica on the stage waits for a leader: what they draw is 0."""


class FellOver(Exception):
    """A replica raised something at an event that may happen to any."""


@dataclass(frozen=True)
class Part:
    """What stays the same through all lives of one node: its name, its constants, and the cast."""

    cast: Cast
    node: str
    quorum: int

    def config(self, boot: int) -> Config:
        """One entry a message, so that messages and actions are one to one; nobody is asked before a ballot is
        opened."""
        return Config(
            node=self.node,
            nodes=self.cast.acceptors,
            boot=boot,
            phase1=self.quorum,
            phase2=self.quorum,
            canvass=False,
            batch_entries_max=1,
            election_ms_max=PATIENCE_MS,
            checkpoint_entries=0,
        )


@dataclass(frozen=True, eq=False)
class Player:
    """A node in the middle of its boot; players that differ in anything are different objects, equal ones the same."""

    part: Part
    boot: int
    start: Recovered
    """What this boot began with."""
    events: tuple[Event, ...]
    status: Status
    disk: tuple[Record, ...]
    unsynced: tuple[Persist, ...] = ()
    todo: tuple[Effect, ...] = ()
    """What was handed out and is not carried out yet, in order."""
    seq: int = 0
    sent: tuple[Sent, ...] = ()
    said: Facts = frozenset()
    """The rows that the messages sent so far stand for."""
    leads: Mapping[Ballot, Quorum] = field(default_factory=dict)
    """On which quorum each ballot rests in which it led."""
    commits: Entries = frozenset()
    """What it knows to be chosen, by slot and value: what its commit lines in this boot say."""
    acts: tuple[Action, ...] = ()
    """What the line that was carried out last stands for."""

    @classmethod
    def first(cls, part: Part) -> Player:
        """A node that comes up for the first time."""
        return cls._booted(part, 1, Recovered(), (), (), frozenset())

    @classmethod
    def _booted(
        cls,
        part: Part,
        boot: int,
        start: Recovered,
        disk: tuple[Record, ...],
        sent: tuple[Sent, ...],
        said: Facts,
    ) -> Player:
        replica = Replica(part.config(boot), start)
        begin = Start(now_ms=0, draw=0.0)
        effects = replica.step(begin)
        player = cls(
            part,
            boot,
            start,
            (begin,),
            replica.status(),
            disk,
            todo=tuple(effects),
            sent=sent,
            said=said,
        )
        return player.carry()

    # What may happen to it ---------------------------------------------------------------

    def give(self, event: Event) -> Player:
        """It takes an event."""
        return self._next.get(event) or self._remember(event, self._stepped(event))

    def hear(self, message: AnyMessage) -> Player:
        """It receives a message."""
        return self.give(Received(message))

    def submit(self, *values: Value) -> Player:
        """Clients give it commands."""
        ticket = 100 * len(self.events)
        return self.give(Submitted(tuple((ticket + i, value) for i, value in enumerate(values))))

    def lose_patience(self) -> Player:
        """Time passes in which it hears of nobody."""
        now_ms = max((e.now_ms for e in self.events if isinstance(e, Tick)), default=0)
        return self.give(Tick(now_ms + PATIENCE_MS, draw=0.0))

    def sync(self) -> Player:
        """The oldest write is on the disk, and it is told so."""
        return self._next.get("sync") or self._remember("sync", self._synced())

    def carry(self) -> Player:
        """The next effect is carried out: a line is written, and its messages leave."""
        return self._next.get("carry") or self._remember("carry", self._carried())

    def crash(self) -> Player:
        """It loses whatever is not on the disk, and comes up again."""
        return self._next.get("crash") or self._remember("crash", self._crashed())

    def _stepped(self, event: Event) -> Player:
        replica = Replica(self.part.config(self.boot), self.start)
        for past in self.events:
            replica.step(past)
        try:
            effects = replica.step(event)
        except Exception as error:
            raise FellOver(f"a replica raises {type(error).__name__}: {error}") from error
        asked = tuple([e for e in effects if isinstance(e, Persist)])
        others = tuple([e for e in effects if not isinstance(e, Persist)])
        return replace(
            self,
            events=(*self.events, event),
            status=replica.status(),
            unsynced=self.unsynced + asked,
            todo=self.todo + others,
            acts=(),
        )

    def _synced(self) -> Player:
        oldest = self.unsynced[0]
        on_disk = replace(self, unsynced=self.unsynced[1:], disk=self.disk + oldest.records)
        return on_disk._stepped(Persisted(oldest.number))

    def _carried(self) -> Player:
        effect, rest = self.todo[0], self.todo[1:]
        if not isinstance(effect, Line):
            return replace(self, todo=rest, acts=())
        line = read_back(effect, self.part.node, self.boot, self.seq + 1)
        leads = self.leads
        if isinstance(line, traced.Lead):
            leads = {**leads, Ballot(*line.ballot): frozenset(line.quorum)}
        return replace(
            self,
            todo=rest,
            seq=self.seq + 1,
            sent=self.sent + effect.send,
            said=self.said | says(self.part.cast, line),
            leads=leads,
            commits=self.commits | commits(self.part.cast, line),
            acts=acts(self.part.cast, line, leads),
        )

    def _crashed(self) -> Player:
        recovered = recover(self.disk)
        return self._booted(self.part, self.boot + 1, recovered, self.disk, self.sent, self.said)

    # What is seen of it ------------------------------------------------------------------

    @cached_property
    def rows(self) -> Facts:
        """All that it said, and all that a restart would find."""
        return self.said | rests_on(self.part.cast, self.part.node, recover(self.disk))

    @property
    def is_busy(self) -> bool:
        """Does anything wait to be written or carried out?"""
        return bool(self.todo or self.unsynced)

    @cached_property
    def opened(self) -> Ballot | None:
        """The highest ballot that it opened."""
        return recover((*self.disk, *(r for persist in self.unsynced for r in persist.records))).ballot_used

    def is_for(self, ballot: Ballot) -> bool:
        """Is it the candidate or the leader of this ballot?"""
        return self.status.role != "follower" and self.opened == ballot

    # What is remembered ------------------------------------------------------------------

    @cached_property
    def _next(self) -> Known:
        return {}

    def _remember(self, what: Any, player: Player) -> Player:
        return self._next.setdefault(what, player)


def read_back(line: Line, node: str, boot: int, seq: int) -> traced.AnyLine:
    """A line as whoever reads the trace has it: written down, and read back."""
    numbers = {"v": traced.VERSION, "node": node, "boot": boot, "seq": seq}
    return decode_line(msgspec.json.encode(numbers | msgspec.to_builtins(as_traced(line))))

"""What is done to a replica so that it takes an action of the specification, and what it makes of it.

This file knows events, not guards.  It says what the world must do: deliver a message, let time pass, finish a write,
submit a command.  Whether the action may happen is for the specification to say, and what came of it is read off the
lines that the replica wrote.

A replica that waits for its disk can be given nothing that its next line must not follow; so it crashes first, which
loses what waits.  There may be several ways to come to the same action, after which a replica can do different things
next: each is an attempt of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from msgspec import UnsetType

from ...checker.instance import Instance
from ...impl.core.effects import Line
from ...impl.core.messages import NOOP, AnyMessage
from ...impl.core.records import AcceptRecord, PromiseRecord, Record
from ...spec import sorts
from ..mapping import Action, Quorum
from .player import Player
from .stage import Stage

ACTS = ("prepare", "promise", "propose", "accept")
"""The lines that stand for actions."""


class Attempt(NamedTuple):
    """What one player did: the actions that its lines stand for, and the player as it is then."""

    player: Player
    acts: tuple[Action, ...]


class Script:
    """How to have each action of an instance played."""

    def __init__(self, instance: Instance) -> None:
        self._quorums: tuple[Quorum, ...] = instance.members[sorts.Quorum]
        self._values: tuple[str, ...] = instance.members[sorts.Value]
        self._played: Mapping[str, Callable[..., Iterator[Attempt]]] = {
            "prepare": self.prepare,
            "promise": self.promise,
            "propose": self.propose,
            "accept": self.accept,
        }

    def attempts(self, stage: Stage, action: Action) -> Iterator[Attempt]:
        """Every way to have an action played here; none if there is nobody who could, or no message that asks for
        it."""
        name, args = action
        return self._played[name](stage, *args)

    def messages(self, stage: Stage, action: Action) -> Iterator[tuple[Player, AnyMessage]]:
        """The messages under way that ask an acceptor for an action, each with who receives it.  The owner of a ballot
        is asked by none."""
        name, args = action
        a, b = args[0], args[1] if name == "promise" else args[2]
        if a != stage.cast.ballot(b).node:
            receiver = stage.players[a]
            found = stage.prepares(b) if name == "promise" else stage.accepts(*args[1:])
            yield from ((receiver, message) for message in found)

    # Phase 1 -----------------------------------------------------------------------------

    def prepare(self, stage: Stage, b: int) -> Iterator[Attempt]:
        """The owner hears of nobody until it opens a ballot.  A round below that it opens and crashes before anybody
        hears of it."""
        ballot, player = stage.cast.ballot(b), stage.owner(b)
        if player.is_busy or player.status.role == "leader":
            player = player.crash()
        for _ in range(ballot.round):
            player = player.lose_patience()
            opened = player.opened
            if not player.unsynced or opened is None or opened > ballot:
                return
            if opened == ballot:
                yield performed(player)
                return
            player = player.sync().crash()

    def promise(self, stage: Stage, a: str, b: int) -> Iterator[Attempt]:
        """The acceptor receives the prepare; the owner finishes a write."""
        ballot, player = stage.cast.ballot(b), stage.players[a]
        yield from (asked(*met) for met in self.messages(stage, ("promise", (a, b))))
        if a == ballot.node and is_due(player, PromiseRecord(ballot)):
            yield performed(player)
            for q in self._quorums:
                if a not in q and all(any(stage.promises(other, b)) for other in q):
                    yield performed(told_promises(stage, player, q, b))

    # Phase 2 -----------------------------------------------------------------------------

    def propose(self, stage: Stage, q: Quorum, s: str, b: int, v: str) -> Iterator[Attempt]:
        """The owner receives the promises of the quorum, if it does not lead yet, and a client's command, if no
        proposal waits to leave.  The client may have sent more, for the slots that follow."""
        player = stage.owner(b)
        ballot = stage.cast.ballot(b)
        if not player.is_for(ballot):
            return
        if not player.is_busy and player.status.role == "candidate":
            if ballot.node not in q:
                return
            player = told_promises(stage, player, q, b)
        elif player.leads.get(ballot) != q:
            return
        if player.todo:
            player, _ = performed(player, acts_max=0)
            if player.todo:
                yield from performed_inside(player)
                return
        if not player.unsynced and not stage.cast.is_noop(v):
            commands = [w for w in self._values if not stage.cast.is_noop(w)]
            for count in range(max(1, len(stage.cast.slots) - stage.filled(b))):
                for more in itertools.product(commands, repeat=count):
                    sent = [stage.cast.values[w] for w in (v, *more)]
                    yield from performed_inside(player.submit(*sent))

    def accept(self, stage: Stage, a: str, s: str, b: int, v: str) -> Iterator[Attempt]:
        """The acceptor receives the proposal; the owner finishes a write."""
        ballot, player = stage.cast.ballot(b), stage.players[a]
        yield from (asked(*met) for met in self.messages(stage, ("accept", (a, s, b, v))))
        if a == ballot.node and is_due(player, AcceptRecord(ballot, (stage.cast.entry(s, v),))):
            yield performed(player)


# How it is played --------------------------------------------------------------------------


def asked(player: Player, message: AnyMessage) -> Attempt:
    """A message arrives where nothing waits."""
    return performed((player.crash() if player.is_busy else player).hear(message))


def told_promises(stage: Stage, player: Player, q: Quorum, b: int) -> Player:
    """The promises of a quorum arrive, as far as they were sent."""
    for a in sorted(q - {player.part.node}):
        for message in itertools.islice(stage.promises(a, b), 1):
            player = player.hear(message)
    return player


def is_due(player: Player, record: Record) -> bool:
    """Is this what the disk writes next, with nothing to be said before?"""
    return not player.todo and bool(player.unsynced) and player.unsynced[0].records == (record,)


def performed(player: Player, acts_max: int = 1) -> Attempt:
    """Writes are synced and effects carried out until a line stood for an action, and on to the next that does."""
    acts: tuple[Action, ...] = ()
    while True:
        while player.todo and (len(acts) < acts_max or not is_act(player)):
            player = player.carry()
            acts += player.acts
        if len(acts) >= acts_max or not player.unsynced:
            return Attempt(player, acts)
        player = player.sync()


def is_act(player: Player) -> bool:
    """Does the next thing to be carried out stand for an action?"""
    effect = player.todo[0]
    return isinstance(effect, Line) and effect.event in ACTS


def performed_inside(player: Player) -> Iterator[Attempt]:
    """What is performed, unless it is to propose what the instance does not have: a no-op, or beyond its last slot."""
    cast, effect = player.part.cast, player.todo[0] if player.todo else None
    entries = effect.entries if isinstance(effect, Line) and effect.event == "propose" else ()
    if isinstance(entries, UnsetType) or all(
        s <= len(cast.slots) and (v != NOOP or NOOP in cast.values.values()) for s, v in entries
    ):
        yield performed(player)

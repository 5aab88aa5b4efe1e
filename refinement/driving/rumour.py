"""How it gets about what is chosen: the leader hears of acceptances and tells, and who missed something asks.

None of it is an action of the specification, so the stage stands for the same state afterwards.  But who leads next
begins behind what it knows to be chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...impl.core.events import Announce
from ...impl.core.messages import Ask, Heartbeat, Learn
from .player import Player
from .stage import M, Stage, said


def spread(stage: Stage, b: int) -> Stage:
    """The stage once the leader of a ballot, if it leads and waits for nothing, has told everybody who listens."""
    leader = stage.owner(b)
    if leader.is_busy or leader.status.role != "leader" or not leader.is_for(stage.cast.ballot(b)):
        return stage
    players = dict(stage.players)
    for message in stage.accepted(b):
        leader = quiet(leader.hear(message))
    leader = quiet(leader.give(Announce()))
    for name, player in stage.players.items():
        if name != leader.part.node and not player.is_busy:
            for beat in last(leader, player, Heartbeat):
                player = quiet(player.hear(beat))
            for ask in last(player, leader, Ask):
                leader = quiet(leader.hear(ask))
            for answer in last(leader, player, Learn):
                player = quiet(player.hear(answer))
            players[name] = player
    players[leader.part.node] = leader
    return replace(stage, players=players)


def quiet(player: Player) -> Player:
    """All that is to do is carried out."""
    while player.todo:
        player = player.carry()
    return player


def last(sender: Player, receiver: Player, kind: type[M]) -> Iterator[M]:
    """The last message of a kind that one sent to the other, if there is one."""
    yield from list(said(sender, kind, receiver.part.node))[-1:]

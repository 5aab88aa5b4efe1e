"""What a replica must do with what the specification refuses: nothing that lasts.

Nothing new is written to its disk, and no line stands for an action.  It may answer, and does.
"""

from __future__ import annotations

from ...impl.core.messages import AnyMessage
from .player import Player
from .script import performed


class Refusals:
    """Held against a replica: what each player made of each message is found out once."""

    def __init__(self) -> None:
        self._unmoved: set[tuple[Player, AnyMessage]] = set()
        self._reopened: set[Player] = set()

    def moved(self, player: Player, message: AnyMessage) -> str:
        """What changes, for good, when a message arrives; empty if nothing does."""
        if (player, message) in self._unmoved:
            return ""
        what = moved(player, message)
        if not what:
            self._unmoved.add((player, message))
        return what

    def opened_again(self, player: Player) -> str:
        """Whether, after a restart, it opens a ballot that it opened before, or one below."""
        before = player.opened
        if before is None or player in self._reopened:
            return ""
        after = player.crash().lose_patience()
        again = after.opened
        if after.unsynced and (again is None or again <= before):
            return f"{player.part.node} had opened {before}, and after a restart it opens {again}"
        self._reopened.add(player)
        return ""


def moved(player: Player, message: AnyMessage) -> str:
    """What changes, for good, when a message arrives; empty if nothing does."""
    after = player.hear(message)
    if new := after.unsynced[len(player.unsynced) :]:
        return f"it writes {new[0].records[0]}"
    if player.is_busy:
        return ""
    after, acts = performed(after)
    if after.rows != player.rows:
        return f"{acts[0][0] if acts else 'its answer'} changes what it has said or on its disk"
    return ""

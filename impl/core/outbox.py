"""Persist before you speak: effects leave in order, and what follows a persist leaves when it is durable.

It does not know what a promise or an acceptance is, only that some lines come *after* some records.

Effects form one queue. `Persist` is handed out at once, so that a caller can gather many into one sync; every
other effect behind it stays here until the caller acknowledges it. A caller cannot speak too early, for it
does not yet have what it would say. Keeping
the whole order, rather than letting unrelated effects overtake, makes the order of the trace the order of the
steps.
"""

from collections import deque

from .effects import Effect, Line, Persist
from .errors import CallerError
from .messages import AnyMessage, MessageId
from .records import Record


class Outbox:
    """The effects of one boot of one node, in order."""

    def __init__(self, node: str, boot: int) -> None:
        self._node = node
        self._boot = boot
        self._messages = 0
        self._issued = 0
        self._ready: list[Effect] = []
        self._held: deque[Effect] = deque()
        """Empty, or a persist that is not acknowledged and all that came after it, later persists
        included."""

    @property
    def is_clear(self) -> bool:
        """Does nothing wait for the disk?"""
        return not self._held

    def next_id(self) -> MessageId:
        """The id of the next message; the line that sends it must be the next to be emitted."""
        self._messages += 1
        return MessageId(self._node, self._boot, self._messages)

    def emit(self, effect: Effect, after: Record | None = None) -> None:
        """Queue `effect`; given a record, only once that is durable."""
        if after is not None:
            self.persist(after)
        if self._held:
            self._held.append(effect)
        else:
            self._ready.append(effect)

    def persist(self, record: Record) -> None:
        """Ask for `record` to be made durable; whatever is emitted from here on waits for it."""
        self._issued += 1
        persist = Persist(self._issued, (record,))
        self._ready.append(persist)
        self._held.append(persist)

    def acknowledge(self, number: int) -> list[AnyMessage]:
        """Release what waited for persists up to `number`; return what this node thereby says to itself.

        Raises `CallerError` when that persist was never issued; acknowledging one twice changes nothing.
        """
        if number > self._issued:
            raise CallerError(
                f"Persisted({number}): only {self._issued} were issued; acknowledge what was handed out"
            )
        to_itself: list[AnyMessage] = []
        while self._held:
            effect = self._held[0]
            if isinstance(effect, Persist):
                if effect.number > number:
                    break
            else:
                self._ready.append(effect)
                if isinstance(effect, Line):
                    to_itself += [sent.message for sent in effect.send if sent.to == (self._node,)]
            self._held.popleft()
        return to_itself

    def take(self) -> list[Effect]:
        """What may be carried out now, handed over once."""
        ready, self._ready = self._ready, []
        return ready

"""What a new leader owes the past: the values that the reports of its quorum force upon it.

It does not know ballots of its own, messages or time: it is a function.
"""

from collections.abc import Iterable

from .messages import NOOP, Ballot, Index, Promise, Slot, Value


def reconciled(promises: Iterable[Promise], committed: Index) -> list[Value]:
    """What must be proposed in the slots after `committed`, one by one, up to the last reported one.

    In each slot the value reported with the highest ballot, for it may be chosen, even when a single acceptor
    reports it; a no-op where nobody in the quorum reports anything. `spec.multipaxos.propose` says it in two
    words, forced and free, and is where it is proved.
    """
    highest: dict[Slot, tuple[Ballot, Value]] = {}
    for promise in promises:
        for slot, ballot, value in promise.accepted:
            if slot > committed and (slot not in highest or ballot > highest[slot][0]):
                highest[slot] = (ballot, value)
    last = max(highest, default=committed)
    return [highest[slot][1] if slot in highest else NOOP for slot in range(committed + 1, last + 1)]

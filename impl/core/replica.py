"""One node of the cluster, without the world: give it events, carry out the effects it returns.

It does not know clocks, disks, sockets, threads or clients; the same events in the same order give the same
effects, always.

The caller's duties
-------------------
1.  Build it from what is durable: `Replica(config, recovered)`, with `config.boot` greater than in every
    earlier life of the node, and `recovered` all that was ever acknowledged with `Persisted`
    (`records.recover`).
2.  `step(Start(...))` first and once. Then, one at a time and never from two threads, an event for whatever
    happens.
3.  Carry out the effects in the order in which they were returned, those of an earlier step before those of
    a later.
4.  `Persist`: append its records to the durable log in order. When they are synced,
    `step(Persisted(number))`. Steps may go on meanwhile: gather many `Persist` into one sync and acknowledge
    the last. Should a write or a sync fail, stop for good: what is on the disk is unknown.
5.  `Line`: write it to the trace (if one is kept), then send each of its messages to the nodes in `to`,
    skipping yourself. Losing a message is allowed, altering one is not. *Nothing needs to be held back*:
    what a promise or an acceptance justifies is not returned before its `Persist` was acknowledged.
6.  `Apply`: hand the entries to the state machine, then answer the clients whose tickets are named.
7.  `Refuse`: tell those clients to try again. Every ticket given is answered by exactly one of 6 and 7,
    unless the node crashes first: a client that hears nothing tries again as well.
8.  `step(Tick(...))` a few times per `heartbeat_ms`, with fresh randomness. Late ticks cost speed, never
    safety.
9.  `step(Stop())` to end; go on with 3 and 4 until the `stop` line comes. A crash needs no goodbye.
"""

from .config import Config
from .effects import Effect
from .events import Event
from .records import Recovered


class Replica:
    """Proposer, acceptor and learner of one node, in one deterministic object."""

    def __init__(self, config: Config, recovered: Recovered) -> None:
        self.config = config

    def step(self, event: Event) -> list[Effect]:
        """Take one event and return what to do about it, in order.

        Raises `CallerError` when a duty was broken and `PeerError` when a message is one that no correct peer
        sends (the state is then as before), and `BrokenAgreement` when all is lost.
        """
        raise NotImplementedError

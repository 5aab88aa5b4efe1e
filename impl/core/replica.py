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
7.  `Refuse`: tell those clients to try again. Every ticket given is answered by exactly one of 6, 7 and
    `Readable` (the state machine that has applied so much may answer those reads), unless the node crashes first:
    a client that hears nothing tries again as well.
8.  `step(Tick(...))` a few times per `heartbeat_ms`, with fresh randomness. Late ticks cost speed, never
    safety.
9.  `Checkpoint`: copy the state machine at once, write the copy at leisure, say `Checkpointed` when it is durable.
    `Truncate`: let go of the log below. `ReadPiece`, `KeepPiece`: a bounded piece of a checkpoint from or to the
    disk. `Install`: make what came durable, say `Installed`; then `Restore`: let the state machine be that one.
    What comes to nothing is `Abandoned`. A node that starts from a checkpoint is given its slot (`Recovered.low`)
    and a state machine that stands there.
10. `step(Stop())` to end; go on with 3 and 4 until the `stop` line comes. A crash needs no goodbye.
"""

from typing import Final, Literal, TypeAlias, assert_never

import msgspec
from msgspec import UNSET

from .acceptor import Acceptor
from .checkpointer import Checkpointer
from .clock import Clock
from .config import Config
from .effects import Apply, Effect, Line, Refuse, Sent
from .election import Candidacy, Election
from .errors import CallerError
from .events import (
    Abandoned,
    Announce,
    Asked,
    Checkpointed,
    Event,
    Installed,
    Persisted,
    PieceRead,
    Received,
    Start,
    Stop,
    Submitted,
    Tick,
    Transfer,
)
from .leader import Leadership
from .learner import Claim, Learner
from .manners import check
from .messages import (
    NOOP,
    Accept,
    Accepted,
    AnyMessage,
    Ask,
    Ballot,
    Canvass,
    Confirm,
    Confirmed,
    Entry,
    Fetch,
    Handover,
    Heartbeat,
    Index,
    Learn,
    Nack,
    Prepare,
    Promise,
    Snapshot,
    Support,
)
from .outbox import Outbox
from .reconciliation import reconciled
from .records import Recovered, check_recovered

Role: TypeAlias = Literal["follower", "candidate", "leader"]

FULL: Final = "the log is full"
"""Why an acceptance is not given."""

LOG_SLACK: Final = 2
"""A log holds so many times `log_bytes_max` at most, and what lies below its end: so much a peer must take at once."""


class Status(msgspec.Struct, frozen=True):
    """How a replica sees itself: for people, and for clients in search of the leader."""

    role: Role
    leader: str | None
    promised: Ballot | None
    """The highest ballot that this node joined."""
    committed: Index
    """Every slot up to it is known to be chosen, and applied."""
    inherited: Index = 0
    """Of a leader: it answers nobody before so much is committed, for its predecessors may have committed it."""


class Replica:
    """Proposer, acceptor and learner of one node, in one deterministic object.

    Raises `CallerError` when `recovered` cannot be this node's.
    """

    def __init__(self, config: Config, recovered: Recovered) -> None:
        check_recovered(config.node, recovered)
        self.config: Final = config
        self._recovered: Recovered | None = recovered
        """What the start line tells; None once it is told."""
        self._stopped = False
        self._clock = Clock()
        self._outbox = Outbox(config.node, config.boot)
        self._acceptor = Acceptor(recovered, self._outbox)
        self._learner = Learner(config, recovered.low, self._clock, self._outbox)
        self._checkpointer = Checkpointer(config, self._acceptor, self._learner, self._clock, self._outbox)
        self._election = Election(
            config, recovered.ballot_used, self._acceptor, self._learner, self._clock, self._outbox
        )
        self._leadership: Leadership | None = None
        """What this node does as the leader, while it is."""
        self._leader: str | None = None
        """Who leads, as far as this node knows."""
        self._peers = frozenset(config.peers)

    def step(self, event: Event) -> list[Effect]:
        """Take one event and return what to do about it, in order.

        Raises `CallerError` when a duty was broken and `PeerError` when a message is one that no correct peer
        sends (the state is then as before), and `BrokenAgreement` when all is lost.
        """
        if self._recovered is not None or self._stopped:
            self._check_life(event)
        if isinstance(event, Received):
            self._receive(event.message)
        elif isinstance(event, Persisted):
            self._persisted(event)
        elif isinstance(event, Submitted):
            self._submit(event)
        elif isinstance(event, Asked):
            self._ask(event)
        elif isinstance(event, Announce):
            self._announce()
        elif isinstance(event, Tick):
            self._tick(event)
        elif isinstance(event, Transfer):
            self._transfer(event)
        elif isinstance(event, Start):
            self._start(event)
        elif isinstance(event, Checkpointed | Abandoned | PieceRead | Installed):
            self._checkpoint(event)
        elif isinstance(event, Stop):
            self._stop()
        else:
            assert_never(event)
        return self._outbox.take()

    @property
    def is_ready(self) -> bool:
        """Does it lead, and would a request be proposed at once? Requests had better gather until then."""
        return self._leadership is not None and self._leadership.is_ready

    @property
    def room(self) -> int:
        """How many requests it would take now; 0 while it does not lead."""
        leadership = self._leadership
        if leadership is None or leadership.is_full:
            return 0
        return max(0, self.config.backlog_entries_max - leadership.waiting)

    def status(self) -> Status:
        """How things stand, as far as this node knows."""
        role: Role = "leader" if self._leadership else "candidate" if self._election.candidacy else "follower"
        inherited = 0 if self._leadership is None else self._leadership.inherited
        return Status(role, self._leader, self._acceptor.promised, self._learner.committed, inherited)

    # A life ------------------------------------------------------------------------------

    def _check_life(self, event: Event) -> None:
        if self._stopped and not isinstance(event, Persisted):
            raise CallerError(
                f"{type(event).__name__}: the replica is stopped; give it nothing but Persisted"
            )
        if self._recovered is not None and not isinstance(event, Start):
            raise CallerError(f"{type(event).__name__}: the replica is not started; give it Start first")

    def _start(self, event: Start) -> None:
        recovered = self._recovered
        if recovered is None:
            raise CallerError("Start: the replica is started already; make a new one for a new boot")
        self._clock.advance(event.now_ms, event.draw)
        self._recovered = None
        self._election.hear_leader()  # none was heard, but one may live: a newcomer listens first
        self._election.wait()
        config = self.config
        self._outbox.emit(
            Line(
                "start",
                nodes=config.nodes,
                phase1=UNSET if config.phase1_size == config.majority else config.phase1_size,
                phase2=UNSET if config.phase2_size == config.majority else config.phase2_size,
                promised=recovered.promised,
                accepted=recovered.accepted,
                low=recovered.low,
                ballot_used=recovered.ballot_used,
            )
        )

    def _stop(self) -> None:
        self._step_down("this node stops", None)
        self._outbox.emit(Line("stop"))
        self._stopped = True

    def _tick(self, event: Tick) -> None:
        self._clock.advance(event.now_ms, event.draw)
        self._checkpointer.tick()
        leadership = self._leadership
        if leadership is None:
            self._election.tick()
        elif leadership.is_cut_off():
            self._step_down("no quorum answers", None)
        else:
            leadership.tick(self._learner.committed)
            self._election.hear_leader()

    def _persisted(self, event: Persisted) -> None:
        for message in self._outbox.acknowledge(event.number):
            self._hear_itself(message)
        self._election.promise_itself()
        if self._leadership is not None:
            self._leadership.propose(self._learner.committed)

    def _checkpoint(self, event: Checkpointed | Abandoned | PieceRead | Installed) -> None:
        self._apply(self._checkpointer.take(event))
        if self._leadership is not None:  # the log may have been full
            self._leadership.propose(self._learner.committed)

    def _submit(self, event: Submitted) -> None:
        requests = event.requests
        if any(value == NOOP for _, value in requests):
            raise CallerError(f"Submitted: {NOOP!r} is no command; encode commands so that none equals it")
        leadership = self._leadership
        if leadership is None:
            self._refuse([ticket for ticket, _ in requests], "this node does not lead")
            return
        room = self.room
        leadership.take(requests[:room])
        leadership.propose(self._learner.committed)
        self._refuse([ticket for ticket, _ in requests[room:]], "too many commands wait")

    def _ask(self, event: Asked) -> None:
        if self._leadership is None:
            self._refuse(event.tickets, "this node does not lead")
            return
        self._leadership.reading.take(event.tickets, self._learner.committed)

    def _announce(self) -> None:
        if self._leadership is not None:
            self._leadership.announce(self._learner.committed)

    def _transfer(self, event: Transfer) -> None:
        """Tell another node to lead. It opens a higher ballot, and so this node's leadership ends as any does."""
        if self._leadership is not None and event.to in self._peers:
            handover = Handover(self._outbox.next_id(), self._leadership.ballot)
            send = (Sent((event.to,), handover),)
            self._outbox.emit(Line("ignore", reason=f"{event.to} is to lead", send=send))

    # Messages ----------------------------------------------------------------------------

    def _receive(self, message: AnyMessage) -> None:
        check(message, self.config.node, self._peers, self._election.ballot_used)
        if isinstance(message, Accept):
            self._on_accept(message)
        elif isinstance(message, Accepted):
            self._on_accepted(message, message)
        elif isinstance(message, Heartbeat):
            self._on_heartbeat(message)
        elif isinstance(message, Prepare):
            self._on_prepare(message)
        elif isinstance(message, Promise):
            self._on_promise(message, message)
        elif isinstance(message, Nack):
            self._on_nack(message)
        elif isinstance(message, Learn):
            self._on_learn(message)
        elif isinstance(message, Ask):
            self._checkpointer.teach(message)
        elif isinstance(message, Fetch):
            self._checkpointer.on_fetch(message)
        elif isinstance(message, Snapshot):
            self._on_snapshot(message)
        elif isinstance(message, Canvass):
            self._election.on_canvass(message)
        elif isinstance(message, Support):
            self._election.on_support(message)
        elif isinstance(message, Confirm):
            self._on_confirm(message)
        elif isinstance(message, Confirmed):
            self._on_confirmed(message)
        elif isinstance(message, Handover):
            self._on_handover(message)
        else:
            assert_never(message)

    def _hear_itself(self, message: AnyMessage) -> None:
        """Count what this node promised or accepted in its own ballot; now it is as durable as anyone's."""
        if isinstance(message, Promise):
            self._on_promise(message, None)
        elif isinstance(message, Accepted):
            self._on_accepted(message, None)

    def _on_prepare(self, message: Prepare) -> None:
        if self._acceptor.promise(message.ballot, message.commit, recv=message):
            self._step_down("a higher ballot is promised", None)

    def _on_promise(self, promise: Promise, recv: Promise | None) -> None:
        won = self._election.on_promise(promise, recv)
        if won is not None:
            self._lead(won, recv)

    def _lead(self, won: Candidacy, recv: Promise | None) -> None:
        """Begin Phase 2: first what the reports force, in all slots that this node does not know to be chosen.

        A node that is behind a checkpoint of its quorum gets that first, and leaves the lead to others meanwhile: where
        a checkpoint covers the slot nothing may be proposed (`spec.checkpoint.propose`).
        """
        ahead = max(won.promises.values(), key=lambda promise: promise.low)
        if ahead.low > self._learner.committed:
            self._ignore(recv, "behind a checkpoint of its quorum")
            self._step_down("this node is behind a checkpoint", None)
            claim = Claim(ahead.sender, won.ballot, ahead.low)
            self._apply(self._learner.follow(self._acceptor.log, claim, None))
            return
        self._outbox.emit(Line("lead", recv=recv, ballot=won.ballot, quorum=tuple(sorted(won.promises))))
        committed = self._learner.committed
        forced = reconciled(won.promises.values(), committed)
        leadership = self._leadership = Leadership(
            self.config, won.ballot, committed, forced, self._acceptor, self._clock, self._outbox
        )
        self._leader = self.config.node
        self._election.hear_leader()  # itself: the candidacy is over
        leadership.propose(committed)
        leadership.tick(committed)

    def _on_accept(self, message: Accept) -> None:
        if self._has_no_room_for(message):
            self._ignore(message, FULL)
        elif not self._acceptor.accept(message.ballot, message.entries, recv=message):
            return
        self._hear_leader(message.ballot)
        if message.commit > self._learner.committed:
            self._apply(self._learner.follow(self._acceptor.log, message, None))

    def _has_no_room_for(self, message: Accept) -> bool:
        """Is the log so full that no promise could carry more? What lies below its end is accepted all the same, so
        that all of it can be chosen, and a checkpoint be taken of it."""
        acceptor = self._acceptor
        return (
            acceptor.bytes >= LOG_SLACK * self.config.log_bytes_max
            and message.entries[0][0] > acceptor.high
            and not acceptor.left(message.ballot)
        )

    def _on_accepted(self, accepted: Accepted, recv: Accepted | None) -> None:
        leadership = self._leadership
        if leadership is None or accepted.ballot != leadership.ballot:
            self._ignore(recv, "stale")
            return
        chosen = leadership.count(accepted, recv)
        if chosen is not None:
            entries = chosen.accept.entries
            quorum = tuple(sorted(chosen.voters))
            line = Line("commit", recv=recv, ballot=accepted.ballot, entries=entries, quorum=quorum)
            self._apply(self._learner.commit(line, entries))
            leadership.propose(self._learner.committed)

    def _on_heartbeat(self, message: Heartbeat) -> None:
        if self._acceptor.left(message.ballot):
            self._acceptor.refuse(message, "promised a higher ballot")
            return
        self._hear_leader(message.ballot)
        self._apply(self._learner.follow(self._acceptor.log, message, message))

    def _on_confirm(self, message: Confirm) -> None:
        if self._acceptor.confirm(message):
            self._hear_leader(message.ballot)

    def _on_confirmed(self, message: Confirmed) -> None:
        leadership = self._leadership
        if leadership is None or message.ballot != leadership.ballot:
            self._ignore(message, "stale")
            return
        leadership.reading.count(message, self._learner.committed)

    def _on_handover(self, message: Handover) -> None:
        if self._leadership is not None or self._acceptor.left(message.ballot):
            self._ignore(message, "stale")
            return
        self._election.take_over(message)

    def _on_learn(self, message: Learn) -> None:
        if self._leadership is not None:
            self._ignore(message, "a leader counts for itself")
            return
        self._apply(self._learner.learn(self._acceptor.log, message))

    def _on_snapshot(self, message: Snapshot) -> None:
        if self._leadership is not None:
            self._ignore(message, "a leader has all that is chosen")
            return
        self._checkpointer.on_snapshot(message)

    def _on_nack(self, message: Nack) -> None:
        self._election.hear_round(message.promised)
        if message.ballot != self._ballot():
            self._ignore(message, "stale")
            return
        self._ignore(message, "refused: a higher ballot is promised")
        self._step_down("a higher ballot is promised", None)

    # Leading and following ---------------------------------------------------------------

    def _ballot(self) -> Ballot | None:
        """The ballot in which this node leads or is a candidate."""
        current = self._leadership or self._election.candidacy
        return None if current is None else current.ballot

    def _hear_leader(self, ballot: Ballot) -> None:
        """The leader of `ballot` lives, and this node does not lead."""
        if self._leadership is not None:
            self._step_down("another node leads", ballot.node)
        self._leader = ballot.node
        self._election.hear_leader()

    def _step_down(self, reason: str, leader: str | None) -> None:
        """Lead no more, and try to no more for a while; whoever waits for an answer is told to try again."""
        leadership, self._leadership = self._leadership, None
        self._leader = leader
        self._election.wait()
        if leadership is not None:
            self._refuse(leadership.unanswered(), reason)

    def _apply(self, ripe: tuple[Entry, ...]) -> None:
        if ripe:
            tickets = self._leadership.claim(ripe) if self._leadership is not None else {}
            self._outbox.emit(Apply(ripe, tickets))
            self._checkpointer.applied(ripe)

    def _refuse(self, tickets: list[int] | tuple[int, ...], reason: str) -> None:
        if tickets:
            self._outbox.emit(Refuse(tuple(tickets), reason, self._leader))

    def _ignore(self, recv: AnyMessage | None, reason: str) -> None:
        if recv is not None:
            self._outbox.emit(Line("ignore", recv=recv, reason=reason))

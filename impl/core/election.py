"""How a node becomes the leader: it waits, asks whether anyone hears one, opens a ballot, counts promises.

It does not know what a leader does, nor what the reports that it collects mean.

    waiting --patience is over--> canvassing --a quorum hears no leader--> candidate --a quorum promises-->
    leads
       ^                              |                                        |
       +---- a leader is heard -------+--- a higher ballot, or no quorum ------+
"""

from collections.abc import Container, Iterable

from .acceptor import Acceptor
from .clock import Clock
from .config import Config
from .effects import Line, Sent
from .learner import Learner
from .messages import Ballot, Canvass, Handover, Index, Prepare, Promise, Support
from .outbox import Outbox
from .records import BallotRecord


class Attempt:
    """A question to all others, of which those in `answered` have answered it so far."""

    def __init__(self, now_ms: int, answered: Container[str]) -> None:
        self.began_ms = now_ms
        self.asked_ms = now_ms
        self._answered = answered

    def silent(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names whose answer did not come yet."""
        return tuple(name for name in names if name not in self._answered)


class Canvassing(Attempt):
    """Before a ballot: who else hears no leader?"""

    def __init__(self, number: int, node: str, now_ms: int) -> None:
        self.number = number
        self.supporters = {node}
        super().__init__(now_ms, self.supporters)


class Candidacy(Attempt):
    """Phase 1 of one ballot: the promises that came."""

    def __init__(self, ballot: Ballot, commit: Index, now_ms: int) -> None:
        self.ballot = ballot
        self.commit = commit
        """Up to here it knew what is chosen, and no promise reports that."""
        self.promises: dict[str, Promise] = {}
        super().__init__(now_ms, self.promises)


class Election:
    """One node's attempts to lead. Its ballots are unique for ever: each is durable before anyone hears of
    it."""

    def __init__(
        self,
        config: Config,
        ballot_used: Ballot | None,
        acceptor: Acceptor,
        learner: Learner,
        clock: Clock,
        outbox: Outbox,
    ) -> None:
        self._config = config
        self._acceptor = acceptor
        self._learner = learner
        self._clock = clock
        self._outbox = outbox
        self.ballot_used = ballot_used
        """The highest ballot that this node opened, in this boot or before."""
        self._round_seen = 0
        """The highest round that others spoke of."""
        self._attempts = 0
        self._opened = 0
        """How many ballots it opened since it last heard a leader, itself included."""
        self._canvassing: Canvassing | None = None
        self.candidacy: Candidacy | None = None
        self._heard_ms = 0
        self._waiting_since_ms = 0
        self._patience_ms = 0

    # Waiting -----------------------------------------------------------------------------

    def wait(self) -> None:
        """Give up what was begun, and be patient for a newly drawn time, longer after ballots that came to nothing."""
        self._canvassing = None
        self.candidacy = None
        self._waiting_since_ms = self._clock.now_ms
        self._patience_ms = self._clock.election_ms(self._config, self._opened)

    def hear_leader(self) -> None:
        """A leader lives: whatever this node had begun is over, and its patience begins anew, no longer than usual."""
        if self._opened or self._canvassing is not None or self.candidacy is not None:
            self._opened = 0
            self.wait()
        self._heard_ms = self._waiting_since_ms = self._clock.now_ms

    def hear_round(self, ballot: Ballot | None) -> None:
        """Somebody spoke of `ballot`: this node's next one will be above it."""
        if ballot is not None:
            self._round_seen = max(self._round_seen, ballot.round)

    def tick(self) -> None:
        """Go on with what was begun, or begin, if patience is over."""
        attempt = self.candidacy or self._canvassing
        if attempt is None:
            if self._clock.since(self._waiting_since_ms) >= self._patience_ms:
                self._canvass()
        elif self._clock.since(attempt.began_ms) >= self._patience_ms:
            self._start_over()
        elif self._clock.since(attempt.asked_ms) >= self._config.resend_ms:
            attempt.asked_ms = self._clock.now_ms
            self._ask(attempt)

    def _ask(self, attempt: Canvassing | Candidacy) -> None:
        """Ask the silent again what was asked before."""
        if isinstance(attempt, Canvassing):
            self._ask_for_support(attempt)
        else:
            again = Prepare(self._outbox.next_id(), attempt.ballot, attempt.commit)
            self._outbox.emit(Line("resend", send=(Sent(attempt.silent(self._config.peers), again),)))

    def _start_over(self) -> None:
        """After a whole time-out ask all anew: support tells only of its moment, and a ballot was opened in vain."""
        if self.candidacy is not None:
            self.wait()
        self._canvass()

    # Canvassing --------------------------------------------------------------------------

    def _canvass(self) -> None:
        """Ask before disturbing: a node that was cut off and returns finds no quorum that misses a leader,
        so it opens no ballot and deposes nobody. Safety does not rest on this."""
        if not self._config.canvass or self._config.phase1_size == 1:
            self._open()
            return
        self._attempts += 1
        self._canvassing = Canvassing(self._attempts, self._config.node, self._clock.now_ms)
        self._ask_for_support(self._canvassing)

    def _ask_for_support(self, canvassing: Canvassing) -> None:
        ask = Canvass(self._outbox.next_id(), canvassing.number)
        send = (Sent(canvassing.silent(self._config.peers), ask),)
        self._outbox.emit(Line("ignore", reason="no leader is heard: canvassing", send=send))

    def take_over(self, message: Handover) -> None:
        """Open a ballot because the leader wants it: there is nobody to ask whether that disturbs."""
        self._outbox.emit(Line("ignore", recv=message, reason="the leader hands over"))
        self._open()

    def on_canvass(self, message: Canvass) -> None:
        """Support whoever misses a leader, if this node misses it as well."""
        if self._clock.since(self._heard_ms) < self._config.election_ms_min:
            self._outbox.emit(Line("ignore", recv=message, reason="a leader is heard here"))
            return
        answer = Support(self._outbox.next_id(), message.attempt, self._acceptor.promised)
        send = (Sent((message.sender,), answer),)
        self._outbox.emit(Line("ignore", recv=message, reason="no leader is heard here either", send=send))

    def on_support(self, message: Support) -> None:
        """Count; with a quorum's support, open a ballot."""
        canvassing = self._canvassing
        if canvassing is None or message.attempt != canvassing.number:
            self._outbox.emit(Line("ignore", recv=message, reason="stale"))
            return
        self.hear_round(message.promised)
        canvassing.supporters.add(message.sender)
        self._outbox.emit(Line("ignore", recv=message, reason="counted"))
        if len(canvassing.supporters) >= self._config.phase1_size:
            self._open()

    # Phase 1 -----------------------------------------------------------------------------

    def _open(self) -> None:
        """Phase 1a: open a ballot above all that this node used or heard of.

        Proved safe: `spec.multipaxos.prepare`.
        """
        used, promised = self.ballot_used, self._acceptor.promised
        rounds = [ballot.round for ballot in (used, promised) if ballot is not None]
        ballot = Ballot(1 + max(self._round_seen, *rounds, 0), self._config.node)
        self.wait()
        self._opened += 1
        self.ballot_used = ballot
        commit = self._learner.committed
        self.candidacy = Candidacy(ballot, commit, self._clock.now_ms)
        prepare = Prepare(self._outbox.next_id(), ballot, commit)
        self._outbox.emit(
            Line("prepare", ballot=ballot, send=(Sent(self._config.peers, prepare),)),
            after=BallotRecord(ballot),
        )

    def promise_itself(self) -> None:
        """Promise its own ballot as well, once the prepare has left: no sooner, so that no promise of its own
        becomes durable before the trace has the prepare that justifies it."""
        candidacy = self.candidacy
        if candidacy is not None and self._outbox.is_clear and self._acceptor.promised != candidacy.ballot:
            self._acceptor.promise(candidacy.ballot, candidacy.commit)

    def on_promise(self, promise: Promise, recv: Promise | None) -> Candidacy | None:
        """Count a promise; the candidacy if it has won with it.

        `recv` is None where the node hears its own promise: it is durable by then, or it would not be heard.
        """
        candidacy = self.candidacy
        if candidacy is None or promise.ballot != candidacy.ballot:
            self._merely(recv, "stale")
            return None
        candidacy.promises[promise.sender] = promise
        if len(candidacy.promises) < self._config.phase1_size:
            self._merely(recv, "counted")
            return None
        return candidacy

    def _merely(self, recv: Promise | None, reason: str) -> None:
        if recv is not None:
            self._outbox.emit(Line("ignore", recv=recv, reason=reason))

"""The judge: one line, the actions that it stands for, and whether they may happen.

The guard of an action is the `require` in the specification's text, evaluated over the state that the trace has led
to; nothing here says again what an acceptor or a leader may do.  What is said here is what ties a line to its
action: it consumed the message it answers, the quorum it names is one and was heard, its messages are true.

A node acts on what it received, the specification on what is so.  Both are asked for, and so the verdict on a line is
the same in every causal order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..checker.specification import Specification
from ..traces import events, messages
from ..traces.events import AnyLine
from ..traces.merge import Doubt, Step
from ..traces.messages import AnyMessage, Ballot, Entry
from . import mapping
from .checkpoints import install, take_checkpoint, truncate
from .divergence import Diverges, Rule, show
from .ledger import Ledger
from .mapping import Quorum
from .members import Members, Node
from .recovery import Debts, is_checkpoint_known, is_contradicted, recover
from .speech import check_sent

KNOWN_MAX = 1 << 16
"""How many recent entries are kept to be shared by the rows that have them."""


class Judge:
    """Takes the lines of a trace in causal order.  `unverified` counts the messages that rest on a gap."""

    def __init__(self, spec: Specification | None = None) -> None:
        self.ledger = Ledger(spec)
        self.members = Members()
        self.unverified = 0
        self._debts = Debts()
        self._entries: dict[Entry, Entry] = {}
        self._recalled: list[int] = []
        """Slots that were forgotten, and of which this line speaks all the same."""
        self._handlers: dict[type, Callable[[Node, Any], None]] = {
            events.Prepare: self._prepare,
            events.Promise: self._promise,
            events.Lead: self._lead,
            events.Propose: self._propose,
            events.Accept: self._accept,
            events.Commit: self._commit,
            events.Apply: self._apply,
            events.Checkpoint: self._checkpoint,
            events.Truncate: self._truncate,
            events.Snapshot: self._snapshot,
            events.Resend: self._nothing,
            events.Nack: self._nothing,
            events.Ignore: self._nothing,
            events.Stop: self._stop,
        }

    def clear(self) -> None:
        """Forget the trace that was judged, for another."""
        self.ledger.clear()
        self.members = Members()
        self.unverified = 0
        self._debts = Debts()
        self._entries.clear()
        self._recalled.clear()

    def take(self, step: Step) -> None:
        """The next line.  Raises `Diverges`; then nothing more may be asked of the judge but why."""
        line = step.line
        mark = step.mark
        if mark is not None and not mark.is_unverified:
            raise Diverges(Rule.RECEIVED, mark.text)
        node = self._start(step, line) if isinstance(line, events.Start) else self._living(line)
        if line.recv is not None:
            if mark is not None:
                self.unverified += 1
                if mark.doubt is Doubt.GAP:
                    self._trust(line.recv)
            self._receive(node, line.recv)
        handler = self._handlers.get(type(line))
        if handler is not None:
            handler(node, line)
        for message in line.send:
            self.unverified += check_sent(self.ledger, self.members, node, line, message)
        if self._recalled:
            self.ledger.drop_slots(self._recalled, self.members.names)
            self._recalled.clear()

    def finish(self) -> tuple[Step, Diverges] | None:
        """The trace is over: a `start` that was never justified, if there is one.

        What only a gap keeps from being justified is counted as unverified.
        """
        for fact, step, otherwise in self._debts.left():
            ballot = fact[1][1] if fact[0] == "proposed" else fact[1][0]
            owner = self.members.nodes.get(ballot.node)
            has_gap = owner is not None and (owner.may_miss_lines or owner.boot is not None)
            if is_contradicted(self.ledger, fact) or not has_gap:
                return step, otherwise
            self.unverified += 1
        return None

    # Lives -------------------------------------------------------------------------------

    def _start(self, step: Step, line: events.Start) -> Node:
        node = self.members.enrol(line)
        if node.boot == line.boot:
            raise Diverges(Rule.LIFE, f"a second `start` in boot {line.boot} of {node.name}")
        if node.boot is not None or (not node.has_started and _has_recovered(line)):
            node.may_miss_lines = True
        if not is_checkpoint_known(node, line):
            self.unverified += 1
        recover(self.ledger, self._debts, node, step, line)
        for s in range(max(node.low, self.ledger.forgotten) + 1, line.low + 1):
            self.ledger.assume_covered(node.name, s)
        node.start(line.boot, line.low)
        return node

    def _living(self, line: AnyLine) -> Node:
        node = self.members.nodes.get(line.node)
        if node is None or node.boot != line.boot:
            raise Diverges(Rule.LIFE, f"{line.node} has not started its boot {line.boot}, or has stopped it")
        return node

    def _stop(self, node: Node, line: events.Stop) -> None:
        node.boot = None

    # What is received --------------------------------------------------------------------

    def _receive(self, node: Node, message: AnyMessage) -> None:
        """Keep what a message tells the node and may be relied on later."""
        if type(message) is messages.Accepted:
            node.hear_accepted(message.ballot, message.slots, message.id.sender)
        elif type(message) is messages.Accept:
            if message.commit is not None:
                node.told.raise_to(message.commit)
        elif type(message) is messages.Heartbeat:
            node.told.raise_to(message.commit)
        elif type(message) is messages.Promise:
            node.hear_promise(message.ballot, message.id.sender)
            node.told.raise_to(message.low)
        elif type(message) is messages.Snapshot:
            node.told.raise_to(message.slot)
        elif type(message) is messages.Learn:
            for s, _ in message.entries:
                node.told.add(s)

    def _trust(self, message: AnyMessage) -> None:
        """Take what a message says as it stands: the lines that led to it are lost in a gap."""
        sender = message.id.sender
        match message:
            case messages.Promise(ballot=b, low=low):
                self.ledger.assume_left(sender, b)
                self.ledger.assume_snapshot(low)
                self.ledger.assume_promised(sender, b, low)
            case messages.Snapshot(slot=slot):
                self.ledger.assume_snapshot(slot)
            case messages.Accepted(ballot=b, slots=slots):
                for s in slots:
                    self.ledger.assume_accepted(sender, s, b)
            case messages.Accept(commit=commit) | messages.Heartbeat(commit=commit):
                self.ledger.trust_index(commit or 0)
            case messages.Learn(entries=entries):
                for s, v in entries:
                    self.ledger.trust_chosen(s, v)
        for relation, row in mapping.implied(message):
            self.ledger.assume(relation, row)

    # Events ------------------------------------------------------------------------------

    def _nothing(self, node: Node, line: AnyLine) -> None:
        """The state does not change."""

    def _act(self, node: Node, line: AnyLine) -> None:
        """Let the actions happen that a line stands for."""
        for action in mapping.actions(line, node.leads, self._shared):
            self.ledger.take(action)

    def _shared(self, entry: Entry) -> Entry:
        """An entry that is equal to this one and, if it is recent, in memory once."""
        known = self._entries
        if len(known) > KNOWN_MAX:
            known.clear()
        return known.setdefault(entry, entry)

    def _prepare(self, node: Node, line: events.Prepare) -> None:
        b, used = line.ballot, node.ballot_used
        if b.node != node.name:
            raise Diverges(Rule.OWN_BALLOT, f"{show(b)} is no ballot of {node.name}", ("prepare", (b,)))
        self._act(node, line)
        if used is not None and b < used:
            reason = f"{show(b)} is below {show(used)}, which {node.name} opened"
            raise Diverges(Rule.OWN_BALLOT, reason, ("prepare", (b,)))
        node.ballot_used = b
        if self._debts:
            self._debts.settle("prepared", (b,))

    def _promise(self, node: Node, line: events.Promise) -> None:
        a, b, recv = node.name, line.ballot, line.recv
        asked = b.node == a if recv is None else type(recv) is messages.Prepare and recv.ballot == b
        if not asked:
            raise Diverges(Rule.ASKED, f"{a} was not asked to promise {show(b)}", ("promise", (a, b)))
        self._act(node, line)
        node.promised_low[b] = node.low
        node.known[b] = recv.commit if type(recv) is messages.Prepare else node.told.upto
        if b.node == a:
            node.hear_promise(b, a)

    def _lead(self, node: Node, line: events.Lead) -> None:
        b = line.ballot
        if b.node != node.name:
            raise Diverges(Rule.OWN_BALLOT, f"{show(b)} is no ballot of {node.name}")
        q = self.members.quorum(line.quorum, 1)
        self.ledger.check_lead(q, b)
        if unheard := q - node.promisers.get(b, _NOBODY):
            reason = f"{node.name} received no promise of {show(b)} from {_listed(unheard)}"
            raise Diverges(Rule.HEARD, reason)
        node.leads[b] = q

    def _propose(self, node: Node, line: events.Propose) -> None:
        b = line.ballot
        if b not in node.leads:
            raise Diverges(Rule.LED, f"{node.name} does not lead {show(b)} in this boot")
        _check_above(node, line.entries)
        self._act(node, line)
        if self._debts:
            for s, v in line.entries:
                self._debts.settle("proposed", (s, b, v))

    def _accept(self, node: Node, line: events.Accept) -> None:
        a, b, recv = node.name, line.ballot, line.recv
        if recv is None:
            asked = b.node == a
        else:
            asked = (
                type(recv) is messages.Accept and recv.ballot == b and _are_among(line.entries, recv.entries)
            )
        if not asked:
            first = next(mapping.actions(line, node.leads), None)
            raise Diverges(Rule.ASKED, f"{a} was not asked to accept this in {show(b)}", first)
        if recv is None:
            _check_above(node, line.entries)
        for s, v in line.entries:
            if s <= self.ledger.forgotten:  # that it was proposed was seen when the message was sent
                self.ledger.assume("proposed", (s, b, v))
                self._recalled.append(s)
        self._act(node, line)
        if b.node == a:
            node.hear_accepted(b, [s for s, _ in line.entries], a)

    def _commit(self, node: Node, line: events.Commit) -> None:
        if line.learned:
            for s, v in self._judged(node, line.entries):
                self._learned(node, s, v)
                node.commit(s, v, None)
            return
        assert line.ballot is not None, "the format has a commit name its ballot, or be learned"
        assert line.quorum is not None, "... and its quorum"
        b, q = line.ballot, self.members.quorum(line.quorum, 2)
        for s, v in self._judged(node, line.entries):
            if not self.ledger.is_chosen_by(s, v, q, b):
                raise self._not_chosen(s, v, q, b)
            unheard = q - node.acceptors.get((b, s), _NOBODY)
            if unheard and not node.has_committed(s):
                of = f"of slot {s} in {show(b)} from {_listed(unheard)}"
                raise Diverges(
                    Rule.HEARD, f"{node.name} received no acceptance {of}", ("chosen", (s, v, q, b))
                )
            node.commit(s, v, b)

    def _judged(self, node: Node, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Those of the entries that can still be judged; the others are unverified."""
        for entry in entries:
            if entry[0] > node.truncated:
                yield entry
            else:
                self.unverified += 1

    def _learned(self, node: Node, s: int, v: str) -> None:
        """Hold what a node says it learned against what it was told, and against what is so."""
        if s not in node.told:
            raise Diverges(Rule.TOLD, f"nothing that {node.name} received says that slot {s} is chosen")
        if not self.ledger.is_chosen(s, v, self.members.names, self.members.phase2):
            raise self._not_chosen(s, v)

    def _not_chosen(self, s: int, v: str, q: Quorum | None = None, b: Ballot | None = None) -> Diverges:
        return Diverges(self.ledger.chosen, f"{show(v)} is not chosen in slot {s}", ("chosen", (s, v, q, b)))

    def _apply(self, node: Node, line: events.Apply) -> None:
        committed = node.committed
        for s, v in line.entries:
            if s != node.applied + 1:
                raise Diverges(Rule.IN_ORDER, f"{node.name} applies slot {s}; its next is {node.applied + 1}")
            if committed.get(s) != v:
                known = show(committed[s]) if s in committed else "nothing"
                reason = f"{node.name} applies {show(v)} in slot {s}, where it committed {known}"
                raise Diverges(Rule.COMMITTED, reason)
            del committed[s]
            node.applied = s

    def _checkpoint(self, node: Node, line: events.Checkpoint) -> None:
        take_checkpoint(self.ledger, self.members, node, line)

    def _truncate(self, node: Node, line: events.Truncate) -> None:
        truncate(self.ledger, self.members, node, line)
        self._entries.clear()

    def _snapshot(self, node: Node, line: events.Snapshot) -> None:
        install(self.ledger, node, line)


_NOBODY: frozenset[str] = frozenset()


def _are_among(entries: tuple[Entry, ...], others: tuple[Entry, ...]) -> bool:
    return entries == others or set(entries) <= set(others)


def _check_above(node: Node, entries: Iterable[Entry]) -> None:
    """Raises `Diverges` for a slot that the node has truncated."""
    for s, _ in entries:
        if s <= node.truncated:
            reason = f"{node.name} has truncated its log up to {node.truncated}, and slot {s} with it"
            raise Diverges(Rule.TRUNCATED, reason)


def _has_recovered(line: events.Start) -> bool:
    """Whether anything was on the node's disk: then it had been up before."""
    return line.promised is not None or bool(line.accepted) or line.low > 0 or line.ballot_used is not None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

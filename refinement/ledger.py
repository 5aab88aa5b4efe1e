"""The specification's state that a trace leads to, and what may be asked of it and done to it.

The guards are those of the specification's text: actions are taken as it allows, and what is chosen is what its own
`chosen` says.  Where the trace has a gap, what must have happened there is put in by hand, and only here.

Memory is that of the state, some 1.6 kB a slot with three nodes (by bench/conform.py).  It grows with the log until all
nodes have truncated theirs: nobody reports, recovers, proposes or teaches those slots again, so they are forgotten
here as well.  A promise costs what it reports, in time and in memory; every other line, what it touches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..checker.language import relations_of
from ..checker.reading import read_predicate
from ..checker.source import Source
from ..checker.sparse import Machine, free
from ..checker.specification import Specification, sorts_of
from ..checker.term import Any as Exists
from ..checker.term import Require, Var
from ..spec import checkpoint, multipaxos
from ..spec.sorts import Ballot as BallotSort
from ..spec.sorts import Quorum as QuorumSort
from ..spec.sorts import Slot, Value
from ..traces.messages import Ballot, Report
from .divergence import Diverges, Rule, show
from .mapping import Action, Quorum


class UnfitSpecification(Exception):
    """A specification that traces cannot be held against; the message is one line that says what it lacks."""


PLAIN = (multipaxos.prepare, multipaxos.promise, multipaxos.propose, multipaxos.accept)
WITH_CHECKPOINTS = (*PLAIN, checkpoint.checkpoint, checkpoint.install, checkpoint.truncate)

WAYS: Mapping[str, Sequence[Sequence[int]]] = {
    "proposed": [(0,), (0, 1)],
    "reported": [(0, 1), (0, 1, 2)],
    "covered": [(0, 1)],
}
"""Proposals are looked for by slot where a checkpoint covers it or all forget it. A promise reports one acceptance a
slot, so nothing is gained by finding it by its value as well."""


class Ledger:
    """A state of Multi-Paxos, in terms of a specification that has its relations and actions.

    That is `spec.checkpoint` if nothing is said; one without checkpoints will do for traces that have none.  Raises
    `UnfitSpecification` if the specification lacks more.
    """

    def __init__(self, spec: Specification | None = None) -> None:
        self.spec = spec or Specification.of(checkpoint)
        relations = _check_fit(self.spec)
        self.machine = Machine(self.spec, ways={name: WAYS[name] for name in relations & WAYS.keys()})
        self.forgotten = 0
        """The last slot of which nothing is kept."""
        self.taken: list[Action] | None = None
        """The actions that were taken, for those who want to know: they make a list of it."""
        self._promises: list[tuple[str, Ballot]] = []
        """Those that still report something."""
        self._has_checkpoints = "checkpoint" in self.spec.steps
        self._covered = self.machine.lookup("covered", (0, 1)) if self._has_checkpoints else None
        self._proposals = self.machine.lookup("proposed", (0,))
        if not self.machine.is_bounds("left"):
            raise UnfitSpecification(f"{self.spec.name}: `left` must only ever grow by all ballots below one")
        self._step = self.machine.step
        self._slot, self._value = Var("s", Slot), Var("v", Value)
        self.chosen = self._chosen_text()
        """What it is to be chosen, of a slot, a value, a quorum and a ballot: the text that every commit is held to."""
        self._is_chosen = self.machine.question(self.chosen_params, self.chosen.formula)
        self._report = self.machine.lookup("reported", (0, 1))
        self._logged = self.machine.lookup("log", (0, 1))
        self._log = self.machine.lookup("log", (0,))
        self._proposed = self.machine.lookup("proposed", (0, 1))
        self._opened: list[Ballot] = []
        """Ballots that were prepared; last, those in which something was last found chosen."""
        self._trusted: dict[int, str] = {}
        self._trusted_upto = 0
        self._lead_requires = list(self._of_lead())

    def _chosen_text(self) -> Require:
        """`chosen` of the specification, with its quorum and its ballot as parameters."""
        text = self.spec.module.chosen
        formula = read_predicate(text, self.spec.now, self._slot, self._value)
        source = Source.of(text)
        place = source.file.place(source.definition.body[-1])
        assert isinstance(formula, Exists), "chosen says that there are a quorum and a ballot"
        (q,) = (x for x in formula.vars if x.sort is QuorumSort)
        (b,) = (x for x in formula.vars if x.sort is BallotSort)
        self.chosen_params = (self._slot, self._value, q, b)
        return Require(formula.body, place)

    def _of_lead(self) -> Iterator[tuple[Require, Callable[[Quorum, Ballot], bool]]]:
        """What proposing requires of the quorum and the ballot alone, which are known when a node begins to lead."""
        step = self.spec.steps["propose"]
        (q,) = (x for x in step.params if x.sort is QuorumSort)
        (b,) = (x for x in step.params if x.sort is BallotSort)
        for r in step.requires:
            if free(r.formula) <= {q, b}:
                yield r, self.machine.question((q, b), r.formula)

    def clear(self) -> None:
        """Back to where it began, for another trace: to compile a specification takes longer than to judge a short
        trace by it."""
        self.machine.clear()
        self.forgotten = self._trusted_upto = 0
        self._promises.clear()
        self._opened.clear()
        self._trusted.clear()

    # Steps -------------------------------------------------------------------------------

    def take(self, action: Action) -> None:
        """Let an action happen.  Raises `Diverges` if the specification does not allow it."""
        name, args = action
        if name not in self.spec.steps:
            raise Diverges(Rule.CHECKPOINT, f"{self.spec.name} has no {name}")
        refused = self._step(name, *args)
        if refused is not None:
            raise Diverges(refused, f"{name} is not possible here", action)
        if self.taken is not None:
            self.taken.append(action)
        if name == "prepare":
            self._opened.append(args[0])
        elif name == "promise":
            self._promises.append(args)

    def check_lead(self, q: Quorum, b: Ballot) -> None:
        """Raises `Diverges` if no proposal of this ballot can rest on this quorum, whatever the slot and the value."""
        for refused, holds in self._lead_requires:
            if not holds(q, b):
                args = [q if x.sort is QuorumSort else b if x.sort is BallotSort else None
                        for x in self.spec.steps["propose"].params]  # fmt: skip
                raise Diverges(refused, "nothing can be proposed with this quorum", ("propose", tuple(args)))

    def params(self, name: str) -> tuple[Var, ...]:
        """The parameters of an action, or of `chosen`."""
        return self.chosen_params if name == "chosen" else self.spec.steps[name].params

    # What is so --------------------------------------------------------------------------

    def left(self, a: str) -> Ballot | None:
        """The ballot below which an acceptor has left all; None if it has left none."""
        return self.machine.bound("left", (a, None))

    def has(self, relation: str, *row: Any) -> bool:
        return self.machine.has(relation, row)

    def report(self, a: str, b: Ballot) -> Iterator[Report]:
        """What an acceptor's promise of a ballot reports."""
        return ((s, c, v) for _, _, s, c, v in self._report(a, b))

    def log(self, a: str) -> Iterator[Report]:
        """An acceptor's latest acceptances."""
        return ((s, c, v) for _, s, c, v in self._log(a))

    def logged(self, a: str, s: int) -> tuple[Ballot, str] | None:
        """An acceptor's latest acceptance in a slot."""
        return next(((c, v) for _, _, c, v in self._logged(a, s)), None)

    def proposed(self, s: int, b: Ballot) -> str | None:
        """What a ballot proposed in a slot."""
        return next((v for _, _, v in self._proposed(s, b)), None)

    # What is chosen ----------------------------------------------------------------------

    def is_chosen_by(self, s: int, v: str, q: Quorum, b: Ballot) -> bool:
        """Whether this quorum chose the value in this ballot."""
        return self._is_chosen(s, v, q, b)

    def is_chosen(self, s: int, v: str, members: Iterable[str], size: int) -> bool:
        """Whether some quorum of this size or more, among these members, chose the value in some ballot.

        What a gap may hide is taken on trust (`trust_index`).
        """
        known = list(members)
        opened = self._opened
        for i in reversed(range(len(opened))):
            b = opened[i]
            q = self._acceptors(known, s, b, v)
            if len(q) >= size and self.is_chosen_by(s, v, q, b):
                opened.append(opened.pop(i))
                return True
        return self.is_trusted(s) and self.trust_chosen(s, v)

    def choice(self, s: int, members: Iterable[str], size: int) -> tuple[Quorum, Ballot, str] | None:
        """A quorum of these members, of this size or more, that chose in a slot; a quorum that did not, if none did.

        None if nothing was proposed there, or a gap may hide the choice.
        """
        known, nearest = sorted(members), None
        for _, b, v in self._proposals(s):
            q = self._acceptors(known, s, b, v)
            if len(q) >= size and self.is_chosen_by(s, v, q, b):
                return q, b, v
            if nearest is None or len(q) > len(nearest[0]):
                nearest = q, b, v
        if nearest is None or self.is_trusted(s):
            return None
        q, b, v = nearest
        return q.union([a for a in known if a not in q][: size - len(q)]), b, v

    def _acceptors(self, among: Iterable[str], s: int, b: Ballot, v: str) -> Quorum:
        return frozenset(a for a in among if self.has("accepted", a, s, b, v))

    def is_trusted(self, s: int) -> bool:
        """Whether something is taken for chosen in a slot because a gap may hide how it came to be."""
        return s <= self._trusted_upto or s in self._trusted

    def trust_index(self, upto: int) -> None:
        """Every slot up to this one is chosen, as a message says whose sender's trace has a gap."""
        self._trusted_upto = max(self._trusted_upto, upto)

    def trust_chosen(self, s: int, v: str) -> bool:
        """Take a value for chosen, for the same reason; False if another was taken for it."""
        return self._trusted.setdefault(s, v) == v

    # What nobody speaks of any more ------------------------------------------------------

    def forget(self, upto: int, members: Iterable[str]) -> None:
        """Forget every slot up to this one, and what these members did there."""
        self.drop_slots(range(self.forgotten + 1, upto + 1), members)
        self._promises = [given for given in self._promises if self._forget_report(*given, upto)]
        self._trusted = {s: v for s, v in self._trusted.items() if s > upto}
        self.forgotten = upto

    def drop_slots(self, slots: Iterable[int], members: Iterable[str]) -> None:
        """Drop what was proposed, accepted, logged and checkpointed in these slots."""
        drop, acceptors = self.machine.drop, sorted(members)
        for s in slots:
            for row in list(self._proposals(s)):
                drop("proposed", row)
                for a in acceptors:
                    drop("accepted", (a, *row))
            for a in acceptors:
                for row in list(self._logged(a, s)):
                    drop("log", row)
                drop("checkpoints", (a, s))
            drop("snapshots", (s,))

    def _forget_report(self, a: str, b: Ballot, upto: int) -> bool:
        """Drop what a promise says of slots up to this one; whether it says more."""
        more = False
        assert self._covered is not None, "what has no checkpoints truncates nothing"
        for relation, rows in (("reported", self._report(a, b)), ("covered", self._covered(a, b))):
            for row in list(rows):
                if row[2] <= upto:
                    self.machine.drop(relation, row)
                else:
                    more = True
        return more

    # What happened in a gap --------------------------------------------------------------

    def assume(self, relation: str, row: tuple[Any, ...]) -> None:
        """Put in a row that the trace, where it has a gap, must be missing.

        Raises `Diverges` if another proposal stands in its place.
        """
        if relation == "proposed":
            s, b, v = row
            other = self.proposed(s, b)
            if other is not None and other != v:
                reason = f"in slot {s}, ballot {show(b)} proposed {show(other)}, and not {show(v)}"
                raise Diverges(Rule.GAP, reason, None, [("proposed", (s, b, other))])
        if relation == "prepared" and not self.has("prepared", *row):
            self._opened.append(row[0])
        self.machine.put(relation, row)

    def assume_covered(self, a: str, s: int) -> None:
        """An acceptor's checkpoint covers a slot, though the trace does not tell how it came to."""
        if self._has_checkpoints:
            self.machine.put("snapshots", (s,))
            self.machine.put("checkpoints", (a, s))

    def assume_snapshot(self, upto: int) -> None:
        """Somebody, whose trace has a gap, has a checkpoint at this slot."""
        self.trust_index(upto)
        if self._has_checkpoints:
            for s in range(self.forgotten + 1, upto + 1):
                self.machine.put("snapshots", (s,))

    def assume_promised(self, a: str, b: Ballot, low: int) -> None:
        """An acceptor promised a ballot with a checkpoint at this slot, where its trace has a gap."""
        if self._has_checkpoints and not self.has("promised", a, b):
            self._promises.append((a, b))
            for s in range(self.forgotten + 1, low + 1):
                self.machine.put("covered", (a, b, s))

    def assume_left(self, a: str, b: Ballot) -> None:
        """An acceptor promised, where its trace has a gap, and so left every smaller ballot."""
        self.machine.put("left", (a, b))

    def assume_accepted(self, a: str, s: int, b: Ballot) -> None:
        """An acceptor accepted what was proposed, where its trace has a gap; it may have gone on since."""
        v = self.proposed(s, b)
        if v is None or self.has("accepted", a, s, b, v):
            return
        if self.has("left", a, b):
            self.machine.put("accepted", (a, s, b, v))
        else:
            self.machine.take("accept", a, s, b, v)


def _check_fit(spec: Specification) -> set[str]:
    """The relations of a specification that has what traces speak of, with the same columns, and perhaps checkpoints.

    Raises `UnfitSpecification`.
    """
    relations = relations_of(spec.state)
    has_checkpoints = relations == relations_of(checkpoint.Checkpointed)
    if not has_checkpoints and relations != relations_of(multipaxos.MultiPaxos):
        raise UnfitSpecification(
            f"{spec.name}: traces are judged by the relations of multipaxos, which it has not"
        )
    for action in WITH_CHECKPOINTS if has_checkpoints else PLAIN:
        name = action.__name__
        if name not in spec.steps or sorts_of(spec.action(name)) != sorts_of(action):
            raise UnfitSpecification(f"{spec.name}: traces have steps of {name}, which it has not, or not so")
    if not hasattr(spec.module, "chosen"):
        raise UnfitSpecification(
            f"{spec.name}: commits are judged by its predicate `chosen`, which it has not"
        )
    return set(relations)

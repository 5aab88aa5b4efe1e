"""Small bugs planted in the implementation, in both directions: the walk finds each, with a shortest way to it."""

from __future__ import annotations

from typing import Any

import pytest

from quorate.impl.core import config as config_module
from quorate.impl.core import replica as replica_module
from quorate.impl.core.acceptor import Acceptor
from quorate.impl.core.config import Config
from quorate.impl.core.effects import Line
from quorate.impl.core.election import Election
from quorate.impl.core.leader import Leadership
from quorate.impl.core.outbox import Outbox

Q12, Q13, Q23 = frozenset({"a1", "a2"}), frozenset({"a1", "a3"}), frozenset({"a2", "a3"})


def led(b: int, q: frozenset[str]) -> list[Any]:
    """A ballot is opened, and a quorum promises it."""
    return [("prepare", (b,)), *(("promise", (a, b)) for a in sorted(q))]


def proposed(b: int, q: frozenset[str], v: str = "v1") -> list[Any]:
    """It proposes as well."""
    return [*led(b, q), ("propose", (q, "s1", b, v))]


def accepted(a: str, b: int, v: str = "v1") -> list[Any]:
    return [("accept", (a, "s1", b, v))]


def deviation(found: Any) -> Any:
    assert found.verdict == "deviates"
    assert found.deviation is not None
    return found.deviation


# An acceptor -------------------------------------------------------------------------------


def refusing(monkeypatch: pytest.MonkeyPatch, refuses: Any) -> None:
    """An acceptor that refuses some accepts, politely."""
    accept = Acceptor.accept

    def stricter(self, ballot, entries, recv=None):
        if recv is not None and self.promised is not None and refuses(self, ballot):
            self.refuse(recv, "too strict")
            return False
        return accept(self, ballot, entries, recv)

    monkeypatch.setattr(Acceptor, "accept", stricter)


def test_an_acceptor_that_refuses_the_ballot_that_it_promised_is_found(walked, monkeypatch):
    refusing(monkeypatch, lambda self, ballot: ballot == self.promised)
    found = deviation(walked((3, 2, 1, 1)))
    assert found.reason == "this is allowed, and nothing happens"
    assert found.action[0] == "accept"
    assert len(found.way) == 4


def test_an_acceptor_that_accepts_only_what_it_promised_is_found(walked, monkeypatch):
    """What it did not promise it may accept all the same, as long as it has not left the ballot."""
    refusing(monkeypatch, lambda self, ballot: ballot != self.promised)
    found = deviation(walked((3, 2, 1, 1), [*led(1, Q12), *proposed(2, Q23)]))
    assert found.reason == "this is allowed, and nothing happens"
    assert found.action == ("accept", ("a1", "s1", 2, "v1"))


def test_an_acceptor_that_ignores_a_ballot_unless_it_promised_none_is_found(walked, monkeypatch):
    promise = Acceptor.promise

    def once(self, ballot, commit, recv=None):
        if recv is not None and self.promised is not None:
            self._outbox.emit(Line("ignore", recv=recv, reason="once is enough"))
            return False
        return promise(self, ballot, commit, recv)

    monkeypatch.setattr(Acceptor, "promise", once)
    found = deviation(walked((3, 2, 1, 1)))
    assert found.reason == "this is allowed, and nothing happens"
    assert found.action[0] == "promise"


def forgetting_what_it_left(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Within this method, an acceptor has left nothing."""
    strict = getattr(Acceptor, method)

    def lax(self, *args, **named):
        self.left = lambda ballot: False
        try:
            return strict(self, *args, **named)
        finally:
            del self.left

    monkeypatch.setattr(Acceptor, method, lax)


def test_an_acceptor_that_promises_a_lower_ballot_is_found(walked, monkeypatch):
    forgetting_what_it_left(monkeypatch, "promise")
    found = deviation(walked((3, 2, 1, 1)))
    assert found.action[0] == "promise"
    assert "here this is to change nothing, and it writes PromiseRecord" in found.reason


def test_an_acceptor_that_accepts_below_its_promise_is_found(walked, monkeypatch):
    forgetting_what_it_left(monkeypatch, "accept")
    run = [*proposed(1, Q12), ("prepare", (2,)), ("promise", ("a3", 2))]
    found = deviation(walked((3, 2, 1, 1), run))
    assert found.action == ("accept", ("a3", "s1", 1, "v1"))
    assert "here this is to change nothing, and it writes AcceptRecord" in found.reason


def test_an_acceptor_whose_promises_report_nothing_is_found(walked, monkeypatch):
    monkeypatch.setattr(Acceptor, "_report", lambda self, above: ())
    found = deviation(walked((2, 2, 1, 1)))
    assert found.reason == "this leads elsewhere"
    assert found.action[0] == "promise"
    assert [row.partition("(")[0] for row in found.expected] == ["reported"]


def test_an_acceptor_whose_promises_report_an_old_acceptance_is_found(walked, monkeypatch):
    """Three ballots are needed: accepted in the first and the second, reported in the third."""
    accept = Acceptor.accept

    def clinging(self, ballot, entries, recv=None):
        done = accept(self, ballot, entries, recv)
        for slot, _ in entries if done else ():
            self.__dict__.setdefault("first", {}).setdefault(slot, self.log[slot])
        return done

    def report(self, above):
        return tuple((slot, *getattr(self, "first", self.log)[slot]) for slot in self.log)

    monkeypatch.setattr(Acceptor, "accept", clinging)
    monkeypatch.setattr(Acceptor, "_report", report)
    run = [*proposed(1, Q12), *accepted("a3", 1), *proposed(2, Q12), *accepted("a3", 2), ("prepare", (3,))]
    found = deviation(walked((3, 3, 1, 1), run))
    assert found.action == ("promise", ("a3", 3))
    assert found.expected == ("reported(a3, 3, s1, 2, v1)",)
    assert found.seen == ("reported(a3, 3, s1, 1, v1)",)


def test_an_acceptor_that_answers_before_it_has_written_is_found(walked, monkeypatch):
    """It says that it accepted, and a restart would find nothing."""
    emit = Outbox.emit

    def hasty(self, effect, after=None):
        emit(self, effect, None if isinstance(effect, Line) and effect.event == "accept" else after)

    monkeypatch.setattr(Outbox, "emit", hasty)
    found = deviation(walked((2, 1, 1, 1)))
    assert found.action[0] == "accept"
    assert any(row.startswith("log(") for row in found.expected)


def test_an_acceptor_whose_acceptance_leaves_no_ballot_is_found(walked, monkeypatch):
    """The disk has the acceptance, and the smaller ballots are not left."""
    accept = Acceptor.accept

    def loose(self, ballot, entries, recv=None):
        before = self.promised
        done = accept(self, ballot, entries, recv)
        self.promised = before
        return done

    monkeypatch.setattr(Acceptor, "accept", loose)
    run = [*led(1, Q12), ("prepare", (2,)), ("promise", ("a2", 2)), ("promise", ("a1", 2))]
    found = deviation(walked((3, 2, 1, 1), [*run, ("propose", (Q12, "s1", 2, "v1")), *accepted("a3", 2)]))
    assert found.action == ("promise", ("a3", 1))


# A leader ----------------------------------------------------------------------------------


FORCED = [*proposed(1, Q12), *accepted("a2", 1), *led(2, Q23)]
"""In ballot 2, whoever leads with a2 must propose v1."""

TWO_REPORTS = [
    *proposed(1, Q12),
    *accepted("a1", 1),
    *proposed(2, Q23, "v2"),
    *accepted("a2", 2, "v2"),
    *led(3, Q12),
]
"""In ballot 3, of v1 and v2 that are reported, v2 has the higher ballot."""


def test_the_runs_are_without_fault_as_it_is(walked):
    assert walked((3, 2, 1, 2), FORCED).deviation is None
    assert walked((3, 3, 1, 2), TWO_REPORTS).deviation is None


def test_a_leader_that_ignores_what_is_reported_is_found(walked, monkeypatch):
    monkeypatch.setattr(replica_module, "reconciled", lambda promises, committed: [])
    found = deviation(walked((3, 2, 1, 2), FORCED))
    assert found.action[0] == "propose"
    assert "is done, which the specification refuses" in found.reason


def test_a_leader_that_takes_the_lower_of_two_reports_is_found(walked, monkeypatch):
    def lowest(promises, committed):
        rows = [row for promise in promises for row in promise.accepted]
        return [min(rows, key=lambda row: row[1])[2]] if rows else []

    monkeypatch.setattr(replica_module, "reconciled", lowest)
    found = deviation(walked((3, 3, 1, 2), TWO_REPORTS))
    assert found.action[0] == "propose"
    assert "propose({a1 a2}, s1, 3, v1) is done, which the specification refuses" in found.reason


def test_a_leader_that_waits_for_one_promise_too_many_is_found(walked, monkeypatch):
    monkeypatch.setattr(Config, "phase1_size", property(lambda self: self.majority + 1))
    found = deviation(walked((3, 2, 1, 1), led(1, Q12)))
    assert found.action[0] == "propose"


def test_a_leader_that_waits_for_one_promise_too_few_is_found(walked, monkeypatch):
    monkeypatch.setattr(config_module, "_check_quorums", lambda config: None)
    monkeypatch.setattr(Config, "phase1_size", property(lambda self: self.majority - 1))
    found = deviation(walked((3, 2, 1, 1), led(1, frozenset({"a1"}))))
    assert "leads" in found.reason


def test_a_leader_that_waits_for_one_acceptance_too_many_is_found(walked, monkeypatch):
    monkeypatch.setattr(Config, "phase2_size", property(lambda self: self.majority + 1))
    found = deviation(walked((3, 2, 1, 1), [*proposed(1, Q12), *accepted("a1", 1), *accepted("a2", 1)]))
    assert "does not take for chosen v1 in s1" in found.reason


def test_a_leader_that_waits_for_one_acceptance_too_few_is_found(walked, monkeypatch):
    monkeypatch.setattr(config_module, "_check_quorums", lambda config: None)
    monkeypatch.setattr(Config, "phase2_size", property(lambda self: self.majority - 1))
    found = deviation(walked((3, 2, 1, 1), [*proposed(1, Q12), *accepted("a1", 1), *accepted("a2", 1)]))
    assert "takes for chosen v1 in s1, which is not" in found.reason


def test_a_leader_that_proposes_twice_in_a_slot_is_found(walked, monkeypatch):
    batch = Leadership._next_batch

    def stuck(self):
        entries = batch(self)
        self._next = 1
        return entries

    monkeypatch.setattr(Leadership, "_next_batch", stuck)
    found = deviation(walked((3, 2, 1, 2), [*proposed(1, Q12), *accepted("a1", 1)]))
    assert "is done, which the specification refuses" in found.reason


def test_a_node_that_opens_a_ballot_twice_is_found(walked, monkeypatch):
    """After a restart it has forgotten which ballots it opened."""
    begin = Election.__init__

    def forgetful(self, config, ballot_used, *others):
        begin(self, config, None if ballot_used == (1, "a1") else ballot_used, *others)

    monkeypatch.setattr(Election, "__init__", forgetful)
    found = deviation(walked((3, 2, 1, 1)))
    assert "after a restart it opens" in found.reason


def test_a_node_that_never_opens_a_ballot_after_it_promised_one_is_found(walked, monkeypatch):
    opened = Election._open

    def shy(self):
        if self._acceptor.promised is None:
            opened(self)

    monkeypatch.setattr(Election, "_open", shy)
    found = deviation(walked((2, 2, 1, 1)))
    assert "no class says why" in found.reason
    assert found.action[0] == "prepare"


def test_a_replica_that_falls_over_is_found(walked, monkeypatch):
    def fall(self, above):
        raise KeyError("slot 1")

    monkeypatch.setattr(Acceptor, "_report", fall)
    found = deviation(walked((2, 1, 1, 1)))
    assert found.reason == "a replica raises KeyError: 'slot 1'"
    assert (found.action, found.way) == (("prepare", (1,)), ())

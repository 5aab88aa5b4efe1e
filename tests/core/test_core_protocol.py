"""One test per passage of the protocol, as a person would explain it (P1 to P7 of the requirements, by section)."""

import pytest
from msgspec import UNSET

from quorate.impl.core.config import Config
from quorate.impl.core.effects import Line, Persist
from quorate.impl.core.errors import BrokenAgreement, CallerError, PeerError
from quorate.impl.core.events import Persisted, Received, Start, Stop, Submitted, Tick
from quorate.impl.core.messages import (
    NOOP,
    Accept,
    Accepted,
    Ask,
    Ballot,
    Canvass,
    Heartbeat,
    Learn,
    MessageId,
    Nack,
    Prepare,
    Promise,
    Support,
)
from quorate.impl.core.records import AcceptRecord, BallotRecord, PromiseRecord, Recovered, recover
from quorate.impl.core.replica import Replica

B1, B2, B3 = Ballot(1, "b"), Ballot(2, "b"), Ballot(3, "b")


def lines(effects, *events):
    return [
        effect for effect in effects if isinstance(effect, Line) and (not events or effect.event in events)
    ]


def events_of(node):
    return [line.event for boot in node.lines.values() for line in boot]


def sent(effects):
    return [sent.message for line in lines(effects) for sent in line.send]


class Peer:
    """Speaks as a peer of `a`, by hand; a persist of `a` is acknowledged at once unless the test holds it."""

    def __init__(self, cluster, name="b"):
        self.cluster, self.name, self.count = cluster, name, 0

    def say(self, kind, *fields, hold=False):
        """Send a message to `a`; what `a` does about it."""
        self.count += 1
        message = kind(MessageId(self.name, 1, self.count), *fields)
        effects = self.cluster.step("a", Received(message))
        if not hold:
            before = len(self.cluster.story)
            self.cluster.sync("a")
            effects = effects + [effect for _, effect in self.cluster.story[before:]]
        return effects


def start_without_canvass(cluster):
    """Start `a` anew, as a candidate that has promised itself."""
    cluster.nodes["a"].config["canvass"] = False
    cluster.start("a")
    cluster.tick("a", 60)
    cluster.sync("a")
    cluster.sync("a")


class SilentAudit:
    """A peer by hand says what no whole run would: nothing is known of it from outside."""

    def read(self, node, line):
        if line.event == "apply":
            node.applied += line.entries


@pytest.fixture
def alone(make_cluster):
    """Node `a` of three, started; the test speaks for the others."""
    cluster = make_cluster()
    cluster.audit = SilentAudit()
    return cluster


@pytest.fixture
def peer(alone):
    return Peer(alone)


# Phase 1: leading (P1) -------------------------------------------------------------------


def test_one_phase_1_serves_a_thousand_commands(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    for i in range(1000):
        cluster.submit("a", f"c{i}")
        cluster.settle()
    everything = [line.event for node in cluster.nodes.values() for line in node.lines[1]]
    assert everything.count("prepare") == 1
    assert everything.count("propose") == 1000
    assert len(cluster.answered) == 1000


def test_a_thousand_commands_given_together_travel_in_few_messages(make_cluster):
    cluster = make_cluster(batch_entries_max=100)
    cluster.elect("a")
    cluster.submit("a", *[f"c{i}" for i in range(1000)])
    cluster.settle()
    assert events_of(cluster["a"]).count("propose") == 10
    assert len(cluster.answered) == 1000


def test_a_ballot_is_above_every_ballot_that_was_heard_of(make_cluster):
    cluster = make_cluster()
    cluster.elect("c")
    cluster.crash("c")
    cluster.elect("a")
    assert cluster["a"].status.promised > Ballot(1, "c")


def test_a_refusal_teaches_a_candidate_how_high_to_go(alone, peer):
    start_without_canvass(alone)
    peer.say(Nack, Ballot(1, "a"), Ballot(7, "c"))
    alone.tick("a", 60)
    alone.sync("a")
    alone.sync("a")
    assert alone["a"].status.promised == Ballot(8, "a")


def test_a_supporter_teaches_how_high_to_go(alone, peer):
    alone.tick("a", 60)
    peer.say(Support, 1, Ballot(7, "c"))
    alone.sync("a")
    assert alone["a"].status.promised == Ballot(8, "a")


def test_support_of_an_earlier_canvass_is_not_counted(alone, peer):
    alone.tick("a", 60)
    alone.tick("a", 60)  # a second attempt
    peer.say(Support, 1, None)
    assert alone["a"].status.role == "follower"
    peer.say(Support, 2, None)
    assert alone["a"].status.role == "candidate"


def test_a_ballot_is_durable_before_its_prepare_leaves(make_cluster):
    cluster = make_cluster(canvass=False)
    cluster.tick("a", 60)
    assert [persist.records for persist in cluster["a"].unsynced] == [(BallotRecord(Ballot(1, "a")),)]
    assert not cluster.flying
    cluster.sync("a")
    assert [type(message) for _, message in cluster.flying] == [Prepare, Prepare]
    assert [persist.records for persist in cluster["a"].unsynced] == [(PromiseRecord(Ballot(1, "a")),)]


def test_a_candidate_promises_itself_only_when_its_prepare_has_left(alone, peer):
    alone.nodes["a"].config["canvass"] = False
    alone.start("a")
    peer.say(Accept, B1, ((1, "x"),), 0, hold=True)
    alone.tick("a", 100)
    alone.sync("a", 1)  # the acceptance, not yet the ballot
    assert [persist.records for persist in alone["a"].unsynced] == [(BallotRecord(Ballot(2, "a")),)]
    alone.sync("a")
    assert [persist.records for persist in alone["a"].unsynced] == [(PromiseRecord(Ballot(2, "a")),)]


def test_a_ballot_is_not_used_again_after_a_crash(make_cluster):
    cluster = make_cluster(canvass=False)
    cluster.tick("a", 60)
    cluster.crash("a", kept=1)
    cluster.start("a")
    cluster.tick("a", 60)
    assert BallotRecord(Ballot(2, "a")) in cluster["a"].unsynced[0].records


def test_a_leader_counts_its_own_promise_only_when_it_is_durable(make_cluster):
    cluster = make_cluster(canvass=False)
    cluster.tick("a", 60)
    cluster.sync("a")  # the ballot, not yet the promise
    cluster.deliver()
    cluster.sync("b")
    while cluster.flying:
        cluster.deliver()
    assert cluster["a"].status.role == "candidate"
    cluster.sync("a")
    assert cluster["a"].status.role == "leader"


def test_a_promise_of_another_ballot_is_not_counted(alone, peer):
    start_without_canvass(alone)
    alone.tick("a", 60)  # time is up: a second ballot
    alone.sync("a")
    alone.sync("a")
    assert alone["a"].status.promised == Ballot(2, "a")
    peer.say(Promise, Ballot(1, "a"), (), 0)
    assert alone["a"].status.role == "candidate"
    peer.say(Promise, Ballot(2, "a"), (), 0)
    assert alone["a"].status.role == "leader"


def test_a_candidate_is_the_more_patient_the_more_of_its_ballots_came_to_nothing(make_cluster):
    """Its range of 30 ms is doubled, up to 240 ms."""
    cluster = make_cluster(canvass=False)
    node = cluster["a"]
    rounds = 0

    def patience() -> int:
        nonlocal rounds
        rounds += 1
        for ms in range(1, 400):
            cluster.tick("a", 1, 0.999)
            cluster.sync("a")
            cluster.sync("a")
            if node.status.promised == Ballot(rounds, "a"):
                return ms
        raise AssertionError("it gave up")

    patience()  # drawn when it was started
    assert [patience() for _ in range(6)] == [59, 89, 149, 269, 269, 269]


def test_whoever_hears_a_leader_is_no_more_patient_than_usual_whatever_came_to_nothing_before(alone, peer):
    """It has lost to another's ballot: it has begun nothing, and waits from a range that had grown."""
    start_without_canvass(alone)
    while alone["a"].status.promised.round < 4:
        alone.tick("a", 1, 0.999)
        alone.sync("a")
        alone.sync("a")
    peer.say(Prepare, Ballot(9, "b"))
    alone.tick("a", 1, 0.999)
    peer.say(Heartbeat, Ballot(9, "b"), 0)
    alone.tick("a", 58, 0.999)
    assert alone["a"].status.role == "follower"
    alone.tick("a", 1, 0.999)
    alone.sync("a")
    assert alone["a"].status.role == "candidate"


def test_support_that_comes_after_a_question_was_repeated_is_counted(alone, peer):
    """Where answers take longer than `resend_ms` nobody would ever lead."""
    alone.tick("a", 60, 0.9)
    [attempt] = {message.attempt for _, message in alone.flying}
    alone.flying.clear()
    alone.tick("a", 20)
    assert [message.attempt for _, message in alone.flying] == [attempt] * 2, "the same question"
    peer.say(Support, attempt, None)
    alone.sync("a")
    assert alone["a"].status.role == "candidate"


def test_whoever_supports_is_not_asked_again_until_a_new_canvass_forgets_that(make_cluster):
    cluster = make_cluster("abcde")
    cluster.audit = SilentAudit()
    cluster.tick("a", 60, 0.999)
    [attempt] = {message.attempt for _, message in cluster.flying}
    cluster.flying.clear()
    Peer(cluster).say(Support, attempt, None)
    cluster.tick("a", 20, 0.999)
    assert [(name, message.attempt) for name, message in cluster.flying] == [
        (name, attempt) for name in "cde"
    ]
    cluster.flying.clear()
    cluster.tick("a", 40, 0.999)
    assert [(name, message.attempt) for name, message in cluster.flying] == [
        (name, attempt + 1) for name in "bcde"
    ]


def test_a_candidate_without_answers_asks_the_silent_again(make_cluster):
    cluster = make_cluster(canvass=False)
    cluster.tick("a", 60, 0.9)
    cluster.sync("a")
    cluster.sync("a")
    cluster.flying.clear()
    cluster.tick("a", 20)
    assert [message.ballot for _, message in cluster.flying] == [Ballot(1, "a")] * 2
    assert events_of(cluster["a"])[-1] == "resend"


def test_a_candidate_does_not_ask_again_who_answered(make_cluster):
    cluster = make_cluster("abcde", canvass=False)
    cluster.tick("a", 60, 0.9)
    cluster.sync("a")
    cluster.sync("a")
    cluster.flying = [(name, message) for name, message in cluster.flying if name == "b"]
    cluster.settle()
    cluster.tick("a", 20)
    assert [name for name, _ in cluster.flying] == ["c", "d", "e"]


# The acceptor's promise (P2) -------------------------------------------------------------


def test_an_acceptor_promises_nothing_below_its_promise(peer):
    peer.say(Prepare, B2)
    [nack] = sent(peer.say(Prepare, B1))
    assert isinstance(nack, Nack)
    assert (nack.ballot, nack.promised) == (B1, B2)


def test_an_acceptor_accepts_nothing_below_its_promise(peer):
    peer.say(Prepare, B2)
    effects = peer.say(Accept, B1, ((1, "x"),), 0)
    assert [line.event for line in lines(effects)] == ["nack"]
    assert not [effect for effect in effects if isinstance(effect, Persist)]


def test_accepting_raises_the_promise(peer):
    peer.say(Accept, B2, ((1, "x"),), 0)
    assert lines(peer.say(Prepare, B1))[0].event == "nack"


def test_a_promise_reports_the_latest_acceptance_of_every_slot(peer):
    peer.say(Accept, B1, ((1, "x"), (2, "y")), 0)
    peer.say(Accept, B2, ((2, "z"), (7, "w")), 0)
    [promise] = sent(peer.say(Prepare, B3))
    assert promise.accepted == ((1, B1, "x"), (2, B2, "z"), (7, B2, "w"))
    assert promise.low == 0


def test_a_promise_reports_nothing_of_what_the_candidate_knows(peer):
    peer.say(Accept, B1, ((1, "x"), (2, "y"), (3, "z")), 0)
    [promise] = sent(peer.say(Prepare, B2, 2))
    assert (promise.accepted, promise.above) == (((3, B1, "z"),), 2)
    peer.say(Accept, B2, ((3, "z"), (4, "w")), 0)
    [again] = sent(peer.say(Prepare, B2, 3))
    assert (again.accepted, again.above) == (promise.accepted, 2), "asked again it says what it said"


def test_a_repeated_prepare_gets_the_promise_that_it_got(peer):
    peer.say(Accept, B1, ((1, "x"),), 0)
    [first] = sent(peer.say(Prepare, B2))
    peer.say(Accept, B2, ((1, "x"), (2, "y")), 0)
    effects = peer.say(Prepare, B2)
    [again] = sent(effects)
    assert lines(effects)[0].event == "resend"
    assert (again.ballot, again.accepted) == (first.ballot, first.accepted)
    assert again.id != first.id


def test_whoever_accepted_in_a_ballot_does_not_promise_it_any_more(peer):
    peer.say(Prepare, B1)
    peer.say(Accept, B2, ((1, "x"),), 0)
    effects = peer.say(Prepare, B2)
    assert [line.event for line in lines(effects)] == ["ignore"]
    assert not sent(effects)


# A new leader reconciles (P3) ------------------------------------------------------------


def lead_with_reports(cluster, peer, accepted):
    start_without_canvass(cluster)
    return peer.say(Promise, cluster["a"].status.promised, accepted, 0)


def test_a_new_leader_proposes_the_value_of_the_highest_ballot(alone, peer):
    peer.say(Accept, B1, ((1, "own"),), 0)
    effects = lead_with_reports(alone, peer, ((1, Ballot(1, "c"), "theirs"),))
    assert lines(effects, "propose")[0].entries == ((1, "theirs"),)


def test_a_new_leader_prefers_its_own_report_if_it_is_higher(alone, peer):
    peer.say(Accept, B2, ((1, "own"),), 0)
    effects = lead_with_reports(alone, peer, ((1, Ballot(1, "c"), "theirs"),))
    assert lines(effects, "propose")[0].entries == ((1, "own"),)


def test_a_value_that_one_acceptor_reports_is_proposed_again(alone, peer):
    effects = lead_with_reports(alone, peer, ((1, B1, "lonely"),))
    assert lines(effects, "propose")[0].entries == ((1, "lonely"),)


def test_gaps_are_filled_with_no_ops(alone, peer):
    effects = lead_with_reports(alone, peer, ((2, B1, "x"), (4, B1, "y")))
    assert lines(effects, "propose")[0].entries == ((1, NOOP), (2, "x"), (3, NOOP), (4, "y"))


def test_reports_go_before_new_commands(alone, peer):
    alone.nodes["a"].config.update(batch_entries_max=1, window_batches_max=1)
    lead_with_reports(alone, peer, ((1, B1, "old"), (2, B1, "older")))
    alone.submit("a", "new")
    proposed = []
    for slot in (1, 2, 3):
        proposed += lines([effect for _, effect in alone.story], "propose")[-1].entries
        peer.say(Accepted, alone["a"].status.promised, (slot,))
    assert proposed == [(1, "old"), (2, "older"), (3, "new")]


def test_what_is_known_to_be_chosen_is_not_proposed_again(alone, peer):
    peer.say(Accept, B1, ((1, "x"), (2, "y")), 0)
    peer.say(Heartbeat, B1, 2)
    effects = lead_with_reports_in_this_boot(alone, peer)
    assert not lines(effects, "propose")


def lead_with_reports_in_this_boot(cluster, peer):
    cluster.tick("a", 100)
    peer.say(Support, cluster_attempt(cluster), None)
    return peer.say(Promise, cluster["a"].status.promised, ((1, B1, "x"), (2, B1, "y")), 0)


def cluster_attempt(cluster):
    return [message.attempt for _, message in cluster.flying if isinstance(message, Canvass)][-1]


# Phase 2 (P4) ----------------------------------------------------------------------------


def test_many_slots_are_in_flight_together(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    for i in range(10):
        cluster.submit("a", f"c{i}")
        cluster.sync("a")
    accepts = [message for name, message in cluster.flying if name == "b" and isinstance(message, Accept)]
    assert [message.entries for message in accepts] == [((i + 1, f"c{i}"),) for i in range(10)]


def test_the_window_bounds_what_is_in_flight_and_what_waits_is_batched(make_cluster):
    cluster = make_cluster(window_batches_max=2)
    cluster.elect("a")
    for i in range(10):
        cluster.submit("a", f"c{i}")
        cluster.sync("a")
    assert len([m for name, m in cluster.flying if name == "b" and isinstance(m, Accept)]) == 2
    cluster.settle()
    sizes = [len(line.entries) for line in lines([e for _, e in cluster.story], "propose")]
    assert sizes == [1, 1, 8]
    assert len(cluster.answered) == 10


def test_a_batch_is_bounded_by_its_size_and_a_large_value_travels_alone(make_cluster):
    cluster = make_cluster(batch_bytes_max=10)
    cluster.elect("a")
    cluster.submit("a", "x" * 6, "y" * 6, "z" * 40, "w", "v")
    cluster.settle()
    sizes = [[len(v) for _, v in line.entries] for line in lines([e for _, e in cluster.story], "propose")]
    assert sizes == [[6], [6], [40], [1, 1]]


def test_commands_beyond_the_backlog_are_refused(make_cluster):
    cluster = make_cluster(backlog_entries_max=3)
    cluster.elect("a")
    tickets = cluster.submit("a", *[f"c{i}" for i in range(5)])
    cluster.settle()
    assert cluster.refused == dict.fromkeys(tickets[3:], "too many commands wait")
    assert set(cluster.answered) == set(tickets[:3])


def test_commands_in_the_backlog_count_against_it(make_cluster):
    cluster = make_cluster(backlog_entries_max=3, window_batches_max=1)
    cluster.elect("a")
    cluster.submit("a", "flies")
    cluster.submit("a", "waits 1", "waits 2")
    tickets = cluster.submit("a", "waits 3", "too many")
    cluster.settle()
    assert set(cluster.refused) == {tickets[1]}


# Chosen, committed, learned, applied (P5) ------------------------------------------------


def test_a_value_is_chosen_when_a_quorum_accepted_it_in_one_ballot(make_cluster):
    cluster = make_cluster("abcde")
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.sync("a")
    answers = 0
    while not cluster.answered:
        cluster.deliver()
        for name in "bcde":
            cluster.sync(name)
        answers = len([line for line in cluster["a"].lines[1] if isinstance(line.recv, Accepted)])
    assert answers == 2  # and its own


def test_a_leader_counts_its_own_acceptance_only_when_it_is_durable(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.deliver()
    cluster.sync("b")
    while cluster.flying:
        cluster.deliver()
    assert not cluster.answered
    cluster.sync("a")
    assert cluster.answered


def test_a_repeated_answer_counts_once(alone, peer):
    alone.nodes["a"].config.update(nodes=tuple("abcde"))
    start_without_canvass(alone)
    ballot = alone["a"].status.promised
    peer.say(Promise, ballot, (), 0)
    peer.say(Promise, ballot, (), 0)
    assert alone["a"].status.role == "candidate"
    Peer(alone, "c").say(Promise, ballot, (), 0)
    alone.submit("a", "x")
    peer.say(Accepted, ballot, (1,))
    peer.say(Accepted, ballot, (1,))
    assert not alone.answered
    Peer(alone, "c").say(Accepted, ballot, (1,))
    assert alone.answered


@pytest.mark.parametrize("slots", [(1,), (2,), (1, 3), (1, 2, 3)])
def test_an_answer_to_other_slots_than_a_batch_has_is_not_counted_for_it(make_cluster, slots):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.audit = SilentAudit()
    cluster.submit("a", "x", "y")
    cluster.sync("a")
    cluster.step("a", Received(Accepted(MessageId("b", 1, 99), Ballot(1, "a"), slots)))
    assert not cluster.answered
    cluster.step("a", Received(Accepted(MessageId("b", 1, 100), Ballot(1, "a"), (1, 2))))
    assert len(cluster.answered) == 2


def test_the_commit_index_rides_on_the_next_accept(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.settle()
    assert cluster["b"].applied == []
    cluster.submit("a", "y")
    cluster.settle()
    assert cluster["b"].applied == [(1, "x")]


def test_an_idle_leader_says_so_in_a_heartbeat(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.settle()
    cluster.tick("a", 10)
    cluster.settle()
    assert cluster["b"].applied == cluster["c"].applied == [(1, "x")]


def test_a_heartbeat_comes_only_when_nothing_else_was_said_for_long(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    beats = []
    for ms in (9, 1, 9, 1):
        cluster.tick("a", ms)
        beats.append(len(cluster.flying))
        cluster.flying.clear()
    cluster.tick("a", 9)
    cluster.submit("a", "x")
    cluster.settle()
    cluster.tick("a", 9)
    assert (beats, cluster.flying) == ([0, 2, 0, 2], [])


def test_an_acceptance_of_an_older_ballot_does_not_tell_what_is_chosen(peer, alone):
    peer.say(Accept, B1, ((1, "perhaps"),), 0)
    effects = peer.say(Heartbeat, B2, 1)
    assert not lines(effects, "commit", "apply")
    [ask] = sent(effects)
    assert isinstance(ask, Ask)
    assert (ask.first, ask.last) == (1, 1)


def test_a_follower_asks_for_what_it_misses_and_applies_in_order(peer, alone):
    peer.say(Accept, B1, ((3, "z"),), 0)
    effects = peer.say(Accept, B1, ((4, "w"),), 3)
    assert [(ask.first, ask.last) for ask in sent(effects) if isinstance(ask, Ask)] == [(1, 3)]
    assert alone["a"].applied == []
    peer.say(Learn, ((1, "x"), (2, "y")))
    assert alone["a"].applied == [(1, "x"), (2, "y"), (3, "z")]


def test_a_question_is_not_repeated_at_once_but_after_a_while(peer, alone):
    asks = [isinstance(m, Ask) for m in sent(peer.say(Heartbeat, B1, 5))]
    asks += [isinstance(m, Ask) for m in sent(peer.say(Heartbeat, B1, 5))]
    alone.tick("a", 20)
    asks += [isinstance(m, Ask) for m in sent(peer.say(Heartbeat, B1, 5))]
    assert asks == [True, True]


def test_a_long_absence_is_made_up_for_message_by_message(make_cluster):
    cluster = make_cluster(batch_entries_max=10)
    cluster.elect("a")
    cluster.crash("c")
    cluster.submit("a", *[f"c{i}" for i in range(95)])
    cluster.settle()
    cluster.start("c")
    cluster.tick("a", 10)
    cluster.settle()
    assert cluster["c"].applied == cluster["a"].applied
    assert len(cluster["c"].applied) == 95
    learned = [line.recv for line in cluster["c"].lines[2] if isinstance(line.recv, Learn)]
    assert [len(learn.entries) for learn in learned] == [10] * 9 + [5]


def test_what_is_asked_for_is_taught_as_far_as_it_is_known(peer):
    peer.say(Learn, ((1, "x"), (2, "y")))
    [learn] = sent(peer.say(Ask, 1, 9))
    assert learn.entries == ((1, "x"), (2, "y"))
    assert not sent(peer.say(Ask, 3, 9))


def test_a_lesson_is_bounded_by_its_size_and_a_large_value_travels_alone(make_cluster):
    cluster = make_cluster(batch_bytes_max=10)
    cluster.elect("a")
    cluster.submit("a", "x" * 6, "y" * 40, "z", "w")
    cluster.settle()
    lessons = [
        sent(cluster.step("a", Received(Ask(MessageId("b", 1, 90 + first), first, 4))))[0].entries
        for first in (1, 2, 3)
    ]
    assert [[slot for slot, _ in entries] for entries in lessons] == [[1], [2], [3, 4]]


def test_an_entry_above_a_gap_is_not_learned(peer, alone):
    effects = peer.say(Learn, ((2, "y"),))
    assert [line.event for line in lines(effects)] == ["ignore"]
    assert alone["a"].status.committed == 0


def test_a_leader_learns_from_nobody(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    effects = cluster.step("a", Received(Learn(MessageId("b", 1, 99), ((1, "x"),))))
    assert [line.event for line in lines(effects)] == ["ignore"]
    assert cluster["a"].status.committed == 0


def test_two_chosen_values_in_a_slot_stop_the_node(peer):
    peer.say(Learn, ((1, "x"),))
    with pytest.raises(BrokenAgreement, match="slot 1"):
        peer.say(Learn, ((1, "y"),))


# Durability (P6) -------------------------------------------------------------------------


def test_a_promise_leaves_only_when_it_is_durable(peer, alone):
    effects = peer.say(Prepare, B1, hold=True)
    assert [type(effect) for effect in effects] == [Persist]
    assert not sent(effects)
    released = alone.step("a", Persisted(effects[0].number))
    assert [line.event for line in lines(released)] == ["promise"]


def test_an_acceptance_leaves_only_when_it_is_durable(peer, alone):
    effects = peer.say(Accept, B1, ((1, "x"),), 0, hold=True)
    assert effects == [Persist(1, (AcceptRecord(B1, ((1, "x"),)),))]
    released = alone.step("a", Persisted(1))
    assert [line.event for line in lines(released)] == ["accept"]


def test_a_refusal_waits_for_the_promise_that_it_names(peer, alone):
    peer.say(Prepare, B2, hold=True)
    assert peer.say(Prepare, B1, hold=True) == []
    released = alone.step("a", Persisted(1))
    assert [line.event for line in lines(released)] == ["promise", "nack"]


def test_one_sync_releases_what_many_steps_wrote(peer, alone):
    for slot in (1, 2, 3):
        assert not sent(peer.say(Accept, B1, ((slot, "x"),), 0, hold=True))
    released = alone.step("a", Persisted(3))
    assert [message.slots for message in sent(released)] == [(1,), (2,), (3,)]


def test_an_acknowledgement_releases_no_more_than_it_covers(peer, alone):
    for slot in (1, 2, 3):
        peer.say(Accept, B1, ((slot, "x"),), 0, hold=True)
    assert [message.slots for message in sent(alone.step("a", Persisted(2)))] == [(1,), (2,)]
    assert alone.step("a", Persisted(2)) == []


def test_a_proposal_does_not_wait_for_the_leaders_own_disk(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    assert cluster["a"].unsynced
    assert [type(message) for _, message in cluster.flying] == [Accept, Accept]


def test_what_is_given_while_the_disk_is_busy_becomes_one_batch(make_cluster):
    """Nothing could leave meanwhile, and no own acceptance may reach the disk before its proposal the trace."""
    cluster = make_cluster()
    cluster.elect("a")
    for i in range(10):
        cluster.submit("a", f"c{i}")
    assert len(cluster["a"].unsynced) == 1
    cluster.settle()
    sizes = [len(line.entries) for line in lines([e for _, e in cluster.story], "propose")]
    assert sizes == [1, 9]


def test_what_waited_for_the_disk_is_proposed_when_the_disk_is_done(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.deliver()
    cluster.deliver()
    for name in "bc":
        cluster.sync(name)
    while cluster.flying:
        cluster.deliver()  # x is chosen without a's own acceptance
    cluster.submit("a", "y")
    assert not cluster.flying
    cluster.sync("a")
    assert [message.entries for _, message in cluster.flying] == [((2, "y"),)] * 2


def test_a_repeated_accept_is_answered_again_and_written_once(peer):
    peer.say(Accept, B1, ((1, "x"),), 0)
    effects = peer.say(Accept, B1, ((1, "x"),), 0)
    assert [message.slots for message in sent(effects)] == [(1,)]
    assert not [effect for effect in effects if isinstance(effect, Persist)]


def test_an_accept_that_is_half_known_writes_the_other_half(peer, alone):
    peer.say(Accept, B1, ((1, "x"),), 0)
    effects = peer.say(Accept, B1, ((1, "x"), (2, "y")), 0)
    assert [e.records for e in effects if isinstance(e, Persist)] == [(AcceptRecord(B1, ((2, "y"),)),)]
    assert [message.slots for message in sent(effects)] == [(1, 2)]


def test_a_promise_survives_a_crash(peer, alone):
    peer.say(Prepare, B2)
    alone.crash("a", kept=0)
    alone.start("a")
    assert lines(peer.say(Prepare, B1))[0].event == "nack"
    assert lines(peer.say(Prepare, B2))[0].event == "ignore"  # its promise died with the boot
    assert lines(peer.say(Prepare, B3))[0].event == "promise"


def test_an_acceptance_survives_a_crash(peer, alone):
    peer.say(Accept, B1, ((1, "x"),), 0)
    alone.crash("a", kept=0)
    alone.start("a")
    assert sent(peer.say(Prepare, B2))[0].accepted == ((1, B1, "x"),)


def test_recovery_keeps_the_latest_of_everything():
    records = [
        PromiseRecord(B1),
        AcceptRecord(B1, ((2, "x"), (1, "y"))),
        BallotRecord(Ballot(2, "a")),
        PromiseRecord(Ballot(2, "a")),
        AcceptRecord(B3, ((2, "z"),)),
    ]
    expected = Recovered(B3, ((1, B1, "y"), (2, B3, "z")), 0, Ballot(2, "a"))
    assert recover(records) == expected
    assert recover([]) == Recovered()
    assert recover([PromiseRecord(B2), AcceptRecord(B1, ((1, "x"),))]).promised == B2
    assert recover([BallotRecord(B2), BallotRecord(B1)]).ballot_used == B2


def test_the_start_line_tells_what_was_recovered(peer, alone):
    peer.say(Accept, B1, ((1, "x"),), 0)
    alone.crash("a", kept=0)
    alone.start("a")
    line = alone["a"].lines[2][0]
    assert (line.promised, line.accepted, line.low, line.ballot_used) == (B1, ((1, B1, "x"),), 0, None)
    assert line.nodes == ("a", "b", "c")
    assert (line.phase1, line.phase2) == (UNSET, UNSET)  # majorities


# Stepping down (P7) ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Prepare, (Ballot(9, "b"),)),
        (Accept, (Ballot(9, "b"), ((1, "y"),), 0)),
        (Heartbeat, (Ballot(9, "b"), 0)),
        (Nack, (Ballot(1, "a"), Ballot(9, "b"))),
    ],
    ids=["prepare", "accept", "heartbeat", "nack"],
)
def test_a_leader_that_meets_a_higher_ballot_steps_down_and_answers_its_clients(make_cluster, kind, fields):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.audit = SilentAudit()
    cluster.nodes["a"].config["window_batches_max"] = 1
    tickets = cluster.submit("a", "flying") + cluster.submit("a", "waiting")
    Peer(cluster).say(kind, *fields)
    assert cluster["a"].status.role == "follower"
    assert set(cluster.refused) == set(tickets)


def test_a_stale_refusal_deposes_nobody(make_cluster):
    cluster = make_cluster(canvass=False)
    cluster.tick("a", 60)  # a first ballot, that nobody answers
    cluster.sync("a")
    cluster.flying.clear()
    cluster.tick("a", 60)  # a second one
    cluster.settle()
    assert cluster["a"].status.promised == Ballot(2, "a")
    cluster.step("a", Received(Nack(MessageId("b", 1, 99), Ballot(1, "a"), Ballot(1, "b"))))
    assert cluster["a"].status.role == "leader"


def test_late_acceptances_of_a_deposed_leader_choose_nothing(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.sync("a")
    cluster.audit = SilentAudit()
    Peer(cluster).say(Prepare, Ballot(9, "b"))
    effects = Peer(cluster, "c").say(Accepted, Ballot(1, "a"), (1,))
    assert [line.event for line in lines(effects)] == ["ignore"]


def test_an_acceptance_of_its_earlier_ballot_is_not_counted_by_a_leader(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.sync("a")
    cluster.flying.clear()
    cluster.audit = SilentAudit()
    Peer(cluster).say(Nack, Ballot(1, "a"), Ballot(5, "b"))
    cluster.elect("a")
    cluster.flying.clear()
    assert cluster["a"].status.promised == Ballot(6, "a")
    cluster.answered.clear()
    [ticket] = cluster.submit("a", "y")
    cluster.sync("a")
    cluster.flying.clear()
    slot = cluster["a"].status.committed + 1
    Peer(cluster, "b").say(Accepted, Ballot(1, "a"), (slot,))
    Peer(cluster, "c").say(Accepted, Ballot(1, "a"), (slot,))
    assert not cluster.answered
    Peer(cluster, "c").say(Accepted, Ballot(6, "a"), (slot,))
    assert list(cluster.answered) == [ticket]


def test_a_returning_leader_does_no_harm(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.cut = {"a"}
    lost = cluster.submit("a", "cut off")
    cluster.settle()
    cluster.elect("b")
    cluster.submit("b", "new")
    cluster.settle()
    cluster.cut = set()
    cluster.pass_time(60)
    assert cluster["b"].status.role == "leader"
    assert cluster["a"].applied == cluster["b"].applied
    assert [value for _, value in cluster["a"].applied if value != NOOP] == ["new"]
    assert set(cluster.refused) == set(lost)


def test_a_follower_sends_clients_to_the_leader(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("b", "x")
    refusal = cluster.story[-1][1]
    assert (refusal.tickets, refusal.leader) == ((1,), "a")


# Stability (the beginnings of P8) --------------------------------------------------------


def test_a_node_that_was_cut_off_and_returns_deposes_nobody(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.cut = {"c"}
    cluster.pass_time(500)
    cluster.cut = set()
    cluster.pass_time(200)
    assert cluster["a"].status.role == "leader"
    assert sum(events_of(node).count("prepare") for node in cluster.nodes.values()) == 1


def test_without_the_canvass_it_does(make_cluster):
    cluster = make_cluster(canvass=False)
    cluster.elect("a")
    ballot = cluster["a"].status.promised
    cluster.cut = {"c"}
    cluster.pass_time(500)
    cluster.cut = set()
    cluster.pass_time(200)
    assert cluster["a"].status.promised > ballot


def test_who_hears_a_leader_supports_no_other(peer, alone):
    alone.tick("a", 20)
    peer.say(Heartbeat, B1, 0)
    alone.tick("a", 29)
    assert not sent(Peer(alone, "c").say(Canvass, 1))
    alone.tick("a", 1, 0.9)
    [support] = sent(Peer(alone, "c").say(Canvass, 2))
    assert (support.attempt, support.promised) == (2, None)


def test_a_leader_supports_no_other(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    assert not sent(cluster.step("a", Received(Canvass(MessageId("b", 1, 99), 1))))
    cluster.tick("a", 500)
    assert not [
        m for m in sent(cluster.step("a", Received(Canvass(MessageId("b", 1, 100), 2)))) if type(m) is Support
    ]


def test_a_newcomer_supports_nobody_before_it_has_listened(alone, peer):
    alone.tick("a", 29)
    assert not sent(peer.say(Canvass, 1))


def test_a_ballot_is_opened_with_the_support_of_a_quorum(make_cluster):
    cluster = make_cluster("abcde")
    cluster.tick("a", 60)
    Peer(cluster, "b").say(Support, 1, None)
    Peer(cluster, "b").say(Support, 1, None)
    assert cluster["a"].status.role == "follower"
    Peer(cluster, "c").say(Support, 1, None)
    assert cluster["a"].status.role == "candidate"


def test_a_leader_that_is_cut_off_sends_its_clients_elsewhere(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.cut = {"a"}
    tickets = cluster.submit("a", "x")
    cluster.pass_time(220, "a")
    assert cluster.refused == dict.fromkeys(tickets, "no quorum answers")
    assert cluster["a"].status.role == "follower"


def test_an_unanswered_proposal_is_sent_again_as_it_was_to_the_silent(make_cluster):
    cluster = make_cluster("abcde")
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.settle()
    cluster.submit("a", "y")
    cluster.sync("a")
    original = next(message for _, message in cluster.flying if isinstance(message, Accept))
    cluster.flying = [(name, message) for name, message in cluster.flying if name == "b"]
    cluster.settle()
    cluster.tick("a", 20)
    again = [(name, m) for name, m in cluster.flying if isinstance(m, Accept)]
    assert [name for name, _ in again] == ["c", "d", "e"]
    assert all((m.entries, m.commit) == (original.entries, original.commit) for _, m in again)
    for pause_ms in (40, 80):  # twice as long each time
        cluster.flying.clear()
        cluster.tick("a", pause_ms - 1)
        assert not [m for _, m in cluster.flying if isinstance(m, Accept)]
        cluster.tick("a", 1)
        assert len([m for _, m in cluster.flying if isinstance(m, Accept)]) == 3


@pytest.mark.parametrize("n", [1, 2])
def test_a_cluster_without_spare_nodes_works(make_cluster, n):
    cluster = make_cluster("ab"[:n])
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.settle()
    assert len(cluster.answered) == 1


# The caller's duties, and what peers may not say -----------------------------------------


def test_a_replica_is_started_once_and_first(bare_cluster):
    cluster = bare_cluster()
    cluster["a"].boot_up()
    with pytest.raises(CallerError, match="Start first"):
        cluster["a"].replica.step(Tick(0, 0.5))
    cluster.step("a", Start(0, 0.5))
    with pytest.raises(CallerError, match="started already"):
        cluster.step("a", Start(0, 0.5))


def test_a_stopped_replica_says_so_last_and_takes_nothing_more(peer, alone):
    peer.say(Accept, B1, ((1, "x"),), 0, hold=True)
    assert alone.step("a", Stop()) == []
    with pytest.raises(CallerError, match="is stopped"):
        alone.step("a", Tick(1100, 0.5))
    released = alone.step("a", Persisted(1))
    assert [line.event for line in lines(released)] == ["accept", "stop"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Persisted(1), "only 0 were issued"),
        (Tick(999, 0.5), "monotonic"),
        (Tick(1005, 1.0), "0 <= draw < 1"),
        (Submitted(((1, NOOP),)), "no command"),
    ],
)
def test_a_broken_duty_is_named(alone, event, reason):
    with pytest.raises(CallerError, match=reason):
        alone.step("a", event)


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        (Prepare, (Ballot(1, "c"),), "speaks for"),
        (Accept, (Ballot(1, "c"), ((1, "x"),), 0), "speaks for"),
        (Heartbeat, (Ballot(1, "c"), 0), "speaks for"),
        (Accept, (B1, (), 0), "proposes nothing"),
        (Accepted, (Ballot(1, "a"), ()), "never opened"),
        (Promise, (Ballot(1, "a"), (), 0), "never opened"),
        (Accepted, (Ballot(1, "a"), (1,)), "never opened"),
        (Nack, (Ballot(1, "a"), B1), "never opened"),
    ],
)
def test_what_no_correct_peer_says_is_refused_and_changes_nothing(peer, alone, kind, fields, reason):
    before = alone["a"].status
    with pytest.raises(PeerError, match=reason):
        peer.say(kind, *fields)
    assert alone["a"].status == before


def test_two_values_of_one_ballot_in_one_slot_are_refused(peer):
    peer.say(Accept, B1, ((1, "x"),), 0)
    with pytest.raises(PeerError, match="two values in slot 1"):
        peer.say(Accept, B1, ((1, "y"),), 0)


def test_a_refusal_for_no_higher_ballot_is_refused(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    with pytest.raises(PeerError, match="not higher"):
        cluster.step("a", Received(Nack(MessageId("b", 1, 99), Ballot(1, "a"), Ballot(1, "a"))))
    assert cluster["a"].status.role == "leader"


def test_an_answer_that_names_no_slot_is_refused(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    with pytest.raises(PeerError, match="names no slot"):
        cluster.step("a", Received(Accepted(MessageId("b", 1, 99), Ballot(1, "a"), ())))


def test_a_stranger_is_refused(alone):
    with pytest.raises(PeerError, match="not a peer"):
        Peer(alone, "z").say(Prepare, Ballot(1, "z"))


def test_another_nodes_data_is_refused(bare_cluster):
    cluster = bare_cluster()
    cluster["a"].disk = [BallotRecord(B1)]
    with pytest.raises(CallerError, match="another node's data"):
        cluster["a"].boot_up()


def test_an_acceptance_above_the_promise_is_refused():
    with pytest.raises(CallerError, match=r"slot 1 is accepted in 2\.b, above the promise 1\.b"):
        Replica(Config(node="a", nodes=("a", "b"), boot=1), Recovered(B1, ((1, B2, "x"),)))

"""A read sees all that was acknowledged before it began, and takes no slot; a leader gives way when it is told to."""

from __future__ import annotations

import pytest

from quorate.impl.core.effects import Line, Readable, Refuse
from quorate.impl.core.events import Announce, Asked, Received, Transfer
from quorate.impl.core.messages import Ballot, Confirm, Confirmed, Handover, Heartbeat, MessageId


def asked(cluster, *names):
    """Who is asked to confirm, of the messages under way."""
    return sorted(name for name, message in cluster.flying if isinstance(message, Confirm))


def test_a_quorum_confirms_a_read_at_the_commit_index(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.settle()
    ticket = cluster.ask("a")
    assert asked(cluster) == ["b", "c"]
    assert ticket not in cluster.indexes
    cluster.settle()
    assert cluster.indexes[ticket] == cluster["a"].status.committed == 1


def test_one_confirmation_is_enough_in_three(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    ticket = cluster.ask("a")
    cluster.deliver()
    assert ticket not in cluster.indexes
    cluster.deliver(-1)
    assert ticket in cluster.indexes


def test_reads_that_come_during_a_round_share_the_next(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    first = cluster.ask("a")
    others = [cluster.ask("a") for _ in range(50)]
    assert len(asked(cluster)) == 2
    cluster.deliver()
    cluster.deliver(-1)
    assert list(cluster.indexes) == [first]
    assert len(asked(cluster)) == 3, "one of the first round, two of the next"
    cluster.settle()
    assert sorted(cluster.indexes) == [first, *others]


def test_a_confirmation_of_an_earlier_round_is_not_counted(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.ask("a")
    cluster.settle()
    ballot = cluster["a"].status.promised
    ticket = cluster.ask("a")
    cluster.step("a", Received(Confirmed(MessageId("b", 1, 999), ballot, 1)))
    assert ticket not in cluster.indexes


def test_a_node_that_left_the_ballot_does_not_confirm_and_the_old_leader_gives_up(make_cluster):
    """The old leader is cut off; another leads and commits; a read at the old one must not be answered."""
    cluster = make_cluster()
    cluster.elect("a")
    cluster.cut = {"a"}
    cluster.elect("b")
    cluster.submit("b", "new")
    cluster.settle()
    assert cluster["a"].status.role == "leader", "it does not know yet"
    cluster.cut = set()
    ticket = cluster.ask("a")
    while asked(cluster):
        cluster.deliver(
            next(i for i, (_, message) in enumerate(cluster.flying) if isinstance(message, Confirm))
        )
    cluster.settle()
    assert ticket not in cluster.indexes
    assert ticket not in cluster.reads, "it was refused"
    assert cluster["a"].status.role == "follower"


def test_a_cut_off_leader_answers_no_read(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.cut = {"a"}
    ticket = cluster.ask("a")
    cluster.pass_time(50)
    assert ticket not in cluster.indexes


def test_a_read_is_not_answered_below_what_the_reports_force(make_cluster):
    """The last leader may have acknowledged what the new one only knows from reports."""
    cluster = make_cluster(canvass=False)
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.sync("a")
    for _ in range(2):
        cluster.deliver()
    for name in "bc":
        cluster.sync(name)
    while cluster.flying:  # the answers reach a, which acknowledges x; b and c do not hear of that
        cluster.deliver(-1)
    assert cluster.acknowledged == 1
    cluster.crash("a", 0)
    cluster.cut = {"a"}
    for _ in range(100):
        if cluster["b"].status.role == "leader":
            break
        cluster.tick("b", 10, 0.0)
        for name in "bc":
            cluster.sync(name)
        if cluster["b"].status.role != "leader":
            for _ in range(len(cluster.flying)):
                if cluster["b"].status.role != "leader":
                    cluster.deliver()
    assert cluster["b"].status.committed == 0
    ticket = cluster.ask("b")
    cluster.settle()
    assert cluster.indexes[ticket] >= 1


def test_a_lost_question_is_asked_again_of_who_is_silent(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    ticket = cluster.ask("a")
    cluster.flying.clear()
    cluster.tick("a", 25)
    assert asked(cluster) == ["b", "c"]
    cluster.settle()
    assert ticket in cluster.indexes


def test_who_does_not_lead_refuses_reads(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    effects = cluster["b"].replica.step(Asked((7,)))
    assert effects == [Refuse((7,), "this node does not lead", "a")]


def test_a_leader_that_steps_down_refuses_the_reads_that_wait(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.ask("a")
    cluster.ask("a")
    cluster.step("a", Received(Heartbeat(MessageId("b", 1, 999), Ballot(99, "b"), 0)))
    assert not cluster.reads
    assert not cluster.indexes


def test_a_single_node_confirms_itself(make_cluster):
    cluster = make_cluster("a")
    cluster.elect("a")
    effects = cluster["a"].replica.step(Asked((7,)))
    assert effects == [Readable((7,), 0)]


@pytest.mark.parametrize("seed", range(12))
def test_no_read_of_a_random_run_is_stale(make_cluster, seed):
    cluster = make_cluster(seed=seed)
    cluster.crash_chance = 0.001
    cluster.wander(1500)
    cluster.heal()


def test_random_runs_have_reads_that_are_answered(make_cluster):
    found = 0
    for seed in range(4):
        cluster = make_cluster(seed=seed)
        cluster.wander(1500)
        found += len(cluster.indexes)
    assert found > 5


def test_an_announcement_tells_the_commit_index_once(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.settle()
    assert [cluster[name].status.committed for name in "abc"] == [1, 0, 0]
    cluster.step("a", Announce())
    cluster.step("a", Announce())
    assert len(cluster.flying) == 2
    cluster.settle()
    assert [cluster[name].status.committed for name in "abc"] == [1, 1, 1]
    cluster.step("b", Announce())
    assert not cluster.flying


def test_a_leader_hands_over_when_it_is_told_to(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.submit("a", "x")
    cluster.settle()
    cluster.step("a", Transfer("c"))
    cluster.settle()
    assert [cluster[name].status.role for name in "abc"] == ["follower", "follower", "leader"]
    assert cluster["c"].status.promised == Ballot(2, "c")
    cluster.heal()


def test_only_a_leader_hands_over_and_only_to_a_peer(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.step("b", Transfer("c"))
    for nobody in ("a", "x"):
        cluster.step("a", Transfer(nobody))
    assert not cluster.flying


def test_a_handover_of_a_ballot_that_was_left_is_stale(make_cluster):
    cluster = make_cluster()
    cluster.elect("a")
    cluster.step("a", Transfer("b"))
    cluster.settle()
    effects = cluster["c"].replica.step(Received(Handover(MessageId("a", 1, 999), Ballot(1, "a"))))
    assert [effect.reason for effect in effects if isinstance(effect, Line)] == ["stale"]
    assert cluster["c"].status.role == "follower"

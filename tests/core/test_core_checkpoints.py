"""Checkpoints of the core: of what was applied, truncated one later, fetched in pieces, in nobody's way."""

import pytest

from quorate.impl.core.config import Config
from quorate.impl.core.effects import Checkpoint, Install, KeepPiece, Line, Persist, Restore, Truncate
from quorate.impl.core.errors import CallerError, ConfigError
from quorate.impl.core.events import Abandoned, Checkpointed, Installed, Persisted, Received, Start
from quorate.impl.core.messages import (
    Accept,
    Ballot,
    Fetch,
    Heartbeat,
    Learn,
    MessageId,
    Prepare,
    Snapshot,
)
from quorate.impl.core.records import AcceptRecord, Recovered
from quorate.impl.core.replica import Replica

EVERY = {"checkpoint_entries": 4, "batch_entries_max": 1}
ONE_A = Ballot(1, "a")


def lines(cluster, name, event):
    return [line for line in cluster[name].lines[cluster[name].boot] if line.event == event]


def submit_each(cluster, name, count):
    for _ in range(count):
        cluster.submit(name, f"c{len(cluster.submitted)}".ljust(40, "."))
        cluster.settle()


@pytest.fixture
def behind(make_cluster):
    """A cluster in which c has missed so much that it can only be helped by a checkpoint."""
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    cluster.cut = {"c"}
    submit_each(cluster, "a", 13)
    cluster.pass_time(20)
    cluster.cut = set()
    return cluster


def test_a_checkpoint_is_taken_of_what_was_applied_and_spoken_of_when_it_is_durable(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 3)
    assert lines(cluster, "a", "checkpoint") == []
    cluster.submit("a", "fourth")
    while not cluster["a"].jobs:
        for name in "abc":
            cluster.sync(name)
        cluster.deliver()
    assert cluster["a"].jobs == [Checkpoint(4)]
    assert lines(cluster, "a", "checkpoint") == []
    cluster.work("a")
    assert [line.slot for line in lines(cluster, "a", "checkpoint")] == [4]
    assert lines(cluster, "a", "truncate") == []


def test_the_log_is_truncated_below_the_checkpoint_before_the_last(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 9)
    assert [line.slot for line in lines(cluster, "a", "checkpoint")] == [4, 8]
    assert [line.slot for line in lines(cluster, "a", "truncate")] == [4]
    assert all(record.entries[-1][0] > 4 for record in cluster["a"].disk if isinstance(record, AcceptRecord))


def test_a_checkpoint_that_was_abandoned_is_taken_again_later(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 3)
    cluster.submit("a", "fourth")
    while not cluster["a"].jobs:
        for name in "abc":
            cluster.sync(name)
        cluster.deliver()
    cluster["a"].jobs.clear()
    cluster.step("a", Abandoned(4))
    submit_each(cluster, "a", 4)
    assert [line.slot for line in lines(cluster, "a", "checkpoint")] == [5]


def test_no_checkpoint_is_taken_where_none_is_wanted(make_cluster):
    cluster = make_cluster(checkpoint_entries=0, batch_entries_max=1)
    cluster.elect("a")
    submit_each(cluster, "a", 20)
    assert lines(cluster, "a", "checkpoint") == []


def test_many_bytes_make_a_checkpoint_due_before_many_slots(make_cluster):
    cluster = make_cluster(checkpoint_entries=1000, checkpoint_bytes=100)
    cluster.elect("a")
    submit_each(cluster, "a", 1)
    assert lines(cluster, "a", "checkpoint") == []
    cluster.submit("a", "x" * 100)
    cluster.settle()
    assert [line.slot for line in lines(cluster, "a", "checkpoint")] == [2]


def test_checkpoints_are_rarer_the_larger_they_are(make_cluster):
    """The log since the last one must be a fourth as large as that was."""
    cluster = make_cluster(checkpoint_entries=1, batch_entries_max=1)
    cluster.elect("a")
    cluster.submit("a", "x" * 4000)
    cluster.settle()
    submit_each(cluster, "a", 10)
    assert [line.slot for line in lines(cluster, "a", "checkpoint")] == [1]


def promised(node, prepare):
    """The promise that a node gives, once it is durable."""
    [persist] = node.replica.step(Received(prepare))
    [line] = node.replica.step(Persisted(persist.number))
    return line.send[0].message


def test_many_bytes_make_a_checkpoint_due_however_large_the_last_one_was(make_cluster):
    """A promise carries the log above the checkpoint, so that must not grow with the state."""
    cluster = make_cluster(checkpoint_entries=1, checkpoint_bytes=200, batch_entries_max=1)
    cluster.elect("a")
    cluster.submit("a", "x" * 4000)
    cluster.settle()
    submit_each(cluster, "a", 10)
    assert [line.slot for line in lines(cluster, "a", "checkpoint")] == [1, 6, 11]


def test_a_promise_reports_what_is_above_its_checkpoint_and_says_so(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 6)
    promise = promised(cluster["b"], Prepare(MessageId("c", 9, 1), Ballot(7, "c")))
    assert promise.low == 4
    assert [slot for slot, _, _ in promise.accepted] == [5, 6]


def test_who_knows_what_is_chosen_is_told_none_of_it(make_cluster):
    """Else a new leader would have to wait for all of the log, however long that is."""
    cluster = make_cluster(checkpoint_entries=0)
    cluster.elect("a")
    submit_each(cluster, "a", 30)
    cluster.pass_time(20)
    cluster.crash("a")
    cluster.elect("b")
    [promise] = [sent.message for line in lines(cluster, "c", "promise") for sent in line.send][-1:]
    assert (promise.ballot.node, promise.accepted, promise.above) == ("b", (), 30)
    assert lines(cluster, "b", "propose") == []
    submit_each(cluster, "b", 1)
    assert len(cluster["c"].applied) >= 30


def test_a_repeated_prepare_gets_the_promise_that_was_given_though_a_checkpoint_came_between(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 3)
    prepare = Prepare(MessageId("c", 9, 1), Ballot(7, "c"))
    given = promised(cluster["b"], prepare)
    cluster["b"].replica._acceptor.rest_on_checkpoint(3)
    [again] = cluster["b"].replica.step(Received(prepare))
    assert again.event == "resend"
    assert (again.send[0].message.accepted, again.send[0].message.low) == (given.accepted, 0)
    assert len(given.accepted) == 3


def test_a_promise_that_reported_what_is_truncated_is_not_given_again(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 3)
    prepare = Prepare(MessageId("c", 9, 1), Ballot(7, "c"))
    assert promised(cluster["b"], prepare).accepted[0][0] == 1
    cluster["b"].replica._acceptor.truncate(1)
    [answer] = cluster["b"].replica.step(Received(prepare))
    assert (answer.event, answer.send) == ("ignore", ())


def test_a_follower_that_is_a_little_behind_is_taught_from_the_log(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 4)
    cluster.pass_time(20)
    cluster.cut = {"c"}
    submit_each(cluster, "a", 3)
    cluster.cut = set()
    cluster.pass_time(60)
    assert cluster["c"].status.committed == 7
    assert lines(cluster, "c", "snapshot") == []


def test_a_follower_that_is_too_far_behind_gets_the_checkpoint_and_then_the_log(behind):
    behind.pass_time(100)
    [line] = lines(behind, "c", "snapshot")
    assert line.slot == 12
    assert isinstance(line.recv, Snapshot)
    assert behind["c"].status.committed == 13
    assert behind["c"].applied == behind["a"].applied
    assert [slot for apply in lines(behind, "c", "apply") for slot, _ in apply.entries] == [13]


def test_a_checkpoint_is_fetched_in_pieces_one_at_a_time(behind):
    asked, most = 0, 0
    for _ in range(400):
        for name in "abc":
            behind.sync(name)
            behind.work(name)
        pieces = [m for name, m in behind.flying if name == "c" and isinstance(m, Snapshot)]
        asked, most = asked + len(pieces), max(most, len(pieces))
        if behind.flying:
            behind.deliver()
        else:
            for name in "abc":
                behind.tick(name, 5)
        if lines(behind, "c", "snapshot"):
            break
    assert lines(behind, "c", "snapshot")
    assert most == 1
    assert asked > 3


def test_a_piece_that_is_lost_is_asked_for_again(behind):
    behind.tick("a", 10)
    lost = 0
    for _ in range(4000):
        for name in "abc":
            behind.sync(name)
            behind.work(name)
        if behind.flying:
            name, message = behind.flying[0]
            if isinstance(message, Snapshot) and message.offset and lost < 3:
                behind.flying.pop(0)
                lost += 1
                continue
            behind.deliver()
        else:
            for name in "abc":
                behind.tick(name, 5)
        if lines(behind, "c", "snapshot"):
            break
    assert lost == 3
    assert behind["c"].applied[:12] == behind["a"].applied[:12]


def test_a_sender_that_stays_silent_is_given_up_for_another(behind):
    """a dies in the middle of the transfer; b leads, and c gets everything from b."""
    while not any(isinstance(m, Fetch) for _, m in behind.flying):
        for name in "abc":
            behind.sync(name)
            behind.work(name)
        behind.deliver() if behind.flying else behind.tick("a", 10)
    behind.crash("a")
    behind.flying = [(name, m) for name, m in behind.flying if m.sender != "a"]
    behind.elect("b")
    submit_each(behind, "b", 1)
    behind.pass_time(600, "b", "c")
    [line] = lines(behind, "c", "snapshot")
    assert line.recv.sender == "b"
    assert behind["c"].applied == behind["b"].applied


def test_a_crash_while_a_checkpoint_is_fetched_loses_nothing_but_the_fetch(behind):
    while not any(isinstance(m, Fetch) for _, m in behind.flying):
        for name in "abc":
            behind.sync(name)
            behind.work(name)
        behind.deliver() if behind.flying else behind.tick("a", 10)
    behind.crash("c")
    behind.start("c")
    assert behind["c"].applied == []
    behind.pass_time(100)
    assert behind["c"].applied == behind["a"].applied


def test_a_restart_begins_at_the_checkpoint(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 10)
    cluster.pass_time(20)
    cluster.crash("b")
    cluster.start("b")
    [start] = lines(cluster, "b", "start")
    assert start.low == 8
    assert [slot for slot, _, _ in start.accepted] == [9, 10]
    cluster.pass_time(60)
    assert [slot for line in lines(cluster, "b", "apply") for slot, _ in line.entries] == [9, 10]


def test_a_node_behind_a_checkpoint_of_its_quorum_does_not_lead_but_catches_up(make_cluster):
    """c opens a ballot, and the only promise beside its own says that what it misses is truncated."""
    cluster = make_cluster(**EVERY, canvass=False)
    cluster.elect("a")
    cluster.cut = {"c"}
    submit_each(cluster, "a", 13)
    cluster.crash("b")
    cluster.flying.clear()
    cluster.cut = set()
    while not lines(cluster, "c", "snapshot"):
        cluster.tick("c", 10, 0.0)
        cluster.settle()
    assert any(ballot.node == "c" for ballot in cluster.audit.ballots)
    assert not any(ballot.node == "c" for ballot in cluster.audit._led)
    assert [line.slot for line in lines(cluster, "c", "snapshot")] == [12]
    cluster.elect("c")
    submit_each(cluster, "c", 1)
    assert cluster["c"].applied[:13] == cluster["a"].applied[:13]


def test_an_acceptance_below_the_checkpoint_is_answered_and_not_kept():
    recovered = Recovered(ONE_A, (), 5, None)
    replica = Replica(Config(node="b", nodes=("a", "b", "c"), boot=2), recovered)
    replica.step(Start(0, 0.5))
    accept = Accept(MessageId("a", 1, 1), Ballot(2, "a"), ((4, "x"), (5, "y"), (6, "z")), 0)
    [persist] = replica.step(Received(accept))
    assert isinstance(persist, Persist)
    assert persist.records == (AcceptRecord(Ballot(2, "a"), ((6, "z"),)),)
    again = Accept(MessageId("a", 1, 2), Ballot(3, "a"), ((4, "x"),), 0)
    [persist] = replica.step(Received(again))
    assert persist.records == (AcceptRecord(Ballot(3, "a"), ()),), "the ballot is left all the same"


def test_what_is_recovered_below_the_checkpoint_is_the_callers_fault():
    recovered = Recovered(ONE_A, ((5, ONE_A, "x"),), 5, None)
    with pytest.raises(CallerError, match="slot 5 is accepted, and the checkpoint is at 5"):
        Replica(Config(node="b", nodes=("a", "b", "c"), boot=2), recovered)


def test_a_checkpoint_that_did_not_come_whole_is_fetched_again(behind):
    spoiled = 0
    for _ in range(4000):
        for name in "abc":
            behind.sync(name)
            if name == "c" and any(isinstance(job, Install) for job in behind["c"].jobs) and not spoiled:
                behind["c"].jobs.clear()
                behind.step("c", Abandoned(12))
                spoiled += 1
            behind.work(name)
        if behind.flying:
            behind.deliver()
        else:
            for name in "abc":
                behind.tick(name, 5)
        if lines(behind, "c", "snapshot"):
            break
    assert spoiled == 1
    assert behind["c"].applied[:12] == behind["a"].applied[:12]


def test_a_fetch_that_found_no_room_is_begun_again_after_a_while(behind):
    """Else a full disk would be written to, and another node read from, without end."""
    node = behind["c"]
    for _ in range(4000):
        if node.incoming:
            break
        for name in "abc":
            behind.sync(name)
            behind.work(name)
        if behind.flying:
            behind.deliver()
        else:
            behind.tick("a", 5)
            behind.tick("c", 5)
    assert node.incoming
    behind.step("c", Abandoned(node.replica._checkpointer._incoming.slot))
    node.incoming = b""
    behind.pass_time(150)
    assert not node.incoming, "not within `quorum_ms`"
    behind.pass_time(300)
    assert len(node.applied) == 13


def test_a_snapshot_of_what_is_known_is_ignored(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 5)
    cluster.pass_time(20)
    late = Snapshot(MessageId("a", 1, 10**6), 4, 10, 0, b"0123456789")
    effects = cluster["b"].replica.step(Received(late))
    assert [type(effect) for effect in effects] == [Line]
    assert effects[0].event == "ignore"


def test_a_state_that_got_ahead_meanwhile_is_not_restored():
    """What c missed comes as a learn after all, before the checkpoint is installed."""
    replica = Replica(Config(node="c", nodes=("a", "b", "c"), boot=1), Recovered())
    replica.step(Start(0, 0.5))
    replica.step(Received(Heartbeat(MessageId("a", 1, 1), ONE_A, 2)))
    effects = replica.step(Received(Snapshot(MessageId("a", 1, 2), 2, 4, 0, b"good")))
    assert [type(e) for e in effects] == [KeepPiece, Line, Install], (
        "that it came is said before it is durable"
    )
    assert effects[1].recv is not None
    replica.step(Received(Learn(MessageId("a", 1, 3), ((1, "x"), (2, "y")))))
    effects = replica.step(Installed(2))
    assert [e.event for e in effects if isinstance(e, Line)] == ["snapshot", "truncate"]
    assert not any(isinstance(e, Restore) for e in effects)
    assert [e.slot for e in effects if isinstance(e, Truncate)] == [2]


@pytest.mark.parametrize("wrong", [{"checkpoint_entries": -1}, {"checkpoint_bytes": 0}])
def test_impossible_checkpoints_are_refused_by_name(wrong):
    [name] = wrong
    with pytest.raises(ConfigError, match=name):
        Config(node="a", nodes=("a",), boot=1, **wrong)


def test_a_promise_with_a_checkpoint_and_an_acceptance_of_it_do_not_mix(behind):
    """Whoever leads proposes above every checkpoint of its quorum: the audit of the cluster sees to it in every run."""
    behind.pass_time(100)
    behind.cut = {"a"}
    behind.elect("c")
    submit_each(behind, "c", 3)
    proposed = [slot for line in lines(behind, "c", "propose") for slot, _ in line.entries]
    lows = [line.send[0].message.low for line in lines(behind, "c", "promise")]
    assert min(proposed) > max(lows) == 12


def test_checkpointed_twice_says_so_once(make_cluster):
    cluster = make_cluster(**EVERY)
    cluster.elect("a")
    submit_each(cluster, "a", 4)
    assert cluster["a"].replica.step(Checkpointed(4, 10)) == []
    assert [line.slot for line in lines(cluster, "a", "checkpoint")] == [4]

"""A log holds no more than a promise can carry, whatever becomes of checkpoints; and it does not stay full."""

from quorate.impl.core.config import Config
from quorate.impl.core.effects import Checkpoint, Line, Persist
from quorate.impl.core.events import Abandoned, Persisted, Received, Start
from quorate.impl.core.messages import Accept, Ballot, MessageId
from quorate.impl.core.records import Recovered
from quorate.impl.core.replica import Replica

NARROW = {"log_bytes_max": 100, "batch_entries_max": 1}
ONE_A, TWO_A = Ballot(1, "a"), Ballot(2, "a")


def value(name, size=40):
    return name.ljust(size, ".")


def settle_but_work(cluster):
    """Sync and deliver, and let what concerns checkpoints wait."""
    while cluster.flying or any(node.unsynced for node in cluster.nodes.values()):
        for name in cluster.nodes:
            cluster.sync(name)
        if cluster.flying:
            cluster.deliver()


def filled(make_cluster, **config):
    """A leader whose log is full; the checkpoint that it asked for is not written yet."""
    cluster = make_cluster(**NARROW, **config)
    cluster.elect("a")
    for name in ("one", "two", "three"):
        cluster.submit("a", value(name))
        settle_but_work(cluster)
    return cluster


def test_a_checkpoint_is_due_when_the_log_is_half_full(make_cluster):
    cluster = make_cluster(**NARROW)
    cluster.elect("a")
    cluster.submit("a", value("one"))
    settle_but_work(cluster)
    assert cluster["a"].jobs == []
    cluster.submit("a", value("two"))
    settle_but_work(cluster)
    assert cluster["a"].jobs == [Checkpoint(2)]


def test_a_leader_whose_log_is_full_takes_nothing_before_there_is_a_checkpoint(make_cluster):
    cluster = filled(make_cluster)
    assert (cluster["a"].replica.room, cluster["a"].replica.is_ready) == (0, False)
    [ticket] = cluster.submit("a", value("four"))
    assert cluster.refused[ticket] == "too many commands wait"
    read = cluster.ask("a")
    settle_but_work(cluster)
    assert read in cluster.indexes, "reads need no log"
    cluster.work("a")
    assert cluster["a"].replica.room > 0
    [ticket] = cluster.submit("a", value("five"))
    cluster.settle()
    assert ticket in cluster.answered


def test_of_what_comes_at_once_no_more_is_proposed_than_there_is_room_for(make_cluster):
    cluster = make_cluster(**NARROW)
    cluster.elect("a")
    tickets = cluster.submit("a", *map(value, ("one", "two", "three", "four", "five")))
    settle_but_work(cluster)
    assert [ticket in cluster.answered for ticket in tickets] == [True, True, True, False, False]
    assert sum(len(v) for _, v in cluster["a"].replica._acceptor.log.values()) == 120
    cluster.work("a")
    cluster.settle()
    assert all(ticket in cluster.answered for ticket in tickets), "what waited is proposed when there is room"


def test_what_the_reports_force_is_proposed_however_full_the_log_is(make_cluster):
    cluster = make_cluster(**NARROW)
    cluster.elect("a")
    cluster.cut = {"c"}
    cluster.submit("a", *map(value, ("one", "two", "three")))
    for _ in range(40):  # b accepts, and hears nothing of what is chosen
        cluster.sync("a")
        cluster.sync("b")
        if not any(isinstance(message, Accept) for _, message in cluster.flying):
            break
        cluster.deliver(next(i for i, (_, m) in enumerate(cluster.flying) if isinstance(m, Accept)))
    cluster.flying.clear()
    cluster.crash("a")
    cluster.cut = set()
    assert cluster["b"].status.committed == 0
    cluster.elect("b")
    cluster.settle()
    assert [v for _, v in cluster["b"].applied] == [value("one"), value("two"), value("three")]


def test_a_checkpoint_that_found_no_room_is_tried_again_after_a_while(make_cluster):
    cluster = filled(make_cluster)
    cluster["a"].jobs.clear()
    cluster.step("a", Abandoned(2))
    cluster.tick("a", 100)
    assert cluster["a"].jobs == [], "and not at once: the disk may be full"
    cluster.tick("a", 100)
    assert cluster["a"].jobs == [Checkpoint(3)]
    cluster.work("a")
    assert cluster["a"].replica.room > 0


def accept(slot, size, number, commit=0, ballot=ONE_A):
    return Accept(MessageId("a", 1, number), ballot, ((slot, "x" * size),), commit)


def test_an_acceptor_whose_log_is_twice_full_accepts_nothing_beyond_its_end():
    recovered = Recovered(ONE_A, ((1, ONE_A, "x" * 100), (3, ONE_A, "x" * 100)), 0, None)
    config = Config(node="b", nodes=("a", "b", "c"), boot=2, log_bytes_max=100)
    replica = Replica(config, recovered)
    replica.step(Start(0, 0.5))
    [line] = replica.step(Received(accept(4, 1, 1)))
    assert (line.event, line.reason, line.send) == ("ignore", "the log is full", ())
    assert replica.status().leader == "a", "it hears the leader all the same"
    [persist] = replica.step(Received(accept(2, 1, 2)))
    assert isinstance(persist, Persist), "what lies below its end is accepted, so that all can be chosen"
    replica.step(Persisted(persist.number))
    effects = replica.step(Received(accept(4, 1, 3, commit=3)))
    assert [effect.event for effect in effects if isinstance(effect, Line)] == ["ignore", "commit", "apply"]
    assert Checkpoint(3) in effects, "it learns what is chosen, and can take a checkpoint of it"
    [line] = replica.step(Received(accept(4, 1, 4, ballot=Ballot(0, "a"))))
    assert line.event == "nack", "who has left a ballot says so first"


def test_a_log_that_was_recovered_full_is_known_to_be(make_cluster):
    cluster = filled(make_cluster)
    for name in "abc":
        cluster.crash(name)
    cluster.start("a", "b", "c")
    assert cluster["a"].replica._acceptor.bytes == 120
    cluster.heal()

"""Whole interactions as texts to read, in tests/core/golden; QUORATE_REWRITE=1 writes them anew."""

from quorate.impl.core.messages import NOOP, Accept


def told_from_here(cluster):
    cluster.story.clear()
    return cluster


def test_the_story_of_a_first_leader(make_cluster, golden):
    cluster = make_cluster()
    for name in "abc":
        cluster.tick(name, 30, 0.9)
    while cluster["a"].status.role != "leader":
        cluster.tick("a", 10, 0.0)
        cluster.settle()
    cluster.submit("a", "x", "y")
    cluster.settle()
    cluster.tick("a", 10, 0.0)
    cluster.settle()
    assert cluster["c"].applied == [(1, "x"), (2, "y")]
    golden("a_first_leader", cluster.story)


def test_the_story_of_a_takeover_with_a_gap(make_cluster, golden):
    """The leader dies while slot 2 has reached nobody and slot 3 one acceptor; slot 1 is chosen unheard."""
    cluster = make_cluster(batch_entries_max=1)
    cluster.elect("a")
    told_from_here(cluster)
    cluster.submit("a", "x")
    cluster.settle()
    cluster.submit("a", "lost", "lonely")
    cluster.flying = [
        (name, message)
        for name, message in cluster.flying
        if name == "b" and isinstance(message, Accept) and message.entries[0][0] == 3
    ]
    cluster.deliver()
    cluster.crash("a", kept=0)
    cluster.sync("b")
    cluster.flying.clear()
    cluster.elect("c")
    cluster.submit("c", "new")
    cluster.settle()
    assert cluster["c"].applied == [(1, "x"), (2, NOOP), (3, "lonely"), (4, "new")]
    golden("a_takeover_with_a_gap", cluster.story)


def test_the_story_of_a_deposed_leader_returning(make_cluster, golden):
    cluster = make_cluster()
    cluster.elect("a")
    told_from_here(cluster)
    cluster.cut = {"a"}
    cluster.submit("a", "unheard")
    cluster.settle()
    cluster.elect("b")
    cluster.submit("b", "new")
    cluster.settle()
    cluster.cut = set()
    cluster.tick("a", 20, 0.5)
    cluster.settle()
    cluster.tick("b", 10, 0.5)
    cluster.settle()
    assert cluster["a"].applied == [(1, "new")]
    golden("a_deposed_leader_returning", cluster.story)

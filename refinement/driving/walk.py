"""The walk: every edge of an instance's graph, level by level, driven down by replicas in every cast.

A state of the specification is a set of stages here: the ways in which replicas can be in it that the walk came by.
From each of them every action is attempted.  What the specification allows must be done and lead to its state; what it
refuses must change nothing.  The guards are the specification's text, as the referee runs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from ...checker.explore.referee import Search
from ...checker.explore.result import Limits
from ...checker.instance import Instance, show
from ...checker.language import State
from ...checker.specification import Specification
from ...spec import multipaxos, sorts
from ...traces.errors import TraceError
from ..mapping import Action
from .cast import NotCast, casts
from .classes import class_of
from .learning import Chosen, Lessons
from .player import FellOver
from .refusal import Refusals
from .report import Coverage, Deviation, told
from .rumour import spread
from .script import Attempt, Script
from .stage import Stage
from .view import Facts, facts_of

Watcher: TypeAlias = Callable[[Coverage], None]

FAILURES = (FellOver, NotCast, TraceError)
"""What is raised when a replica gives up, or writes what nobody can read."""


class Deviates(Exception):
    """The implementation does what it may not, or does not do what it should."""

    def __init__(
        self,
        stage: Stage,
        action: Action | None,
        reason: str,
        expected: Facts = frozenset(),
        seen: Facts = frozenset(),
    ) -> None:
        super().__init__(reason)
        self.deviation = Deviation(
            reason,
            action,
            tuple(stage.way()),
            str(stage.cast),
            tuple(map(told, expected)),
            tuple(map(told, seen)),
        )


@dataclass(eq=False)
class Node:
    """A state of the graph, and the stages found to stand for it."""

    state: multipaxos.MultiPaxos
    stages: dict[tuple[int, ...], Stage] = field(default_factory=dict)
    way: tuple[Action, ...] = ()
    """A shortest run to it."""

    @cached_property
    def facts(self) -> Facts:
        return facts_of(self.state)

    def add(self, stage: Stage, action: Action | None) -> None:
        """One more stage, which must look like the state.  Raises `Deviates`."""
        if stage.key not in self.stages:
            if stage.facts != self.facts:
                raise Deviates(
                    stage, action, "this leads elsewhere", self.facts - stage.facts, stage.facts - self.facts
                )
            self.stages[stage.key] = stage


@dataclass(frozen=True)
class Scene:
    """A state in which everything is attempted: where each action that it allows leads, and what was driven so far."""

    node: Node
    allowed: dict[Action, Node]
    refused: list[Action]
    """What is asked for all the same, by a message under way or by a ballot that is open."""
    driven: set[Action] = field(default_factory=set)
    tried: set[Action] = field(default_factory=set)
    """Of what is refused."""


class Walk:
    """A walk through one instance of `spec.multipaxos`; `only` are the states to go on from, all if it is None."""

    def __init__(
        self,
        instance: Instance,
        seconds_max: float | None,
        only: Collection[State] | None,
        watch: Watcher | None,
    ) -> None:
        spec = Specification.of(multipaxos)
        spec.read()
        self.instance = instance
        self.init = spec.init
        self.seconds_max, self.only, self.watch = seconds_max, only, watch
        self.search = Search(spec, instance, Limits(), (), (), stop_at_deadlock=False, watch=None)
        self.moves: list[Action] = [(name, args) for _, name, args in self.search.moves]
        self.script, self.refusals, self.lessons = Script(instance), Refusals(), Lessons()
        self.quorums = instance.members[sorts.Quorum]
        self.has_slots = len(instance.members[sorts.Slot]) > 1
        self.casts = list(casts(instance))
        self.found = Coverage(instance.sizes(), len(self.casts))
        self.began = time.perf_counter()

    def run(self) -> Coverage:
        """To the end, to the first deviation, or until time is over or somebody presses Ctrl-C."""
        with self.instance.inhabited():
            try:
                self.found.cut_short = self.levels()
            except Deviates as why:
                self.found.deviation = why.deviation
            except KeyboardInterrupt:
                self.found.cut_short = "it was interrupted"
        return self.seen()

    def levels(self) -> str:
        """Level by level; returns why it stops before the end."""
        first = Node(self.init())
        self.first = [Stage.first(self.instance, cast) for cast in self.casts]
        for stage in self.first:
            first.add(stage, None)
        level, skipped = [first], 0
        while level:
            self.found.levels += 1
            following: dict[State, Node] = {}
            for node in level:
                if self.only is not None and node.state not in self.only:
                    skipped += 1
                    continue
                self.expand(node, following)
                so_far = self.seen()
                if self.watch:
                    self.watch(so_far)
                if self.seconds_max is not None and so_far.seconds > self.seconds_max:
                    return f"the time limit of {self.seconds_max:g} s was reached"
            level = list(following.values())
        return f"{skipped:,} states were not asked for" if skipped else ""

    def seen(self) -> Coverage:
        """What was found so far."""
        self.found.seconds = time.perf_counter() - self.began
        return self.found

    # A state -----------------------------------------------------------------------------

    def expand(self, node: Node, following: dict[State, Node]) -> None:
        """Everything is attempted on every stage of a state.  Raises `Deviates`."""
        scene = self.scene(node, following)
        chosen = Chosen(node.state)
        if self.has_slots:
            for stage in list(node.stages.values()):
                for b in chosen.decided:
                    node.add(spread(stage, b), None)
        for stage in node.stages.values():
            self.perform(stage, scene)
            if wrong := self.lessons.misjudged(stage, chosen):
                raise Deviates(stage, None, wrong)
        self.count(scene)

    def scene(self, node: Node, following: dict[State, Node]) -> Scene:
        """What the specification allows in a state, and what it refuses though it is asked for."""
        now, allowed = node.state, dict[Action, Node]()
        for nxt, name, args in self.search.steps_from(now):
            if nxt == now:
                continue
            assert isinstance(nxt, multipaxos.MultiPaxos)
            if nxt not in following:
                following[nxt] = Node(nxt, way=(*node.way, (name, args)))
            allowed[name, args] = following[nxt]
        refused = [move for move in self.moves if move not in allowed and is_asked_for(now, move)]
        return Scene(node, allowed, refused)

    def perform(self, stage: Stage, scene: Scene) -> None:
        """Every action is attempted, those first that are allowed.  Raises `Deviates`."""
        proposed = set()
        for action in (*scene.allowed, *scene.refused):
            name, args = action
            if name in ("promise", "accept") and action not in scene.allowed:
                self.refuse(stage, action, scene)
                continue
            if name == "propose":  # which slot is the leader's to say, so it is asked once
                q, _, b, v = args
                if (q, b, v) in proposed:
                    continue
                proposed.add((q, b, v))
            self.play(stage, action, scene)
        for player in stage.players.values():
            if wrong := self.refusals.opened_again(player):
                raise Deviates(stage, None, wrong)

    # An action ---------------------------------------------------------------------------

    def play(self, stage: Stage, action: Action, scene: Scene) -> None:
        """An action is attempted in every way that the script knows.  Raises `Deviates`."""
        try:
            for attempt in self.script.attempts(stage, action):
                self.found.attempts += 1
                self.judge(stage, action, attempt, scene)
        except FAILURES as error:
            raise Deviates(stage, action, str(error)) from error

    def judge(self, stage: Stage, action: Action, attempt: Attempt, scene: Scene) -> None:
        """What was done must be allowed; and be what was attempted, but that a leader has its own mind what to propose
        where."""
        player, acts = attempt
        if action not in scene.allowed:
            scene.tried.add(action)
        elif not acts:
            raise Deviates(stage, action, "this is allowed, and nothing happens")
        for q in player.leads.values():
            if q not in self.quorums:
                raise Deviates(stage, action, f"{player.part.node} leads with {show(q)}, which is no quorum")
        for done in acts:
            if done not in scene.allowed:
                raise Deviates(stage, action, f"{told(done)} is done, which the specification refuses")
            if done != action and action[0] != "propose":
                raise Deviates(stage, action, f"{told(done)} is done, which was not asked for")
            scene.allowed[done].add(stage.but(player, done), action)
            scene.driven.add(done)

    def refuse(self, stage: Stage, action: Action, scene: Scene) -> None:
        """A message arrives that asks for what is refused.  Raises `Deviates`."""
        for receiver, message in self.script.messages(stage, action):
            scene.tried.add(action)
            self.found.attempts += 1
            try:
                what = self.refusals.moved(receiver, message)
            except FAILURES as error:
                what = str(error)
            if what:
                raise Deviates(stage, action, f"here this is to change nothing, and {what}")

    # What is counted ---------------------------------------------------------------------

    def count(self, scene: Scene) -> None:
        """Every edge is driven, or is of a class that tells why not, and not both.  Raises `Deviates`."""
        found = self.found
        found.states += 1
        found.stages += len(scene.node.stages)
        found.refused += len(scene.tried)
        found.pairs += len({id(nxt) for nxt in scene.allowed.values()})
        for action, nxt in scene.allowed.items():
            found.edges[action[0]] += 1
            never = class_of(scene.node.state, action, nxt.state)
            if action in scene.driven:
                found.driven[action[0]] += 1
                if never is not None:
                    reason = f"this was driven, and is of a class that never is: {never.name}"
                    raise self.uncovered(scene.node, action, reason)
            elif never is not None:
                found.classed[never.name] += 1
            elif self.only is None:  # else not every way to the state was walked
                reason = "this is allowed, no replica does it in any cast, and no class says why"
                raise self.uncovered(scene.node, action, reason)

    def uncovered(self, node: Node, action: Action, reason: str) -> Deviates:
        """No cast shows an edge, or a class is wrong about it."""
        stage = next(iter(node.stages.values()), self.first[0])
        out = Deviates(stage, action, reason)
        out.deviation = out.deviation.along(node.way)
        return out


def is_asked_for(now: multipaxos.MultiPaxos, move: Action) -> bool:
    """Is there a message that asks an acceptor for this, or an open ballot that might propose so?"""
    name, args = move
    if name == "promise":
        return (args[1],) in now.prepared
    if name == "accept":
        return args[1:] in now.proposed
    return name == "propose" and (args[2],) in now.prepared


def walk(
    instance: Instance,
    *,
    seconds_max: float | None = None,
    only: Collection[State] | None = None,
    watch: Watcher | None = None,
) -> Coverage:
    """Drives the implementation down every edge of an instance of `spec.multipaxos`.

    Stops at the first deviation, after `seconds_max` seconds, or at Ctrl-C, with what was found by then.  With `only`,
    no step is taken from any other state, and an edge that is not driven is no deviation.
    """
    return Walk(instance, seconds_max, only, watch).run()

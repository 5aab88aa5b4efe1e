"""Liveness: on the whole graph of an instance, looks for a fair run that never comes to what it must come to.

Such a run goes to where the premise holds and from there on, for ever, through states of which the conclusion is
false; in a finite graph there is one if and only if there is one that ends in a cycle, or stops.  Premise, conclusion
and steps are the specification's own text, run as Python.

Symmetry has no place here: a cycle in a graph of orbits need not be one of a run, and fairness to each acceptor is
not fairness to any of them.  So the graph is that of the referee, every state of it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..instance import Instance
from ..language import Liveness
from ..reading import parameters
from ..specification import Function, Specification, brief, where
from .graph import Graph, explored
from .lasso import Fairness, Lasso, shortest_lasso
from .result import Exploration, Limits, Violation, Watcher


class NoLiveness(Exception):
    """There is nothing to check, or fairness is of no such action; the message is one line that says what to do."""


def check_liveness(
    spec: Specification,
    instance: Instance,
    *,
    properties: Sequence[Function] | None = None,
    unfair: Collection[str] = (),
    limits: Limits | None = None,
    watch: Watcher | None = None,
) -> Exploration:
    """Explores an instance, checking every safety property, and then checks every liveness property, or those given.

    Actions named in `unfair` are served fairly in none of them.  The verdict is `unknown` if a limit cut the search
    short: what runs come to is told of the whole graph only.  Raises `NoLiveness` and `Unreadable`.
    """
    goals = spec.liveness if properties is None else tuple(properties)
    if not goals:
        raise NoLiveness(f"{spec.name} has no @liveness property, so there is nothing to check")
    known = [f.__name__ for f in spec.actions]
    if stray := sorted(set(unfair) - set(known)):
        raise NoLiveness(f"{spec.name} has no action {stray[0]}; it has {', '.join(known)}")
    started = time.perf_counter()
    graph, found = explored(spec, instance, limits=limits, watch=watch)
    found = replace(found, properties=(*found.properties, *(f.__name__ for f in goals)))
    if found.verdict != "holds":
        return found
    with instance.inhabited():
        violation = next((v for f in goals if (v := violated(graph, instance, f, unfair))), None)
    return replace(
        found,
        verdict="violated" if violation else "holds",
        violation=violation,
        seconds=time.perf_counter() - started,
    )


def violated(graph: Graph, instance: Instance, f: Function, unfair: Collection[str] = ()) -> Violation | None:
    """A fair run of the graph that breaks a liveness property for some parameters; None if there is none.

    To be called where the instance is inhabited.
    """
    fairness = fairness_of(graph, f, unfair)
    params = parameters(f)
    for args in instance.arguments([x.sort for x in params]):
        if lasso := breaking(graph, fairness, f(*args)):
            given = {x.name: value for x, value in zip(params, args, strict=True)}
            return violation_of(graph, lasso, f, given)
    return None


def fairness_of(graph: Graph, f: Function, unfair: Collection[str] = ()) -> Fairness:
    """The moves that a property's fairness speaks of: each of its actions, with all parameters, by itself.

    A specification says once what every acceptor does.  Fairness to an action as a whole would be kept by serving one
    acceptor for ever and starving the others, and no network is trusted for that little.
    """

    def moves(actions: Sequence[Function]) -> frozenset[int]:
        fair = {a.__name__ for a in actions} - set(unfair)
        return frozenset(i for i, (name, _) in enumerate(graph.moves) if name in fair)

    return Fairness(graph.edges, moves(f.__dict__["weak"]), moves(f.__dict__["strong"]))


def breaking(graph: Graph, fairness: Fairness, wanted: Liveness) -> Lasso | None:
    """A fair run that owes the conclusion and never comes to it; None if every fair run does."""
    args, premise = wanted.args, wanted.premise
    owing = [not wanted.conclusion(state, *args) for state in graph.states]
    if premise is None:
        starts = {0: 0}
    else:
        starts = {i: graph.depth[i] for i, state in enumerate(graph.states) if premise(state, *args)}
    return shortest_lasso(fairness, starts, owing.__getitem__)


def violation_of(graph: Graph, lasso: Lasso, f: Function, given: Mapping[str, Any]) -> Violation:
    """A lasso as a run that a person can read."""
    before = [*graph.way_to(lasso.start), *lasso.way]
    steps = tuple(graph.taken(move, to) for move, to in (*before, *lasso.cycle))
    return Violation(f.__name__, brief(f), where(f), graph.states[0], steps, len(before), dict(given))

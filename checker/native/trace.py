"""The way to a state that was found: searched for a second time with every level kept, then told by the text itself.

The machine code only says which states follow one another.  Which actions they are, with which parameters, the
specification's own text finds out, and the whole run passes through the referee before anyone sees it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..explore.referee import replay
from ..explore.result import Limits, Taken
from ..instance import Instance
from ..language import Refused, State
from ..reading import parameters
from ..specification import Specification
from .frontier import Frontier
from .kernels import parent_of
from .layout import Words
from .order import INTERRUPTED, Made, Order, Outcome
from .program import Program
from .search import Search

BLOCK_STATES = 4096
Goal = Callable[[Outcome], tuple[int, Words] | None]
"""Picks a state, with its level, from what a search found."""


class EnginesDisagree(Exception):
    """What the machine code found is not what the specification's text does: a defect of this engine."""


class NoWay(Exception):
    """Something wrong was found, and there is no room to find the way to it; the message is one line."""


def way_to(
    spec: Specification,
    instance: Instance,
    program: Program,
    order: Order,
    goal: Goal,
) -> list[Taken]:
    """A shortest run to the state that `goal` picks from a search's outcome.

    The search is made once more, whatever the limits of the first.  Raises `KeyboardInterrupt` if that is interrupted,
    and `NoWay` if it ends for want of memory.
    """
    outcome = Search(replace(order, keep_levels=True, limits=Limits())).run()
    picked = goal(outcome)
    if picked is None and outcome.cut_short == INTERRUPTED:
        raise KeyboardInterrupt
    if picked is None and outcome.cut_short:
        raise NoWay(
            f"a violation was found, but not the way to it: {outcome.cut_short}; allow more memory or disk"
        )
    if picked is None:
        raise EnginesDisagree("a second search did not find again what the first one found")
    level, words = picked
    way = [words]
    for frontiers in reversed(outcome.levels[:level]):
        way.append(_parent(program, frontiers, way[-1]))
    if way[-1] != program.layout.first:
        raise EnginesDisagree("the way back from a state does not end at the initial one")
    return told(spec, instance, [program.layout.decode(w) for w in reversed(way)])


def _parent(program: Program, frontiers: Sequence[Frontier], words: Words) -> Words:
    """A state among these that leads to the one given."""
    size, waiting, target = program.state_words, program.waiting_words, np.array(words, np.uint64)
    made = Made.room(program, BLOCK_STATES)
    for chunk in itertools.chain.from_iterable(frontier.all() for frontier in frontiers):
        for low in range(0, chunk.count, BLOCK_STATES):
            high = min(low + BLOCK_STATES, chunk.count)
            program.expand(chunk.states, low, high, made)
            found = parent_of(made.out, made.ends, high - low, waiting + 1, size, target)
            if found >= 0:
                start = (low + found) * waiting
                return tuple(int(w) for w in chunk.states[start : start + size])
    raise EnginesDisagree("no state of the level before leads to one that was found")


def told(spec: Specification, instance: Instance, states: Sequence[State]) -> list[Taken]:
    """A run given by its states, as actions with parameters; replayed by the referee."""
    steps: list[Taken] = []
    with instance.inhabited():
        for now, nxt in itertools.pairwise(states):
            steps.append(next(_steps_between(spec, instance, now, nxt), None) or _impossible(now, nxt))
    again = replay(spec, instance, [(s.action, list(s.parameters.values())) for s in steps])
    if again != list(states):
        raise EnginesDisagree("the referee, taking the same steps, comes to other states")
    return steps


def _steps_between(spec: Specification, instance: Instance, now: State, nxt: State) -> Iterator[Taken]:
    for action in spec.actions:
        params = parameters(action)
        for args in instance.arguments([x.sort for x in params]):
            try:
                made: Any = action(now, *args)
            except Refused:
                continue
            if made == nxt:
                named = {x.name: value for x, value in zip(params, args, strict=True)}
                yield Taken(action.__name__, named, nxt)


def _impossible(now: State, nxt: State) -> Taken:
    raise EnginesDisagree(f"no action of the specification leads from {now} to {nxt}")

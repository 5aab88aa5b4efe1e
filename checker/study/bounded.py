"""What can happen in so many steps, as obligations: bounded checking, and k-induction.

Every state on the way has relations of its own, `proposed @2`, and the actions are read anew over them.  Only the
states in between need them: the first state is what `init` says, and the last is what an action makes of the one
before, so an obligation is about one action and one property, as in a proof by induction (which is what k = 1 is).

Which solver is asked, of how many members, and how a run is read back is not said here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ..prove.obligation import Hypothesis, Obligation, axioms_of, orders_of, required
from ..prove.precondition import said_of
from ..reading import read_predicate, read_state, read_step
from ..specification import Function, Specification, brief, where
from ..term import (
    Field,
    Formula,
    Implies,
    Relation,
    StateTerm,
    Var,
    columns,
    conj,
    disj,
    every,
    member,
    some,
)

AT = " @"
"""Between a relation's name and the depth."""


def state_at(spec: Specification, depth: int) -> StateTerm:
    """The state after so many steps, of which nothing is known yet."""
    fields = {name: Field(f"{name}{AT}{depth}", columns(r)) for name, r in spec.now.relations.items()}
    return StateTerm(spec.state, fields)


def beginning(spec: Specification) -> Formula:
    """That the state at depth 0 is the initial one."""
    return same_state(state_at(spec, 0), read_state(spec.init))


def step_between(spec: Specification, now: StateTerm, nxt: StateTerm) -> Formula:
    """That some action leads from one state to the other.

    What an action leaves as it is does not depend on its parameters, and is said apart from what it changes.
    """
    taken: list[Formula] = []
    for action in spec.actions:
        step = read_step(action, now)
        changes = [name for name, r in step.then.relations.items() if r != now[name]]
        requires = (r.formula for r in step.requires)
        moves = some(step.params, conj(*requires, *(same_rows(nxt[n], step.then[n]) for n in changes)))
        stays = (same_rows(nxt[n], now[n]) for n in now.relations if n not in changes)
        taken.append(conj(moves, *stays))
    return disj(*taken)


def same_state(left: StateTerm, right: StateTerm) -> Formula:
    """That two states have the same rows."""
    return conj(*(same_rows(left[name], right[name]) for name in left.relations))


def same_rows(left: Relation, right: Relation) -> Formula:
    row = tuple(Var(f"{sort.__name__.lower()}{i}", sort) for i, sort in enumerate(columns(left), 1))
    here, there = member(row, left), member(row, right)
    return every(row, conj(Implies(here, there), Implies(there, here)))


# What is asked -------------------------------------------------------------------------------


def bounded(spec: Specification, depth: int, properties: Sequence[Function]) -> Iterator[Obligation]:
    """That each property holds in every state that is reached in exactly so many steps."""
    if depth == 0:
        first = read_state(spec.init)
        for f in properties:
            goal = said_of(first, read_predicate(f, spec.now))
            yield Obligation(
                spec.name,
                "init",
                f.__name__,
                where(f),
                goal,
                axioms(spec),
                brief(f),
                after=first.relations,
            )
        return
    states = [read_state(spec.init), *(state_at(spec, i) for i in range(1, depth))]
    yield from last_step(spec, states, axioms(spec) + between(spec, states), properties, f"step {depth}")


def k_induction(spec: Specification, k: int, properties: Sequence[Function]) -> Iterator[Obligation]:
    """That what holds of so many states in a row holds of the next one."""
    states = [state_at(spec, i) for i in range(k)]
    known = tuple(
        Hypothesis(f"{f.__name__} of state {i}", read_predicate(f, state), where(f))
        for i, state in enumerate(states, 1)
        for f in properties
    )
    known = axioms(spec) + known + between(spec, states)
    yield from last_step(spec, states, known, properties, f"after {k} states")


def axioms(spec: Specification) -> tuple[Hypothesis, ...]:
    """What is assumed of the sorts."""
    return axioms_of(spec) + orders_of(spec.sorts)


def between(spec: Specification, states: Sequence[StateTerm]) -> tuple[Hypothesis, ...]:
    """That each state leads to the next."""
    return tuple(
        Hypothesis(f"step {i}", step_between(spec, now, nxt))
        for i, (now, nxt) in enumerate(itertools.pairwise(states), 1)
    )


def last_step(
    spec: Specification,
    states: Sequence[StateTerm],
    known: tuple[Hypothesis, ...],
    properties: Sequence[Function],
    when: str,
) -> Iterator[Obligation]:
    """That each property holds after each action taken in the last of these states."""
    now = states[-1]
    for action in spec.actions:
        step = read_step(action, now)
        for f in properties:
            yield Obligation(
                spec.name,
                f"{action.__name__}, {when}",
                f.__name__,
                where(f),
                said_of(step.then, read_predicate(f, spec.now)),
                known + required(step),
                brief(f),
                step.params,
                now.relations,
                step.then.relations,
            )

"""The whole graph of a small instance, written for other tools: Graphviz, anything that reads JSON, and ITF.

ITF knows runs and no graphs, so there the graph is the shortest runs to the states from which nothing new was found,
one JSON object a line: together they pass every state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from ..instance import in_order, plain, show
from ..language import State, relations_of
from .graph import Graph
from .itf import run_itf
from .result import Exploration

STATES_MAX = 5_000
"""Beyond this a picture shows nothing, and a file of every state is read by nobody."""


class TooLarge(Exception):
    """The graph is not written; the message is one line that says how large it is and what to do."""


def dump(form: str, graph: Graph, found: Exploration) -> Iterator[str]:
    """The lines of a graph in one of `FORMS`.  Raises `TooLarge`."""
    if len(graph.states) > STATES_MAX:
        raise TooLarge(
            f"the graph has more than {STATES_MAX:,} states; dump a smaller instance, or fewer levels with --max-depth"
        )
    return FORMS[form](graph, found)


def _dot(graph: Graph, found: Exploration) -> Iterator[str]:
    """A state is labelled with its number, and shows its rows where the pointer rests on it."""
    yield f"digraph {_quoted(found.spec)} {{"
    if found.cut_short:
        yield f"  label={_quoted(f'a part of the graph: {found.cut_short}')};"
    yield "  node [shape=circle fontsize=10]; edge [fontsize=9];"
    for i, state in enumerate(graph.states):
        start = " shape=doublecircle" if i == 0 else ""
        yield f"  {i} [label={i} tooltip={_quoted(_rows(state))}{start}];"
    for i, out in enumerate(graph.edges):
        for move, to in out:
            yield f"  {i} -> {to} [label={_quoted(str(graph.taken(move, to)))}];"
    yield "}"


def _json(graph: Graph, found: Exploration) -> Iterator[str]:
    """One object: every state with its rows, and every step by the numbers of its states."""
    states = [
        {name: [plain(row) for row in in_order(getattr(state, name))] for name in relations_of(type(state))}
        for state in graph.states
    ]
    edges = [
        {
            "from": i,
            "to": to,
            "action": step.action,
            "parameters": {k: plain(v) for k, v in step.parameters.items()},
        }
        for i, out in enumerate(graph.edges)
        for move, to in out
        for step in [graph.taken(move, to)]
    ]
    whole = {"spec": found.spec, "instance": dict(found.instance), "whole": not found.cut_short, "initial": 0}
    yield json.dumps({**whole, "states": states, "edges": edges}, indent=1)


def _itf(graph: Graph, found: Exploration) -> Iterator[str]:
    part = f", which are not all: {found.cut_short}" if found.cut_short else ""
    about = {"source": found.spec, "instance": dict(found.instance)}
    for end in graph.leaves():
        steps = [graph.taken(move, to) for move, to in graph.way_to(end)]
        description = f"a shortest run to state {end} of {len(graph.states)}{part}"
        yield json.dumps(run_itf({**about, "description": description}, graph.states[0], steps))


FORMS: Mapping[str, Callable[[Graph, Exploration], Iterator[str]]] = {"dot": _dot, "json": _json, "itf": _itf}


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _rows(state: State) -> str:
    """What a state holds, a line a relation."""
    lines = (
        f"{name} " + " ".join(f"({' '.join(map(show, row))})" for row in in_order(getattr(state, name)))
        for name in relations_of(type(state))
        if getattr(state, name)
    )
    return "\n".join(lines) or "nothing"

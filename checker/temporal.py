"""A liveness property read from its text: two claims about a state, and which actions are served fairly.

A property of runs is one `eventually(...)` or `leads_to(...)` and nothing around it, so that the claims of which it
consists are predicates of one state, which every engine can read already.  This file knows no graph and no run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any as Anything

from . import language
from .reading import Reader, read_predicate, reader
from .term import TRUE, Formula, StateTerm, Var

ONE_LINE = (
    "after its docstring, a @liveness says one thing: return eventually(...) or return leads_to(..., ...)"
)


@dataclass(frozen=True)
class Promise:
    """For all `params`: wherever the premise holds the conclusion follows, in every run that is fair.

    `initially` tells an `eventually`, whose premise is the beginning of the run.
    """

    params: tuple[Var, ...]
    premise: Formula
    conclusion: Formula
    initially: bool


def read_promise(
    f: Callable[..., Anything], now: StateTerm, actions: Sequence[Callable[..., Anything]]
) -> Promise:
    """A @liveness property as formulas over `now`.  Raises `Unreadable`."""
    r = reader(f)
    for one in (*f.__dict__["weak"], *f.__dict__["strong"]):
        if one not in actions:
            name = getattr(one, "__name__", repr(one))
            known = ", ".join(a.__name__ for a in actions)
            r.refuse(r.source.definition, f"{name} is no @action here; fairness is of actions, of {known}")
    env: dict[str, Var] = {}
    for name, kind in r.parameters().items():
        if not issubclass(kind, language.Sort):
            r.refuse(
                r.source.definition, f"{name} is a state; this speaks of runs: its parameters are of Sorts"
            )
        env[name] = Var(name, kind)
    call = _call(r)
    word = r.value(call.func, env)
    if word is language.eventually:
        claims = 1
    elif word is language.leads_to:
        claims = 2
    else:
        r.refuse(call, ONE_LINE)
    if call.keywords or len(call.args) < claims:
        r.refuse(
            call,
            "first the predicates, by name; then, in order, the parameters that follow the state in them",
        )
    args = [r.variable(x, env) for x in call.args[claims:]]
    formulas = [_claim(r, x, now, args) for x in call.args[:claims]]
    return Promise(tuple(env.values()), formulas[0] if claims == 2 else TRUE, formulas[-1], claims == 1)


def _call(r: Reader) -> ast.Call:
    """The only call that the property's text consists of."""
    statements = r.source.definition.body
    match statements[0]:
        case ast.Expr(ast.Constant(str())):
            statements = statements[1:]
    match statements:
        case [ast.Return(ast.Call() as call)]:
            return call
    r.refuse(statements[0] if statements else r.source.definition, ONE_LINE)


def _claim(r: Reader, e: ast.expr, now: StateTerm, args: Sequence[Var]) -> Formula:
    """A predicate that is named, as a formula."""
    if isinstance(e, ast.Name | ast.Attribute):
        function = r.value(e, {})
        if callable(function) and not isinstance(function, type):
            return read_predicate(function, now, *args)
    r.refuse(e, "name a predicate of the state: def chosen_in(now: ..., s: Slot) -> bool")

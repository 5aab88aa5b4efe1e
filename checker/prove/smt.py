"""Terms said to Z3: a sort is an uninterpreted sort, a relation a predicate, nothing is bounded.

An obligation is told to Z3 as the text that `smtlib` makes of it, which Z3 reads faster than it can be called; what is
asked of a model afterwards is said here, in the same names.

Everything said through one `Smt` lives in one Z3 context of its own, so what a solver answers depends on the
obligation and the seed alone, not on what was asked before.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import assert_never

import z3

from ..language import Many, Sort, item_of
from ..term import All, And, Any, Eq, Formula, Implies, In, Less, Member, Not, Or, Truth, Var
from .interrupt import stop_if_interrupted
from .smtlib import Query, member_name, order_name, relation_name, sort_name, variable_name

z3.set_param("ctrl_c", False)
"""Else Z3 takes Ctrl-C for itself while it works, and does not always say so."""

INTERRUPT_EVERY_S = 0.02


@dataclass
class Smt:
    """One translation into one Z3 context; names are declared as they are met."""

    context: z3.Context = field(default_factory=z3.Context)
    sorts: dict[type[Sort], z3.SortRef] = field(default_factory=dict)
    names: dict[Var, str] = field(default_factory=dict)
    constants: dict[Var, z3.ExprRef] = field(default_factory=dict)
    predicates: dict[str, z3.FuncDeclRef] = field(default_factory=dict)

    def tell(self, solver: z3.Solver, query: Query) -> None:
        """Tells a solver of this context what a query says, and from here on speaks of the same things."""
        solver.from_string(query.text)
        # Sorts and names are agreed on, no more: constants that nothing is said of would lead Z3 to a longer search.
        for x in query.variables:
            self.sort(x.sort)
            self.name(x)

    def sort(self, sort: type[Sort]) -> z3.SortRef:
        if sort not in self.sorts:
            self.sorts[sort] = z3.DeclareSort(sort_name(sort), self.context)
        return self.sorts[sort]

    def constant(self, x: Var) -> z3.ExprRef:
        if x not in self.constants:
            self.constants[x] = z3.Const(self.name(x), self.sort(x.sort))
        return self.constants[x]

    def name(self, x: Var) -> str:
        """What a variable is called, from when it is first met."""
        return self.names.setdefault(x, variable_name(x, len(self.names)))

    def predicate(self, name: str, sorts: Sequence[type[Sort]]) -> z3.FuncDeclRef:
        if name not in self.predicates:
            self.predicates[name] = z3.Function(name, *map(self.sort, sorts), z3.BoolSort(self.context))
        return self.predicates[name]

    def relation(self, name: str, sorts: Sequence[type[Sort]]) -> z3.FuncDeclRef:
        """A relation of the state."""
        return self.predicate(relation_name(name), sorts)

    def less(self, sort: type[Sort]) -> z3.FuncDeclRef:
        """The order of a sort."""
        return self.predicate(order_name(sort), (sort, sort))

    def contains(self, many: type[Sort]) -> z3.FuncDeclRef:
        """Whether a thing is in one of the sets of a sort of sets."""
        assert issubclass(many, Many)
        return self.predicate(member_name(many), (item_of(many), many))

    def formula(self, t: Formula) -> z3.BoolRef:
        """What a formula says; its free variables become constants."""
        said = self._said(t)
        assert isinstance(said, z3.BoolRef), "every formula is a Boolean"
        return said

    def _said(self, t: Formula) -> object:
        match t:
            case Truth(value):
                return z3.BoolVal(value, self.context)
            case Eq(left, right):
                return self.constant(left) == self.constant(right)
            case Less(left, right):
                return self.less(left.sort)(self.constant(left), self.constant(right))
            case Member(item, many):
                return self.contains(many.sort)(self.constant(item), self.constant(many))
            case In(name, args):
                return self.relation(name, [x.sort for x in args])(*map(self.constant, args))
            case Not(body):
                return z3.Not(self.formula(body))
            case And(parts):
                return z3.And([self.formula(x) for x in parts])
            case Or(parts):
                return z3.Or([self.formula(x) for x in parts])
            case Implies(p, q):
                return z3.Implies(self.formula(p), self.formula(q))
            case All(bound, body):
                return z3.ForAll([self.constant(x) for x in bound], self.formula(body))
            case Any(bound, body):
                return z3.Exists([self.constant(x) for x in bound], self.formula(body))
        assert_never(t)


def ask(solver: z3.Solver, *assumed: z3.BoolRef) -> z3.CheckSatResult:
    """Whether what a solver holds is satisfiable together with what is assumed.

    Z3 works in a thread of its own, for Python hears of Ctrl-C in the main thread and not before a call returns.
    Raises `KeyboardInterrupt` if it comes meanwhile, or came before.
    """
    stop_if_interrupted()
    answers: list[z3.CheckSatResult | Exception] = []
    at_work, done, too_late = threading.Lock(), threading.Event(), threading.Event()

    def check() -> None:
        with at_work:
            try:
                if not too_late.is_set():
                    answers.append(solver.check(*assumed))
            except Exception as why:
                answers.append(why)
            finally:
                done.set()

    try:
        threading.Thread(target=check, daemon=True).start()
        done.wait()
    except KeyboardInterrupt:
        too_late.set()
        _stop(solver, at_work)
        raise
    if isinstance(answer := answers[0], Exception):
        raise answer
    return answer


def _stop(solver: z3.Solver, at_work: threading.Lock) -> None:
    """Interrupts a solver until it works no more; whoever presses Ctrl-C again has to wait for that as well."""
    stopped = False
    while not stopped:
        with suppress(KeyboardInterrupt):
            solver.ctx.interrupt()
            stopped = at_work.acquire(timeout=INTERRUPT_EVERY_S)

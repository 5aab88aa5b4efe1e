"""Expressions of a specification as terms: claims, relations, and calls of the few words there are.

The subset is total and pure, so the order in which Python would evaluate an expression cannot be observed.  What a
name means is what it means to Python when the function runs, and no name ever means two things in one function.

This file knows nothing of whole functions: how one is unfolded where it is called, `reading.py` says.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any as Anything
from typing import NoReturn, TypeAlias

from . import language
from .language import Many, Sort, State, is_sort, is_state, item_of, relations_of
from .rewrites import COUNTING, REWRITES
from .source import Source
from .term import (
    FORMULAS,
    RELATIONS,
    TRUE,
    Eq,
    Formula,
    Implies,
    Less,
    Member,
    Minus,
    Relation,
    StateTerm,
    Those,
    Truth,
    Union,
    Var,
    columns,
    conj,
    disj,
    empty,
    every,
    member,
    names,
    negation,
    some,
)

Row: TypeAlias = tuple[Var, ...]
Meaning: TypeAlias = Var | Formula | Relation | StateTerm | Row | type | ModuleType | Callable[..., Anything]
Names: TypeAlias = Mapping[str, Meaning]

MEANT = frozenset(["all", "any", "set"])
"""The words of a specification that Python has built in."""

ROW = "a relation holds rows; write (b,) for one column"
JOIN = "relations are joined with | and parted with -; say an intersection with a filter"


class Expressions(ABC):
    """The expressions of one function, read with terms for its names."""

    source: Source

    @abstractmethod
    def unfold(self, e: ast.Call, function: Callable[..., Anything], env: Names) -> Meaning:
        """The meaning of a call of a function that a specification defines."""

    @abstractmethod
    def after(self, e: ast.Call, now: StateTerm, env: Names) -> StateTerm:
        """The state that an action of another specification leads to."""

    def refuse(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg, remedy: str) -> NoReturn:
        """Raises `Unreadable` with what to write instead."""
        self.source.refuse(node, remedy)

    def fresh(self, node: ast.expr | ast.stmt | ast.arg, name: str, env: Mapping[str, object]) -> None:
        """Refuses a name that means something already.

        Python decides by the whole function which of two meanings a name has; here none ever has two.
        """
        if name in env or name in self.source.outside or name in MEANT:
            self.refuse(node, f"{name} already has a meaning here; name it anew (variables never shadow)")

    # Whatever it is ----------------------------------------------------------------------

    def value(self, e: ast.expr, env: Names) -> Meaning:
        """What an expression means: a formula, a relation, a variable, a state, a row, or a name's object."""
        match e:
            case ast.Name(name):
                return self.name(e, name, env)
            case ast.Constant(bool(truth)):
                return Truth(truth)
            case ast.Tuple(parts):
                return tuple(self.variable(x, env) for x in parts)
            case ast.Attribute(thing, name):
                return self.attribute(e, self.value(thing, env), name)
            case ast.UnaryOp(ast.Not(), body):
                return negation(self.formula(body, env))
            case ast.BoolOp(ast.And(), parts):
                return conj(*(self.formula(x, env) for x in parts))
            case ast.BoolOp(ast.Or(), parts):
                return disj(*(self.formula(x, env) for x in parts))
            case ast.Compare():
                return self.comparisons(e, env)
            case ast.Set() | ast.SetComp() | ast.BinOp():
                return self.relation(e, env)
            case ast.Call():
                return self.call(e, env)
        self.refuse(e, REWRITES.get(type(e), "this is not among the words of a specification"))

    def formula(self, e: ast.expr, env: Names) -> Formula:
        out = self.value(e, env)
        if isinstance(out, FORMULAS):
            return out
        self.refuse(e, "this is a thing, not a claim: compare it, or ask whether it is in a relation")

    def variable(self, e: ast.expr, env: Names) -> Var:
        out = self.value(e, env)
        if isinstance(out, Var):
            return out
        self.refuse(e, "a row holds variables: parameters, or what a `for` binds")

    def name(self, e: ast.expr, name: str, env: Names) -> Meaning:
        if name in env:
            return env[name]
        for scope in (self.source.outside, vars(builtins)):
            if name in scope:
                return self.known(e, name, scope[name])
        self.refuse(e, f"{name} is not defined")

    def known(self, e: ast.expr, name: str, found: Anything) -> Meaning:
        """What a module or Python itself calls by a name."""
        if isinstance(found, ModuleType) or callable(found):
            return found  # type: ignore[no-any-return]
        self.refuse(
            e, f"{name} is a Python value; a specification knows parameters, Sorts, States and predicates"
        )

    def meaning_outside(self, node: ast.AST) -> object:
        """What a name, or a name in a module, means outside the function; None if nothing."""
        match node:
            case ast.Name(name):
                return self.source.outside.get(name)
            case ast.Attribute(ast.expr() as thing, name):
                module = self.meaning_outside(thing)
                return getattr(module, name, None) if isinstance(module, ModuleType) else None
        return None

    def names(self, e: ast.expr, env: Names, thing: object) -> bool:
        """Whether an expression is a name for this very thing."""
        return isinstance(e, ast.Name | ast.Attribute) and self.value(e, env) is thing

    def attribute(self, e: ast.expr, thing: Meaning, name: str) -> Meaning:
        if isinstance(thing, StateTerm):
            if name not in thing.relations:
                known = ", ".join(thing.relations)
                self.refuse(e, f"{thing.of.__name__} has no relation {name}; it has {known}")
            return thing[name]
        if isinstance(thing, ModuleType):
            if not hasattr(thing, name):
                self.refuse(e, f"{thing.__name__} has no {name}")
            return self.known(e, ast.unparse(e), getattr(thing, name))
        if isinstance(thing, RELATIONS):
            self.refuse(e, JOIN)
        self.refuse(e, "only a state has relations: now.left")

    # Comparisons -------------------------------------------------------------------------

    def comparisons(self, e: ast.Compare, env: Names) -> Formula:
        out: list[Formula] = []
        left = e.left
        for operator, right in zip(e.ops, e.comparators, strict=True):
            out.append(self.comparison(e, left, operator, right, env))
            left = right
        return conj(*out)

    def comparison(
        self, e: ast.expr, left: ast.expr, operator: ast.cmpop, right: ast.expr, env: Names
    ) -> Formula:
        match operator:
            case ast.In():
                return self.membership(left, right, env)
            case ast.NotIn():
                return negation(self.membership(left, right, env))
            case ast.Is() | ast.IsNot():
                self.refuse(e, "`is` has no meaning for a member of a Sort; write == or !=")
        x, y = self.value(left, env), self.value(right, env)
        if isinstance(x, FORMULAS) or isinstance(y, FORMULAS):
            self.refuse(e, "claims are not compared; join them with and, or, not, implies(...)")
        if not (isinstance(x, Var) and isinstance(y, Var)):
            self.refuse(
                e, "two members of one Sort are compared; compare relations row by row, with all(...)"
            )
        if x.sort is not y.sort:
            self.refuse(
                e, f"{x} is of {x.sort.__name__} and {y} of {y.sort.__name__}; members of one Sort compare"
            )
        if issubclass(x.sort, Many):
            self.refuse(e, f"two of {x.sort.__name__} are not compared (sets of equal members may be two to a prover); "
                           "compare their members")  # fmt: skip
        match operator:
            case ast.Eq():
                return Eq(x, y)
            case ast.NotEq():
                return negation(Eq(x, y))
        if not x.sort.ordered:
            self.refuse(
                e, f"{x.sort.__name__} has no order; declare it `class {x.sort.__name__}(Sort, ordered=True)`"
            )
        match operator:
            case ast.Lt():
                return Less(x, y)
            case ast.Gt():
                return Less(y, x)
            case ast.LtE():
                return negation(Less(y, x))
        return negation(Less(x, y))

    def membership(self, left: ast.expr, right: ast.expr, env: Names) -> Formula:
        x, into = self.value(left, env), self.value(right, env)
        if isinstance(into, Var):
            if not issubclass(into.sort, Many):
                self.refuse(right, f"{into} is one {into.sort.__name__}, not a set")
            if not isinstance(x, Var) or x.sort is not item_of(into.sort):
                self.refuse(left, f"{into} holds members of {item_of(into.sort).__name__}")
            return Member(x, into)
        if not isinstance(into, RELATIONS):
            self.refuse(
                right,
                "ask whether a row is in a relation, `(a, b) in now.left`, or a member in a set, `a in q`",
            )
        if not isinstance(x, tuple):
            self.refuse(left, ROW)
        self.fits(left, [v.sort for v in x], columns(into))
        return member(x, into)

    def fits(self, e: ast.expr, got: Sequence[type[Sort]], want: Sequence[type[Sort]]) -> None:
        if list(got) != list(want):
            self.refuse(e, f"the relation's columns are ({names(want)}), and this is ({names(got)})")

    # Relations ---------------------------------------------------------------------------

    def relation(self, e: ast.expr, env: Names, sorts: Sequence[type[Sort]] | None = None) -> Relation:
        """A relation; where `sorts` are known, of these columns."""
        out = self.rows(e, env, sorts)
        if sorts is not None:
            self.fits(e, columns(out), sorts)
        return out

    def rows(self, e: ast.expr, env: Names, sorts: Sequence[type[Sort]] | None) -> Relation:
        match e:
            case ast.Set(parts):
                out: Relation = Those((), self.row(parts[0], env), TRUE)
                for x in parts[1:]:
                    one = Those((), self.row(x, env), TRUE)
                    self.fits(x, columns(one), columns(out))
                    out = Union(out, one)
                return out
            case ast.SetComp(row, generators):
                inner, bound, given = self.binders(generators, env)
                return Those(bound, self.row(row, inner), given)
            case ast.BinOp(left, ast.BitOr() | ast.Sub() as operator, right):
                first = self.relation(left, env, sorts)
                second = self.relation(right, env, columns(first))
                return Union(first, second) if isinstance(operator, ast.BitOr) else Minus(first, second)
            case ast.BinOp():
                self.refuse(e, JOIN)
            case ast.Call(function, [], []) if sorts is not None and self.names(function, env, set):
                return empty(sorts)
        found = self.value(e, env)
        if isinstance(found, RELATIONS):
            return found
        self.refuse(
            e, "a relation was expected: now.left, {(a, b)}, {(a, c) for c in Ballot}, or these with | and -"
        )

    def row(self, e: ast.expr, env: Names) -> Row:
        found = self.value(e, env)
        if isinstance(found, tuple):
            return found
        self.refuse(e, ROW)

    def binders(
        self, generators: Sequence[ast.comprehension], env: Names
    ) -> tuple[Mapping[str, Meaning], tuple[Var, ...], Formula]:
        """What `for x in Sort if p ...` binds: the names within, the variables, and what is given of them."""
        inner, bound, given = dict(env), list[Var](), list[Formula]()
        for g in generators:
            if not isinstance(g.target, ast.Name) or g.is_async:
                self.refuse(
                    g.target,
                    "one variable a `for`: (... for a in Acceptor for b in Ballot if (a, b) in now.left)",
                )
            name = g.target.id
            self.fresh(g.target, name, inner)
            over = self.value(g.iter, inner)
            if is_sort(over):
                x = Var(name, over)
            elif isinstance(over, Var) and issubclass(over.sort, Many):
                x = Var(name, item_of(over.sort))
                given.append(Member(x, over))
            else:
                self.refuse(
                    g.iter, "a `for` goes over a Sort, `for a in Acceptor`, or over a set, `for a in q`"
                )
            inner[name] = x
            bound.append(x)
            given += [self.formula(p, inner) for p in g.ifs]
        return inner, tuple(bound), conj(*given)

    # Calls -------------------------------------------------------------------------------

    def call(self, e: ast.Call, env: Names) -> Meaning:
        match e:
            case ast.Call(ast.Attribute(thing, "but" | "after" as word), args, changes):
                state = self.value(thing, env)
                if isinstance(state, StateTerm):
                    if word == "after":
                        return self.after(e, state, env)
                    if args:
                        self.refuse(args[0], "name the relation: now.but(left=...)")
                    return StateTerm(state.of, {**state.relations, **self.changes(state.of, changes, env)})
        function = self.value(e.func, env)
        if function is all or function is any:
            return self.quantifier(e, function is all, env)
        if function is language.implies:
            if len(e.args) != 2 or e.keywords:
                self.refuse(e, "implies(premise, conclusion)")
            return Implies(self.formula(e.args[0], env), self.formula(e.args[1], env))
        if function is language.require:
            self.refuse(e, "require(...) stands on a line of its own, in an @action")
        if function is set or function is frozenset:
            self.refuse(e, "the empty relation `set()` stands where a relation is given: now.but(left=set())")
        if is_state(function):
            if e.args:
                self.refuse(e.args[0], f"name the relation: {function.__name__}(left=...)")
            nothing = {name: empty(sorts) for name, sorts in relations_of(function).items()}
            return StateTerm(function, {**nothing, **self.changes(function, e.keywords, env)})
        if function in (language.eventually, language.leads_to) or language.has_role(function, "liveness"):
            self.refuse(
                e, "this speaks of a run, not of a state; it stands alone, after the `return` of a @liveness"
            )
        if any(function is f for f in COUNTING):
            self.refuse(e, "a specification does not count or pick; say it with all(...), any(...) and ==")
        if inspect.isfunction(function):
            return self.unfold(e, function, env)
        self.refuse(e, "only predicates, all(...), any(...), implies(...) and now.but(...) are called")

    def changes(
        self, state: type[State], keywords: Sequence[ast.keyword], env: Names
    ) -> Mapping[str, Relation]:
        declared = relations_of(state)
        out: dict[str, Relation] = {}
        for k in keywords:
            if k.arg is None:
                self.refuse(k.value, "name every relation: now.but(left=...)")
            if k.arg not in declared:
                self.refuse(k, f"{state.__name__} has no relation {k.arg}; it has {', '.join(declared)}")
            out[k.arg] = self.relation(k.value, env, declared[k.arg])
        return out

    def quantifier(self, e: ast.Call, universal: bool, env: Names) -> Formula:
        word = "all" if universal else "any"
        if len(e.args) != 1 or e.keywords or not isinstance(e.args[0], ast.GeneratorExp):
            self.refuse(e, REWRITES[ast.ListComp] if e.args and isinstance(e.args[0], ast.ListComp)
                        else f"write {word}(... for x in Sort)")  # fmt: skip
        inner, bound, given = self.binders(e.args[0].generators, env)
        body = self.formula(e.args[0].elt, inner)
        if not universal:
            return some(bound, conj(given, body))
        return every(bound, body if given == TRUE else Implies(given, body))

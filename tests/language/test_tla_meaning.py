"""A printed TLA+ module means what the specification means: same initial state, same steps, same properties.

The module is parsed with the grammar of TLA+, and the part of the language that we print is evaluated here over the
constants of the printed configuration, by the definitions of TLA+ and without looking at the specification.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tree_sitter_tlaplus
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from quorate.checker.explore.referee import Search
from quorate.checker.explore.result import Limits
from quorate.checker.instance import Instance
from quorate.checker.language import State
from quorate.checker.specification import Specification, load
from quorate.checker.tla import Export, export
from quorate.spec import consensus, multipaxos, voting

Values = Mapping[str, Any]
GOLDEN = Path(__file__).parent / "golden"

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # how the grammar hands itself over, for it to mend
    TLA = Language(tree_sitter_tlaplus.language())


# The printed subset of TLA+ ------------------------------------------------------------------


def parts(node: Node) -> list[Node]:
    """The children of a node that mean something."""
    return [n for n in node.named_children if n.type != "comment"]


def text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


class Module:
    """A parsed module with the values of its constants."""

    def __init__(self, made: Export) -> None:
        tree = Parser(TLA).parse(made.module.encode())
        assert not tree.root_node.has_error, "this is not TLA+"
        (module,) = parts(tree.root_node)
        self.units = parts(module)
        self.operators = {text(parts(u)[0]): u for u in self.units if u.type == "operator_definition"}
        assert len(self.operators) == len([u for u in self.units if u.type == "operator_definition"])
        self.variables = self.declared("variable_declaration")
        self.constants = dict(read_constants(made.configuration))
        assert sorted(self.constants) == sorted(self.declared("constant_declaration"))

    def declared(self, kind: str) -> list[str]:
        return [text(n) for u in self.units if u.type == kind for n in parts(u)]

    def assumptions_hold(self) -> bool:
        return all(self.value(parts(u)[0], self.constants) for u in self.units if u.type == "assumption")

    def body(self, name: str) -> Node:
        return parts(self.operators[name])[-1]

    def holds(self, name: str, state: Values) -> bool:
        return bool(self.value(self.body(name), {**self.constants, **state}))

    def initial(self) -> list[Values]:
        return list(self.steps(self.body("Init"), self.constants, {}, ""))

    def successors(self, state: Values) -> set[frozenset[tuple[str, Any]]]:
        env = {**self.constants, **state}
        found = list(self.steps(self.body("Next"), env, {}, "'"))
        assert all(sorted(x) == sorted(self.variables) for x in found), (
            "a step says what becomes of each variable"
        )
        return {frozenset(x.items()) for x in found}

    def steps(self, node: Node, env: Values, after: Values, prime: str) -> Iterator[Values]:
        """Every way to make a formula true by giving values to variables (primed ones, for a step)."""
        inner = parts(node)
        match node.type:
            case "conj_list":
                ways = [after]
                for item in inner:
                    ways = [w for way in ways for w in self.steps(parts(item)[-1], env, way, prime)]
                yield from ways
            case "disj_list":
                for item in inner:
                    yield from self.steps(parts(item)[-1], env, after, prime)
            case "bounded_quantification" if inner[0].type == "exists":
                for more in self.bound(inner[1:-1], env):
                    yield from self.steps(inner[-1], more, after, prime)
            case "bound_op":
                yield from self.steps(self.body(text(inner[0])), self.called(inner, env), after, prime)
            case "identifier_ref" if text(node) in self.operators:
                yield from self.steps(self.body(text(node)), env, after, prime)
            case "bound_prefix_op" if inner[0].type == "unchanged":
                yield {
                    **after,
                    **{text(n): env[text(n)] for n in parts(inner[1]) if n.type == "identifier_ref"},
                }
            case "bound_infix_op" if inner[1].type == "eq" and text(inner[0]) in {
                v + prime for v in self.variables
            }:
                name = text(inner[0]).removesuffix("'")
                assert name not in after, f"{name} is given twice"
                yield {**after, name: self.value(inner[2], env)}
            case _:
                if self.value(node, env):
                    yield after

    def called(self, inner: list[Node], env: Values) -> Values:
        names = [text(n) for n in parts(self.operators[text(inner[0])])[1:-1] if n.type == "identifier"]
        args = [self.value(n, env) for n in inner[1:]]
        top = {k: env[k] for k in (*self.constants, *self.variables)}
        return {**top, **dict(zip(names, args, strict=True))}

    def bound(self, bounds: list[Node], env: Values) -> Iterator[Values]:
        """Every way to bind what `x \\in S, <<y, z>> \\in T` binds.  TLA+ has no name bound twice."""
        ways: list[list[dict[str, Any]]] = []
        for b in bounds:
            target, _, over = parts(b)
            names = [text(n) for n in parts(target) if n.type == "identifier"] or [text(target)]
            assert not any(n in env or n in self.operators for n in names), f"{names} bound twice"
            members = self.value(over, env)
            ways.append([dict(zip(names, m if parts(target) else (m,), strict=True)) for m in members])
        for way in itertools.product(*ways):
            yield {**env, **{k: v for one in way for k, v in one.items()}}

    def value(self, node: Node, env: Values) -> Any:
        """What an expression is, given values for its names."""
        inner = parts(node)
        match node.type:
            case "parentheses":
                return self.value(inner[0], env)
            case "boolean":
                return text(node) == "TRUE"
            case "identifier_ref":
                return env[text(node)]
            case "tuple_literal":
                return tuple(self.value(n, env) for n in inner if not n.type.endswith("bracket"))
            case "finite_set_literal":
                return frozenset(self.value(n, env) for n in inner)
            case "if_then_else":
                condition, then, otherwise = inner
                return self.value(then if self.value(condition, env) else otherwise, env)
            case "bounded_quantification":
                ways = (self.value(inner[-1], more) for more in self.bound(inner[1:-1], env))
                return all(ways) if inner[0].type == "forall" else any(ways)
            case "set_filter":
                _, _, over = parts(inner[0])
                kept = zip(self.value(over, env), self.bound(inner[:1], env), strict=True)
                return frozenset(x for x, more in kept if self.value(inner[1], more))
            case "set_map":
                return frozenset(self.value(inner[0], more) for more in self.bound(inner[1:], env))
            case "bound_prefix_op" if inner[0].type == "lnot":
                return not self.value(inner[1], env)
            case "bound_infix_op":
                return self.infix(inner[1].type, inner[0], inner[2], env)
        raise AssertionError(f"we print no {node.type}: {text(node)}")

    def infix(self, sign: str, left: Node, right: Node, env: Values) -> Any:
        if sign == "subseteq":
            return self.included(self.value(left, env), right, env)
        if sign == "times":
            flat = [*self.factors(left), right]
            return list(itertools.product(*(self.value(n, env) for n in flat)))
        x = self.value(left, env)
        if sign in ("land", "lor", "implies"):
            decided = {"land": (False, False), "lor": (True, True), "implies": (False, True)}[sign]
            return decided[1] if x == decided[0] else self.value(right, env)
        y = self.value(right, env)
        signs: dict[str, Callable[[], Any]] = {
            "eq": lambda: x == y,
            "neq": lambda: x != y,
            "lt": lambda: x < y,
            "in": lambda: x in y,
            "notin": lambda: x not in y,
            "cup": lambda: x | y,
            "setminus": lambda: x - y,
        }
        return signs[sign]()

    def factors(self, node: Node) -> list[Node]:
        """`A \\X B \\X C` holds triples."""
        inner = parts(node)
        if node.type == "bound_infix_op" and inner[1].type == "times":
            return [*self.factors(inner[0]), inner[2]]
        return [node]

    def included(self, x: frozenset[Any], right: Node, env: Values) -> bool:
        if right.type == "nat_number_set":
            return all(isinstance(n, int) and n >= 0 for n in x)
        power, of = parts(right)
        assert power.type == "powerset"
        return all(member <= self.value(of, env) for member in x)


def read_constants(configuration: str) -> Iterator[tuple[str, frozenset[Any]]]:
    """The values of constants in a configuration: sets of numbers, of model values or of sets of these."""
    for name, value in re.findall(r"^    (\w+) = (.*)$", configuration, re.MULTILINE):
        sets = [frozenset(map(member, s.split(", "))) for s in re.findall(r"\{([^{}]+)\}", value)]
        yield name, frozenset(sets) if value.startswith("{{") else sets[0]


def member(name: str) -> int | str:
    return int(name) if name.isdecimal() else name


# The tests -----------------------------------------------------------------------------------


def assert_same_meaning(spec: Specification, instance: Instance, states_max: int) -> int:
    """Asserts that module and text agree on every state that is reached, up to so many; returns how many."""
    made = export(spec, instance)
    module = Module(made)
    assert module.assumptions_hold()
    listed = re.findall(r"^INVARIANT (\w+)$", made.configuration, re.MULTILINE)
    assert len(listed) == len(spec.properties)
    successors: dict[State, set[State]] = {}

    def see(now: State, action: str, args: tuple[Any, ...], nxt: State) -> None:
        successors.setdefault(now, set()).add(nxt)

    def seen(state: State) -> frozenset[tuple[str, Any]]:
        return frozenset(zip(module.variables, vars(state).values(), strict=True))

    search = Search(spec, instance, Limits(states_max=states_max), (see,), (), False, None)
    with instance.inhabited():
        _, cut_short = search.run()
        assert [frozenset(x.items()) for x in module.initial()] == [seen(next(iter(search.came)))]
        for state in list(search.came)[:states_max]:
            for f, name in zip(spec.properties, listed, strict=True):
                assert module.holds(name, dict(seen(state))) == f(state), name
            if state in successors or not cut_short:
                assert module.successors(dict(seen(state))) == {seen(x) for x in successors.get(state, ())}
    return len(search.came)


@pytest.mark.parametrize(
    ("spec", "sizes", "states_max"),
    [
        (consensus, {"slot": 2, "value": 2}, 9),
        (voting, {"acceptor": 2, "ballot": 2, "slot": 1, "value": 2}, 10_000),
        (multipaxos, {"acceptor": 2, "ballot": 2, "slot": 1, "value": 1}, 10_000),
        (multipaxos, {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}, 60),
    ],
)
def test_a_printed_module_means_the_same(spec: ModuleType, sizes: dict[str, int], states_max: int) -> None:
    specification = Specification.of(spec)
    found = assert_same_meaning(specification, Instance.of(specification, sizes), states_max)
    assert found <= states_max or spec is multipaxos, "the graph is compared as a whole, but for the largest"


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_module_that_is_printed_means_the_same(
    data: Any, specification_texts: st.SearchStrategy[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    written = data.draw(specification_texts)
    note(written)
    file = tmp_path_factory.getbasetemp() / f"printed_{abs(hash(written))}.py"
    file.write_text(written)
    spec = load(file)
    instance = Instance.of(spec, {"a": 2, "b": 2})
    note(export(spec, instance).module)
    assert_same_meaning(spec, instance, 12)


@pytest.mark.parametrize("end", ["tla", "cfg"])
def test_consensus_is_printed_as_a_person_would_write_it(end: str) -> None:
    spec = Specification.of(consensus)
    made = export(spec, Instance.of(spec, {"slot": 2, "value": 2}))
    printed = {"tla": made.module, "cfg": made.configuration}[end]
    assert printed == (GOLDEN / f"consensus.{end}").read_text()


AWKWARD = """\
from quorate.checker.language import Set, Sort, State, action, init, invariant, require


class Nat(Sort): ...
class IN(Sort, ordered=True): ...


class Names(State):
    choose: Set[Nat, IN]
    CHOOSE: Set[Nat]
    été: Set[IN]
    WF_1: Set[IN]
    _: Set[IN]


@init
def nothing() -> Names:
    return Names()


@action
def rest(now: Names) -> Names:
    return now.but(CHOOSE=set())


@action
def Next(now: Names, choose: Nat, vars: IN, ñ: IN) -> Names:
    require(choose == choose and (vars,) not in now.été and vars <= ñ)
    return now.but(choose={(choose, vars)}, CHOOSE={(x,) for x in Nat for été in IN if (x, été) not in now.choose},
                   été={(x,) for x in IN if any((y, x) in now.choose for y in Nat)}, WF_1=now.été, _=now.WF_1)


@invariant
def Spec(now: Names) -> bool:
    return not all((rest,) in now.CHOOSE for rest_ in Nat for rest in Nat)
"""


def test_names_that_tla_cannot_have_are_renamed(tmp_path: Path) -> None:
    file = tmp_path / "Awkward-names.py"
    file.write_text(
        AWKWARD.replace("for rest_ in Nat for rest in Nat", "for r_ in Nat for r in Nat").replace(
            "(rest,)", "(r,)"
        )
    )
    spec = load(file)
    made = export(spec, Instance.of(spec, {"nat": 2, "in": 2}))
    assert made.name == "Awkward_names"
    assert "VARIABLES choose, CHOOSE2, _t_, xWF_1, x_" in made.module
    assert assert_same_meaning(spec, Instance.of(spec, {"nat": 2, "in": 2}), 300) > 10


def test_an_export_says_where_each_require_stands() -> None:
    spec = Specification.of(multipaxos)
    module = export(spec, Instance.of(spec)).module
    for step in spec.steps.values():
        for require in step.requires:
            assert f"  \\* multipaxos.py:{require.place.line}\n" in module

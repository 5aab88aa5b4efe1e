"""Plans printed as Python, once for a specification: a step is then a few look-ups, and nothing is interpreted.

Each search becomes a function of nested loops, each test an expression, each relation two functions that put a row
into its tries and take it out.  The text is meant to be read: `Machine.source` shows it.

This file does not know what the terms were, only plans and how rows are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import assert_never

from ..term import Var
from .plan import (
    Below,
    Between,
    Both,
    Bound,
    BoundOf,
    Each,
    Either,
    Exists,
    Fact,
    From,
    Given,
    Has,
    Move,
    Negated,
    Over,
    Same,
    Search,
    Test,
    Within,
    needs,
)
from .store import Bounds, Store, Trie, bounds_name, members_name, trie_name

Then = Callable[[], None]


@dataclass
class Printer:
    """Functions being printed.  `done` are the lines of those that are complete, in no particular order."""

    store: Store
    done: list[str] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _indent: int = 0
    _names: dict[Var, str] = field(default_factory=dict)
    _count: int = 0
    _finds: dict[int, str] = field(default_factory=dict)
    """The call of the function that was printed for a search, which is then kept so that its id stays its own."""
    _kept: list[Search] = field(default_factory=list)

    # Lines and names ---------------------------------------------------------------------

    def line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    @contextmanager
    def block(self, text: str) -> Iterator[None]:
        self.line(text)
        self._indent += 1
        yield
        self._indent -= 1

    @contextmanager
    def function(self, name: str, parameters: Iterable[str]) -> Iterator[None]:
        """What is printed within is the function's body."""
        outside, self._lines, self._indent = (self._lines, self._indent), [], 0
        with self.block(f"def {name}({', '.join(parameters)}):"):
            yield
        self.done += self._lines
        self._lines, self._indent = outside

    def name(self, x: Var) -> str:
        """The variable's name: its own and a number, for two variables may have one name."""
        if x not in self._names:
            self._names[x] = self.fresh(x.name)
        return self._names[x]

    def fresh(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    # Tests -------------------------------------------------------------------------------

    def test(self, t: Test) -> str:
        """A test as an expression."""
        match t:
            case Fact(value):
                return str(value)
            case Same(left, right):
                return f"{self.name(left)} == {self.name(right)}"
            case Below(left, right):
                return f"{self.name(left)} < {self.name(right)}"
            case Within(item, many):
                return f"{self.name(item)} in {self.name(many)}"
            case Has(relation, row):
                return self.has(relation, [self.name(x) for x in row])
            case Negated(body):
                return f"not ({self.test(body)})"
            case Both(parts):
                return " and ".join(f"({self.test(x)})" for x in parts) or "True"
            case Either(parts):
                return " or ".join(f"({self.test(x)})" for x in parts) or "False"
            case Exists(search):
                return self.exists(search)
            case Between(floors, ceilings):
                return f"between({self.bounds(floors)}, {self.bounds(ceilings)})"
        assert_never(t)

    def bounds(self, bounds: Iterable[Bound]) -> str:
        return "(" + "".join(f"{self.bound(b)}, " for b in bounds) + ")"

    def bound(self, bound: Bound) -> str:
        if isinstance(bound, BoundOf):
            key = _key([self.name(x) for x in bound.row if x is not None])
            return f"{bounds_name(bound.relation)}.get({key})"
        return self.name(bound)

    def has(self, relation: str, row: Sequence[str]) -> str:
        stored = self.store[relation]
        if isinstance(stored, Bounds):
            top = self.fresh("top")
            found = f"{bounds_name(relation)}.get({_cut_key(stored, row)})"
            return f"({top} := {found}) is not None and {row[stored.cut]} < {top}"
        trie = stored[0]
        keys = [_key([row[i] for i in level]) for level in trie.levels]
        if len(keys) == 1:
            return f"{keys[0]} in {trie_name(relation, 0)}"
        rest = self.fresh("rest")
        found = self.descent(trie_name(relation, 0), keys[:-1])
        return f"({keys[-1]} in {rest} if ({rest} := {found}).__class__ is Several else {rest} == {keys[-1]})"

    def descent(self, root: str, keys: Sequence[str]) -> str:
        """What a trie has under these keys; None if nothing."""
        for key in keys[:-1]:
            root = f"{root}.get({key}, nothing)"
        return f"{root}.get({keys[-1]})"

    def exists(self, search: Search) -> str:
        """Whether a search finds anything: a look-up if any row of a branch will do, else a function."""
        quick = self.branch(search)
        if quick is not None:
            return quick
        call = self._finds.get(id(search))
        if call is None:
            parameters = [self.name(x) for x in needs(search.moves)]
            name = self.fresh("find")
            with self.function(name, parameters):
                self.walk(search.moves, lambda: self.line("return True"))
                self.line("return False")
            call = self._finds[id(search)] = f"{name}({', '.join(parameters)})"
            self._kept.append(search)
        return call

    def branch(self, search: Search) -> str | None:
        """Whether a trie has a branch, which is never empty: enough where any row that is there will do."""
        match search.moves:
            case (Each(relation, row, new) as each,) if sum(x in new for x in row) == len(new):
                stored = self.store[relation]
                for i, trie in enumerate(stored if isinstance(stored, tuple) else ()):
                    depth = trie.depth(each.pattern)
                    if depth:
                        keys = [_key([self.name(row[c]) for c in level]) for level in trie.levels[:depth]]
                        return f"{self.descent(trie_name(relation, i), keys)} is not None"
        return None

    # Searches ----------------------------------------------------------------------------

    def walk(self, moves: Sequence[Move], then: Then) -> None:
        """Print the moves one inside the other, and `then` inside the last."""
        if not moves:
            then()
            return
        move, rest = moves[0], moves[1:]

        def further() -> None:
            self.walk(rest, then)

        match move:
            case Given(test):
                with self.block(f"if {self.test(test)}:"):
                    further()
            case From(item, many):
                with self.block(f"for {self.name(item)} in {self.name(many)}:"):
                    further()
            case Over(item):
                with self.block(f"for {self.name(item)} in {members_name(item.sort)}:"):
                    further()
            case Each():
                self.each(move, further)
            case _:
                assert_never(move)

    def each(self, move: Each, then: Then) -> None:
        stored = self.store[move.relation]
        if isinstance(stored, Bounds):
            self.each_below(move, stored, then)
            return
        best = max(range(len(stored)), key=lambda i: stored[i].follows(move.pattern))
        self.level(move, stored[best], 0, trie_name(move.relation, best), set(), then)

    def level(self, move: Each, trie: Trie, depth: int, node: str, known: set[Var], then: Then) -> None:
        """One level of a trie: down by its key if that is bound, else through all its keys."""
        columns = [move.row[i] for i in trie.levels[depth]]
        is_last = depth == len(trie.levels) - 1
        if all(x not in move.new or x in known for x in columns):
            key = _key([self.name(x) for x in columns])
            if is_last:
                with self.block(f"if {key} in {self.spread(node, depth)}:"):
                    then()
                return
            below = self.fresh("below")
            self.line(f"{below} = {node}.get({key})")
            with self.block(f"if {below} is not None:"):
                self.level(move, trie, depth + 1, below, known, then)
            return
        targets, same = self.targets(move, columns, known)
        below = self.fresh("below")
        loop = f"{self.spread(node, depth)}" if is_last else f"{node}.items()"
        with (
            self.block(f"for {targets if is_last else f'{targets}, {below}'} in {loop}:"),
            self.only_if(same),
        ):
            if is_last:
                then()
            else:
                self.level(move, trie, depth + 1, below, known, then)

    def spread(self, node: str, depth: int) -> str:
        """The bottom of a trie as something to loop over: bare there is what is left of one row."""
        return node if depth == 0 else f"({node} if {node}.__class__ is Several else ({node},))"

    def targets(self, move: Each, columns: Sequence[Var], known: set[Var]) -> tuple[str, list[str]]:
        """What a loop binds, and the equalities that must hold, for a column may be bound already."""
        names, same = list[str](), list[str]()
        for x in columns:
            if x in move.new and x not in known:
                known.add(x)
                names.append(self.name(x))
            else:
                names.append(self.fresh(x.name))
                same.append(f"{names[-1]} == {self.name(x)}")
        return _key(names), same

    @contextmanager
    def only_if(self, conditions: Sequence[str]) -> Iterator[None]:
        if conditions:
            with self.block(f"if {' and '.join(conditions)}:"):
                yield
        else:
            yield

    def each_below(self, move: Each, stored: Bounds, then: Then) -> None:
        """The keys of a relation kept as bounds whose bound is above what stands in the cut column."""
        columns = [x for i, x in enumerate(move.row) if i != stored.cut]
        targets, same = self.targets(move, columns, set())
        top = self.fresh("top")
        below = f"{self.name(move.row[stored.cut])} < {top}"
        with (
            self.block(f"for {targets}, {top} in {bounds_name(move.relation)}.items():"),
            self.only_if([*same, below]),
        ):
            then()

    # Writing -----------------------------------------------------------------------------

    def writers(self, relation: str) -> None:
        """The functions that put a row of a relation into all its tries, and that take it out."""
        stored = self.store[relation]
        if isinstance(stored, Bounds):
            return
        row = [f"x{i}" for i in range(sum(map(len, stored[0].levels)))]
        tries = [(trie_name(relation, i), trie) for i, trie in enumerate(stored)]
        with self.function(f"put_{relation}", row):
            for root, trie in tries:
                self.put(root, trie, row)
        for root, trie in tries:
            with self.function(f"drop_{root}", row):
                self.drop(root, trie, row)
        with self.function(f"drop_{relation}", row):
            for root, _ in tries:
                self.line(f"drop_{root}({', '.join(row)})")

    def put(self, root: str, trie: Trie, row: Sequence[str]) -> None:
        *keys, last = (_key([row[i] for i in level]) for level in trie.levels)
        if not keys:
            self.line(f"{root}.add({last})")
            return
        node = root
        for depth, key in enumerate(keys[:-1]):
            below = f"node{depth + 1}"
            self.line(f"{below} = {node}.get({key})")
            with self.block(f"if {below} is None:"):
                self.line(f"{below} = {node}[{key}] = {{}}")
            node = below
        self.line(f"old = {node}.get({keys[-1]})")
        with self.block("if old is None:"):
            self.line(f"{node}[{keys[-1]}] = {last}")
        with self.block("elif old.__class__ is Several:"):
            self.line(f"old.add({last})")
        with self.block(f"elif old != {last}:"):
            self.line(f"{node}[{keys[-1]}] = Several((old, {last}))")

    def drop(self, root: str, trie: Trie, row: Sequence[str]) -> None:
        *keys, last = (_key([row[i] for i in level]) for level in trie.levels)
        if not keys:
            self.line(f"{root}.discard({last})")
            return
        nodes = [root, *(f"node{depth + 1}" for depth in range(len(keys) - 1))]
        for node, key, below in zip(nodes, keys, nodes[1:], strict=False):
            self.line(f"{below} = {node}.get({key}, nothing)")
        self.line(f"old = {nodes[-1]}.get({keys[-1]})")
        with self.block("if old.__class__ is Several:"):
            self.line(f"old.discard({last})")
            with self.block("if old:"):
                self.line("return")
        with self.block(f"elif old is None or old != {last}:"):
            self.line("return")
        self.line(f"del {nodes[-1]}[{keys[-1]}]")
        for node, key, below in reversed(list(zip(nodes, keys, nodes[1:], strict=False))):
            with self.block(f"if not {below}:"):
                self.line(f"del {node}[{key}]")


def _key(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _cut_key(stored: Bounds, row: Sequence[str]) -> str:
    return _key([x for i, x in enumerate(row) if i != stored.cut])

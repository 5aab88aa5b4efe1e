"""Prints grounded actions and properties as LLVM assembly, working on states of a few machine words.

A conjunction of literals in one word is a single masked comparison, and rows that a comprehension copies move
together where they lie equally far apart.  Three functions come out, all over arrays of states:

    expand(states, low, high, out, via, ends, fired)   the successors of states low .. high - 1
    check(states, low, high)                           the first of these states that breaks a property, or -1
    hash(states, count, out)                           the fingerprints of states

The words of a state that waits to be expanded are followed by those of the set of leaves that it need not take
(`commuting`).  `out` receives records, a fingerprint and such a state; `via` the action that led to each; `ends` how
many records there are after each state, with the top bit set if some of its successors may be equal; `fired` the set of
leaves that lead to another state, whether or not they were taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .assembler import Assembler, constant
from .circuit import Gate, Lit, Node
from .commuting import Sleep
from .layout import WORD_BITS, Layout
from .moves import Guard, Leaf, Moves

TWINS = 1 << 63
"""Set in an entry of `ends`: some of these successors may be equal."""

# The multipliers of splitmix64 (Steele, Lea, Flood 2014).  Its increment has the top bit cleared here, so that no
# single word with a clear top bit is scrambled to 0.
INCREMENT, FIRST_FACTOR, SECOND_FACTOR = 0x1E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@dataclass
class Words:
    """The words of a present state, by name, and tests of its bits."""

    asm: Assembler
    names: Sequence[str]
    asleep: Sequence[str] = ()
    """The words of the set of leaves that need not be taken."""

    def test(self, x: Node) -> str:
        """The truth of a node."""
        if isinstance(x, bool):
            return "true" if x else "false"
        if isinstance(x, Lit):
            return self._literals([x], True)[0]
        literals = [p for p in x.parts if isinstance(p, Lit)]
        gates = [self.test(p) for p in x.parts if isinstance(p, Gate)]
        operation = "and" if x.conjunction else "or"
        return self.asm.truth(operation, [*self._literals(literals, x.conjunction), *gates])

    def _literals(self, literals: Iterable[Lit], conjunction: bool) -> list[str]:
        """One comparison a word: all of them hold, (w & mask) == set; one does, (w & mask) != clear."""
        masks: dict[int, list[int]] = {}
        for x in literals:
            word, bit = divmod(x.bit, WORD_BITS)
            masks.setdefault(word, [0, 0])[x.positive] |= 1 << bit
        out = []
        for word, (clear, wanted) in sorted(masks.items()):
            masked = self.asm.both(self.names[word], constant(clear | wanted))
            against = constant(wanted if conjunction else clear)
            out.append(self.asm.compare("eq" if conjunction else "ne", masked, against))
        return out


@dataclass
class Change:
    """How one word changes: bits kept, set, moved in from other words, or chosen by a test."""

    clear: int = 0
    set: int = 0
    moved: dict[tuple[int, int, bool], int] = field(default_factory=dict)
    """By source word, distance and polarity: the source bits that are or-ed in."""
    dropped: dict[tuple[int, int, bool], int] = field(default_factory=dict)
    """The same, for bits that stay only where the source bit holds."""
    chosen: list[tuple[int, Node]] = field(default_factory=list)

    def add(self, bit: int, value: Node) -> None:
        """Bit number `bit` of the state, which is in this word, becomes `value`."""
        at = bit % WORD_BITS
        if isinstance(value, bool):
            self.set |= value << at
            self.clear |= (not value) << at
            return
        rest = _beside(bit, value)
        if rest is None:
            self.clear |= 1 << at
            self._bring(at, value)
        elif isinstance(value, Gate) and not value.conjunction:
            self._bring(at, rest)
        elif isinstance(rest, Lit):
            _collect(self.dropped, at, rest)
        else:
            self.clear |= 1 << at
            self.chosen.append((at, value))

    def _bring(self, at: int, value: Node) -> None:
        if isinstance(value, Lit):
            _collect(self.moved, at, value)
        else:
            self.chosen.append((at, value))

    def word(self, old: str, words: Words) -> str:
        """The new word."""
        asm = words.asm
        out = asm.both(old, constant(~self.clear)) if self.clear else old
        for (source, by, positive), mask in self.dropped.items():
            # A bit of the mask that does not hold takes its target away.
            missing = words.names[source] if not positive else asm.differs(words.names[source], "-1")
            gone = asm.shifted(asm.both(missing, constant(mask)), by)
            out = asm.both(out, asm.differs(gone, "-1"))
        for (source, by, positive), mask in self.moved.items():
            held = words.names[source] if positive else asm.differs(words.names[source], "-1")
            out = asm.either(out, asm.shifted(asm.both(held, constant(mask)), by))
        for at, value in self.chosen:
            out = asm.either(out, asm.pure(f"select i1 {words.test(value)}, i64 {constant(1 << at)}, i64 0"))
        return asm.either(out, constant(self.set))


def _beside(bit: int, value: Node) -> Node | None:
    """The rest of `old bit or rest`, or of `old bit and rest`; None if the value is neither with a single rest."""
    if isinstance(value, bool | Lit):
        return None
    rest = [x for x in value.parts if not (isinstance(x, Lit) and x.bit == bit and x.positive)]
    if len(rest) == len(value.parts) or len(rest) != 1:
        return None
    return rest[0]


def _collect(into: dict[tuple[int, int, bool], int], at: int, x: Lit) -> None:
    word, bit = divmod(x.bit, WORD_BITS)
    key = (word, at - bit, x.positive)
    into[key] = into.get(key, 0) | 1 << bit


# Fingerprints ------------------------------------------------------------------------------


def _mixed(asm: Assembler, word: str, which: int) -> str:
    """A word scrambled one-to-one, each word of a state in its own way."""
    x = asm.pure(f"add i64 {word}, {constant(INCREMENT * (which + 1))}")
    for shift, factor in ((30, FIRST_FACTOR), (27, SECOND_FACTOR)):
        x = asm.pure(f"mul i64 {asm.differs(x, asm.shifted(x, -shift))}, {constant(factor)}")
    return asm.differs(x, asm.shifted(x, -31))


def fingerprint(asm: Assembler, words: Sequence[str]) -> str:
    """A 64-bit fingerprint, never 0.  Of a single word it is one-to-one as long as the top bit is clear.

    The words are scrambled by themselves and added, which a processor does side by side.
    """
    parts = [_mixed(asm, word, i) for i, word in enumerate(words)]
    total = parts[0]
    for x in parts[1:]:
        total = asm.pure(f"add i64 {total}, {x}")
    if len(parts) > 1:
        total = asm.pure(f"mul i64 {asm.differs(total, asm.shifted(total, -32))}, {constant(FIRST_FACTOR)}")
        total = asm.differs(total, asm.shifted(total, -29))
    zero = asm.compare("eq", total, "0")
    return asm.pure(f"select i1 {zero}, i64 1, i64 {total}")


# Functions ---------------------------------------------------------------------------------


@dataclass
class Printer:
    """Prints the code for one layout."""

    layout: Layout
    sleep: Sleep
    fingerprints: bool = True
    """Whether `expand` gives each record its fingerprint, and the leaves that it need not take.

    If not, the leaf's number stands in the fingerprint's place, for whoever fills in both."""

    @property
    def waiting_words(self) -> int:
        """A state that waits, with the leaves that it need not take."""
        return self.layout.words + self.sleep.words

    def _load(self, asm: Assembler, states: str, index: str) -> Words:
        start = asm.element(states, asm.pure(f"mul i64 {index}, {self.waiting_words}"))
        words = [asm.load(asm.element(start, str(j))) for j in range(self.waiting_words)]
        return Words(asm, words[: self.layout.words], words[self.layout.words :])

    def check(self, properties: Sequence[tuple[str, Node]]) -> str:
        """The function that checks states."""
        asm = Assembler()
        with asm.each("%low", "%high", "k") as k:
            words = self._load(asm, "%states", k)
            for name, holds in properties:
                asm.note(name)
                if holds is True:
                    continue
                broken = asm.pure(f"xor i1 {words.test(holds)}, true")
                with asm.when(broken):
                    asm.effect(f"ret i64 {k}")
                    asm.lines.append(f"unreached{len(asm.lines)}:")
        asm.effect("ret i64 -1")
        return asm.function("i64 @check(ptr readonly %states, i64 %low, i64 %high)")

    def hash(self) -> str:
        """The function that takes the fingerprints of states."""
        asm = Assembler()
        with asm.each("0", "%count", "k") as k:
            words = self._load(asm, "%states", k)
            asm.store(fingerprint(asm, words.names), asm.element("%out", k))
        asm.effect("ret i64 0")
        return asm.function("i64 @hash(ptr noalias readonly %states, i64 %count, ptr noalias %out)")

    def expand(self, moves: Moves) -> str:
        """The function that makes successors."""
        asm = Assembler()
        for name in ("%made", "%twins", *self._fired):
            asm.effect(f"{name} = alloca i64")
        asm.store("0", "%made")
        with asm.each("%low", "%high", "k") as k:
            words = self._load(asm, "%states", k)
            for name in ("%twins", *self._fired):
                asm.store("0", name)
            for name, tree in zip(moves.actions, moves.trees, strict=True):
                asm.note(name)
                for node in tree:
                    self._node(words, node)
            end = asm.pure(f"or i64 {asm.load('%made')}, {asm.load('%twins')}")
            here = asm.pure(f"sub i64 {k}, %low")
            asm.store(end, asm.element("%ends", here))
            for j, name in enumerate(self._fired):
                at = asm.pure(f"add i64 {asm.pure(f'mul i64 {here}, {len(self._fired)}')}, {j}")
                asm.store(asm.load(name), asm.element("%fired", at))
        asm.effect(f"ret i64 {asm.load('%made')}")
        return asm.function(
            "i64 @expand(ptr noalias readonly %states, i64 %low, i64 %high, "
            "ptr noalias %out, ptr noalias %via, ptr noalias %ends, ptr noalias %fired)"
        )

    @property
    def _fired(self) -> list[str]:
        """Where the set of leaves that lead to another state is gathered."""
        return [f"%fired{j}" for j in range(self.sleep.all_words)]

    def _node(self, words: Words, node: Guard | Leaf) -> None:
        if isinstance(node, Leaf):
            self._leaf(words, node)
            return
        for r in node.requires:
            words.asm.note(f"{r.place}  {r.place.text}")
        with words.asm.when(words.test(node.holds)):
            for x in node.below:
                self._node(words, x)

    def _leaf(self, words: Words, leaf: Leaf) -> None:
        """Makes a successor, unless it is the state itself or need not be made."""
        asm = words.asm
        if leaf.always_new:
            self._fire(asm, leaf)
            word, bit = divmod(self.sleep.number[leaf], WORD_BITS)
            if self.sleep.may_be_left_out(leaf):
                asleep = asm.both(words.asleep[word], constant(1 << bit))
                with asm.when(asm.compare("eq", asleep, "0")):
                    self._emit(asm, self._successor(words, leaf.becomes), leaf)
            else:
                self._emit(asm, self._successor(words, leaf.becomes), leaf)
            return
        following = self._successor(words, leaf.becomes)
        fresh = self._changed(words, following, leaf.private)
        if fresh is not None:
            with asm.when(fresh):
                self._fire(asm, leaf)
                self._emit(asm, following, leaf)
        if not leaf.only_private:
            everything = self._changed(words, following, tuple(leaf.becomes))
            assert everything is not None, "a leaf changes something"
            if fresh is not None:
                everything = asm.truth("and", [everything, asm.pure(f"xor i1 {fresh}, true")])
            with asm.when(everything):
                self._fire(asm, leaf)
                self._emit(asm, following, leaf)
                asm.store(constant(TWINS), "%twins")

    def _fire(self, asm: Assembler, leaf: Leaf) -> None:
        """Notes that the leaf leads to another state."""
        word, bit = divmod(self.sleep.number[leaf], WORD_BITS)
        name = self._fired[word]
        asm.store(asm.pure(f"or i64 {asm.load(name)}, {constant(1 << bit)}"), name)

    def _successor(self, words: Words, becomes: Mapping[int, Node]) -> list[str]:
        changes: dict[int, Change] = {}
        for bit, value in becomes.items():
            changes.setdefault(bit // WORD_BITS, Change()).add(bit, value)
        return [changes[i].word(w, words) if i in changes else w for i, w in enumerate(words.names)]

    def _changed(self, words: Words, following: Sequence[str], bits: Sequence[int]) -> str | None:
        """Whether one of these bits differs in the successor; None for no bits."""
        masks: dict[int, int] = {}
        for bit in bits:
            word, at = divmod(bit, WORD_BITS)
            masks[word] = masks.get(word, 0) | 1 << at
        if not masks:
            return None
        asm, difference = words.asm, "0"
        for word, mask in sorted(masks.items()):
            here = asm.differs(words.names[word], following[word])
            difference = asm.either(difference, asm.both(here, constant(mask)))
        return asm.compare("ne", difference, "0")

    def _emit(self, asm: Assembler, following: Sequence[str], leaf: Leaf) -> None:
        """Writes a record."""
        words = [*following, *self._asleep_after(asm, leaf)]
        given = ", ".join(f"i64 {x}" for x in (str(leaf.action), str(self.sleep.number[leaf]), *words))
        asm.effect(f"call void @emit(ptr %out, ptr %via, ptr %made, {given})")

    def emit(self) -> str:
        """The function that writes a record: written once, since most states are found once and code is not free."""
        asm, words = Assembler(), [f"%w{i}" for i in range(self.waiting_words)]
        made = asm.load("%made")
        record = asm.element("%out", asm.pure(f"mul i64 {made}, {self.waiting_words + 1}"))
        mark = fingerprint(asm, words[: self.layout.words]) if self.fingerprints else "%number"
        for i, word in enumerate([mark, *words]):
            asm.store(word, asm.element(record, str(i)))
        action = asm.pure("trunc i64 %action to i8")
        asm.store(action, asm.element("%via", made, "i8"), "i8")
        asm.store(asm.pure(f"add i64 {made}, 1"), "%made")
        asm.effect("ret void")
        given = ", ".join(f"i64 {x}" for x in ("%action", "%number", *words))
        return asm.function(
            f"internal void @emit(ptr noalias %out, ptr noalias %via, ptr noalias %made, {given})"
        )

    def _asleep_after(self, asm: Assembler, leaf: Leaf) -> list[str]:
        """The set of leaves that the successor need not take: of those that were tried before and lead on."""
        masks = [constant(self.sleep.instead[leaf] >> j * WORD_BITS) for j in range(self.sleep.words)]
        if not self.fingerprints:
            return ["0"] * len(masks)
        return ["0" if m == "0" else asm.both(asm.load(self._fired[j]), m) for j, m in enumerate(masks)]

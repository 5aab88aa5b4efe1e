"""Writes LLVM's assembly: values numbered, equal ones written once, blocks nested as the source nests them.

This file knows the assembly's grammar and nothing of what is computed with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

WORD_MASK = (1 << 64) - 1


def constant(value: int) -> str:
    """A word as the assembly writes it: signed."""
    value &= WORD_MASK
    return str(value - (1 << 64) if value >> 63 else value)


class Assembler:
    """One function, being written.

    A pure instruction is written once for each scope in which it is visible; `effect` and `fresh` always write.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._known: list[dict[str, str]] = [{}]
        self._count = 0

    # Instructions ------------------------------------------------------------------------

    def pure(self, instruction: str) -> str:
        """The value of an instruction without effect, computed here unless it already was."""
        for scope in reversed(self._known):
            if instruction in scope:
                return scope[instruction]
        name = self.fresh(instruction)
        self._known[-1][instruction] = name
        return name

    def fresh(self, instruction: str) -> str:
        """The value of an instruction that reads memory."""
        self._count += 1
        self.lines.append(f"  %t{self._count} = {instruction}")
        return f"%t{self._count}"

    def effect(self, instruction: str) -> None:
        self.lines.append(f"  {instruction}")

    def note(self, text: str) -> None:
        """A remark for whoever reads the code."""
        self.lines.append(f"  ; {text}")

    # Words and truths ---------------------------------------------------------------------

    def both(self, a: str, b: str) -> str:
        return self.pure(f"and i64 {a}, {b}")

    def either(self, a: str, b: str) -> str:
        if a == "0" or b == "0":
            return b if a == "0" else a
        return self.pure(f"or i64 {a}, {b}")

    def differs(self, a: str, b: str) -> str:
        return self.pure(f"xor i64 {a}, {b}")

    def shifted(self, a: str, by: int) -> str:
        """Towards the higher bits by this much, or the lower ones if it is negative."""
        return a if by == 0 else self.pure(f"{'shl' if by > 0 else 'lshr'} i64 {a}, {abs(by)}")

    def truth(self, operation: str, parts: list[str]) -> str:
        """The conjunction (`and`) or disjunction (`or`) of truths; one at least."""
        out = parts[0]
        for x in parts[1:]:
            out = self.pure(f"{operation} i1 {out}, {x}")
        return out

    def compare(self, how: str, a: str, b: str) -> str:
        return self.pure(f"icmp {how} i64 {a}, {b}")

    # Memory -------------------------------------------------------------------------------

    def element(self, base: str, index: str, kind: str = "i64") -> str:
        return self.pure(f"getelementptr {kind}, ptr {base}, i64 {index}")

    def load(self, pointer: str) -> str:
        return self.fresh(f"load i64, ptr {pointer}")

    def store(self, value: str, pointer: str, kind: str = "i64") -> None:
        self.effect(f"store {kind} {value}, ptr {pointer}")

    # Blocks -------------------------------------------------------------------------------

    @contextmanager
    def when(self, truth: str) -> Iterator[None]:
        """What is written within happens only where this holds."""
        then, after = self._label("then"), self._label("after")
        self.effect(f"br i1 {truth}, label %{then}, label %{after}")
        with self._block(then, after):
            yield

    @contextmanager
    def each(self, low: str, high: str, name: str) -> Iterator[str]:
        """What is written within happens for every index from `low` up to `high`, which is left out."""
        head, body, step, done = (self._label(f"{name}_{x}") for x in ("head", "body", "step", "done"))
        self.effect(f"br label %{name}_start")
        self.lines.append(f"{name}_start:")
        self.effect(f"br label %{head}")
        self.lines.append(f"{head}:")
        index = f"%{name}"
        self.effect(f"{index} = phi i64 [ {low}, %{name}_start ], [ %{name}_next, %{step} ]")
        more = self.fresh(f"icmp slt i64 {index}, {high}")
        self.effect(f"br i1 {more}, label %{body}, label %{done}")
        with self._block(body, step):
            yield index
        self.effect(f"%{name}_next = add i64 {index}, 1")
        self.effect(f"br label %{head}")
        self.lines.append(f"{done}:")

    @contextmanager
    def _block(self, inside: str, after: str) -> Iterator[None]:
        self.lines.append(f"{inside}:")
        self._known.append({})
        yield
        self._known.pop()
        self.effect(f"br label %{after}")
        self.lines.append(f"{after}:")

    def _label(self, what: str) -> str:
        self._count += 1
        return f"{what}{self._count}"

    def function(self, signature: str) -> str:
        """Everything written, as a function."""
        return "\n".join((f"define {signature} {{", "entry:", *self.lines, "}", ""))

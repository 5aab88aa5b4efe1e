"""The text of a function: the one on disk, which must be the one that runs.

A specification is read from its text and run from its code.  Were the two different (a file edited after it was
imported, a function wrapped by a decorator) then what is proved would not be what is explored, so both are
compared and a difference is refused.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import CodeType, FunctionType
from typing import Any, NoReturn

from .term import Place


class Unreadable(Exception):
    """A specification says something that cannot be read as predicates.

    The message has four parts, a line each: file and line, the text, a mark under the offending part, and what to
    write instead.
    """

    def __init__(self, place: Place, function: str, mark: str, remedy: str) -> None:
        super().__init__(
            f"{place.file}:{place.line}: in {function}: cannot be read as a predicate\n"
            f"    {place.text}\n    {mark}\n  {remedy}"
        )
        self.place, self.remedy = place, remedy


@dataclass(frozen=True)
class File:
    """A source file: its lines, and every function in it by name and first line."""

    name: str
    lines: tuple[str, ...]

    @cached_property
    def definitions(self) -> dict[tuple[str, int], ast.FunctionDef]:
        found = (n for n in ast.walk(ast.parse("".join(self.lines))) if isinstance(n, ast.FunctionDef))
        return {(d.name, min([d.lineno, *(x.lineno for x in d.decorator_list)])): d for d in found}

    @cached_property
    def codes(self) -> dict[tuple[str, int], CodeType]:
        """Every function as its text compiles now."""
        module = compile("".join(self.lines), self.name, "exec", dont_inherit=True)
        return {(c.co_name, c.co_firstlineno): c for c in _codes_in(module)}

    def place(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> Place:
        return Place(self.name, node.lineno, self.lines[node.lineno - 1].strip())

    def said(self, node: ast.expr) -> str:
        """The text of an expression, on one line."""
        lines = list(self.lines[node.lineno - 1 : node.end_lineno])
        lines[-1] = lines[-1][: _column(lines[-1], node.end_col_offset or 0)]
        lines[0] = lines[0][_column(lines[0], node.col_offset) :]
        return " ".join("".join(lines).split())


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes_in(inner)


@lru_cache(maxsize=256)
def _file(name: str, lines: tuple[str, ...]) -> File:
    return File(name, lines)


@dataclass(frozen=True)
class Source:
    """A function together with its text, and with the names of the module around it.

    Raises `Unreadable` if the text cannot be found or is not what was loaded.
    """

    function: FunctionType
    file: File
    definition: ast.FunctionDef
    outside: Mapping[str, Any]

    @classmethod
    def of(cls, f: Callable[..., Any]) -> Source:
        if not isinstance(f, FunctionType):
            raise Unreadable(Place("", 0, repr(f)), getattr(f, "__name__", "?"), "", "a predicate is a `def`")
        code = f.__code__
        key = (code.co_name, code.co_firstlineno)
        linecache.checkcache(code.co_filename)
        file = _file(code.co_filename, tuple(linecache.getlines(code.co_filename)))
        try:
            found, definition = file.codes.get(key), file.definitions.get(key)
        except SyntaxError as why:
            raise _unreadable(f, f"its file is no longer Python (line {why.lineno}: {why.msg})") from None
        if found != code:
            raise _unreadable(
                f,
                f"{f.__name__} as loaded is not the text on disk: it was edited, wrapped or made after the import; "
                "start again, and let a specification hold plain `def`s only",
            )
        if definition is None:
            raise _unreadable(f, "a predicate is a plain `def`, no lambda and no `async def`")
        return cls(f, file, definition, f.__globals__)

    def refuse(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg, remedy: str) -> NoReturn:
        """Raises `Unreadable` with the node's line, a mark under it, and what to write instead."""
        raw = self.file.lines[node.lineno - 1]
        column, indent = _column(raw, node.col_offset), len(raw) - len(raw.lstrip())
        one_line = node.end_lineno == node.lineno and node.end_col_offset is not None
        end = _column(raw, node.end_col_offset or 0) if one_line else len(raw.rstrip())
        mark = " " * (column - indent) + "^" * max(1, end - column)
        raise Unreadable(self.file.place(node), self.function.__name__, mark, remedy)


def _column(line: str, offset: int) -> int:
    """Where in a line an offset is that `ast` gives: it counts bytes of UTF-8, a reader counts characters."""
    return len(line.encode()[:offset].decode())


def _unreadable(f: FunctionType, remedy: str) -> Unreadable:
    """What is raised where a function is not to be found in its file, or not as it runs."""
    head = f"def {f.__name__}"
    place = Place(f.__code__.co_filename, f.__code__.co_firstlineno, head)
    return Unreadable(place, f.__name__, "^" * len(head), remedy)

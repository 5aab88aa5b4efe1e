"""What to write instead of the Python that a specification does not use."""

from __future__ import annotations

import ast
from collections.abc import Mapping

REWRITES: Mapping[type[ast.AST], str] = {
    ast.If: "an `if` statement asks a yes-or-no question that has no answer for every state at once; "
    "write implies(p, q), or a filter in the comprehension",
    ast.Match: "write implies(p, q), or a filter in the comprehension",
    ast.For: "write all(... for x in Sort), any(... for x in Sort) or {(...) for x in Sort}",
    ast.While: "a specification has no loops; quantify with all(...) or any(...)",
    ast.IfExp: "write (p and x) or (not p and y)",
    ast.AugAssign: "relations do not change; write now.but(left=now.left | {...})",
    ast.AnnAssign: "write name = ... without an annotation",
    ast.NamedExpr: "write name = ... on a line of its own",
    ast.Assert: "an enabling condition is require(...); a property is an @invariant",
    ast.Lambda: "name it: def",
    ast.FunctionDef: "write the helper predicate beside this function, not inside it",
    ast.ListComp: "a list has an order, a relation has none; write {(...) for ...}",
    ast.List: "a list has an order, a relation has none; write {(...), (...)}",
    ast.DictComp: "a state consists of relations; write {(key, value) for ...}",
    ast.Dict: "a state consists of relations; write {(key, value)}",
    ast.GeneratorExp: "write all(...), any(...) or {...} around it",
    ast.Constant: "a specification has no numbers or strings; pass it as a parameter of a Sort",
    ast.Subscript: "relations are sets of rows; write (a, s, b, v) in now.log",
    ast.JoinedStr: "a specification has no strings",
    ast.Starred: "write every column",
    ast.Await: "a specification does not wait",
    ast.Yield: "a predicate is true or false of a state; return what it says",
    ast.Import: "write the import at the top of the file",
    ast.ImportFrom: "write the import at the top of the file",
    ast.Raise: "a specification raises nothing but through require(...)",
    ast.Try: "a specification raises nothing but through require(...)",
    ast.With: "a specification is docstring, name = ..., require(...) and return ...",
}
COUNTING = frozenset((len, sum, max, min, sorted, enumerate, range, zip, next, iter))

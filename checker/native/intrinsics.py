"""Three instructions that Python has no word for, and the decorator that makes machine code of a loop.

numba compiles a loop once a machine, when it is first called, and keeps the result on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Array = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
F = TypeVar("F", bound=Callable[..., Any])

_BIT, _BYTE, _NUMBER, _WORD = (ir.IntType(n) for n in (1, 8, 32, 64))
_POINTER = ir.PointerType(_BYTE)


def compiled(f: F) -> F:
    """The loop as machine code that runs without the interpreter's lock; kept on disk where there is a place."""
    try:
        made = njit(nogil=True, cache=True)(f)
    except RuntimeError:  # numba found no folder that it may write to
        made = njit(nogil=True)(f)
    return cast(F, made)  # what numba returns is called as the function is


def _prefetch(_typing: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        kind = ir.FunctionType(ir.VoidType(), [_POINTER, _NUMBER, _NUMBER, _NUMBER])
        function = builder.module.declare_intrinsic("llvm.prefetch.p0", (), kind)
        where = builder.bitcast(builder.gep(data, [args[1]]), _POINTER)
        builder.call(function, [where, _NUMBER(1), _NUMBER(3), _NUMBER(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


def _ones(_typing: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.ctpop.i64", (), ir.FunctionType(_WORD, [_WORD]))
        return builder.call(function, [args[0]])

    return types.int64(word), generate


def _lowest_bit(_typing: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        function = builder.module.declare_intrinsic(
            "llvm.cttz.i64", (), ir.FunctionType(_WORD, [_WORD, _BIT])
        )
        return builder.call(function, [args[0], _BIT(1)])

    return types.int64(word), generate


def _instruction(f: Callable[..., Any]) -> Any:
    """The instruction that `f` generates; how it is called is said where it is named."""
    return intrinsic(f)


prefetch: Callable[[Array, np.int64], None] = _instruction(_prefetch)
"""Asks for the cache line of array[index], to be written soon."""

lowest_bit: Callable[[np.uint64], np.uint64] = _instruction(_lowest_bit)
"""The place of the lowest bit of a word that is not 0."""

ones: Callable[[np.uint64], int] = _instruction(_ones)
"""How many bits of a word are set."""

"""Turns LLVM assembly into functions of this process, in a fraction of a second and without a compiler installed.

How hard LLVM tries depends on the size of the text, so that the cost is bounded.  Calls release the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

import llvmlite.binding as llvm

Call = Callable[..., int]

LINES_OPTIMISED_MAX = 30_000
"""Measured: some 100 microseconds a line with optimisation, 7 without; what comes out is about half as fast then."""
PASSES = ("sroa", "instruction_combine", "simplify_cfg")
"""The assembly has no two equal values in one scope; more passes than these cost more than they gain."""

_ready = threading.Lock()
_initialised: list[bool] = []


class Machine:
    """Assembly, compiled for this processor.  It must live as long as its functions are called."""

    def __init__(self, assembly: str) -> None:
        started = time.perf_counter()
        with _ready:
            if not _initialised:
                llvm.initialize_native_target()
                llvm.initialize_native_asmprinter()
                _initialised.append(True)
        self.optimised = assembly.count("\n") <= LINES_OPTIMISED_MAX
        level = 2 if self.optimised else 0
        self._target = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=level
        )
        self._module = llvm.parse_assembly(assembly)
        self._module.verify()
        if self.optimised:
            self._optimise()
        self._engine = llvm.create_mcjit_compiler(self._module, self._target)
        self._engine.finalize_object()
        self.seconds = time.perf_counter() - started

    def _optimise(self) -> None:
        builder = llvm.create_pass_builder(self._target, llvm.create_pipeline_tuning_options())
        passes = llvm.create_new_function_pass_manager()
        for name in PASSES:
            getattr(passes, f"add_{name}_pass")()
        for function in self._module.functions:
            passes.run(function, builder)

    def function(self, name: str, arguments: str) -> Call:
        """A function by name; `arguments` has `p` for a pointer and `i` for a 64-bit integer.  It returns one, too."""
        kinds = {"p": ctypes.c_void_p, "i": ctypes.c_int64}
        prototype = ctypes.CFUNCTYPE(ctypes.c_int64, *(kinds[x] for x in arguments))
        return prototype(self._engine.get_function_address(name))

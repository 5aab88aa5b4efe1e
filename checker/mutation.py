"""Specifications spoiled on purpose: a mutant's edit made in the text, and the text loaded beside the original."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from .mutant import Mutant
from .specification import Specification, beside, why_not_imported


class BadMutant(Exception):
    """A mutant does not apply to the text; the message is one line that says why."""


def mutants_of(spec: Specification) -> Sequence[Mutant]:
    """The mutants kept beside a specification, in the module `<name>_mutants`; none if there is no such module.

    Raises `BadMutant` if it cannot be imported, or keeps something else in `MUTANTS`.
    """
    package, _, name = spec.module.__name__.rpartition(".")
    file = Path(spec.module.__file__ or "")
    wanted = f"{package}.{name}_mutants" if package else f"{file.stem}_mutants"
    try:
        with beside(file):
            module = importlib.import_module(wanted)
    except (Exception, SystemExit) as why:
        if isinstance(why, ModuleNotFoundError) and why.name == wanted:
            return ()
        raise BadMutant(f"{wanted}: {why_not_imported(why)}") from why
    mutants = getattr(module, "MUTANTS", None)
    if not isinstance(mutants, list | tuple):
        raise BadMutant(f"{wanted}: it has no list MUTANTS")
    if wrong := [m for m in mutants if not isinstance(m, Mutant)]:
        raise BadMutant(f"{wanted}: MUTANTS has {wrong[0]!r:.60}, which is no Mutant")
    return tuple(mutants)


def mutate(spec: Specification, mutant: Mutant) -> Specification:
    """The specification with the mutant's edit made.  Raises `BadMutant` if the text is not there exactly once."""
    file = spec.module.__file__
    if file is None:
        raise BadMutant(f"{spec.name} has no file to edit")
    text = "".join(linecache.getlines(file))
    if (times := text.count(mutant.text)) != 1:
        raise BadMutant(
            f"mutant {mutant.name}: its text occurs {times} times in {file}, not once; rewrite the mutant"
        )
    name = f"{spec.module.__name__}__{mutant.name}"
    return Specification.of(
        _load(name, f"{file}[{mutant.name}]", text.replace(mutant.text, mutant.by), spec), spec.name
    )


def find_mutant(spec: Specification, name: str) -> Mutant:
    """The mutant of this name.  Raises `BadMutant` with the names there are."""
    known = {m.name: m for m in mutants_of(spec)}
    if name not in known:
        raise BadMutant(f"{spec.name} has no mutant {name}; it has {', '.join(known) or 'none'}")
    return known[name]


def _load(name: str, filename: str, text: str, spec: Specification) -> ModuleType:
    """A module made from text, whose functions can be read as if it were a file."""
    lines = text.splitlines(keepends=True)
    linecache.cache[filename] = (len(text), None, lines, filename)
    made = spec_from_loader(name, loader=None)
    assert made is not None, "a spec without a loader can always be made"
    module = module_from_spec(made)
    module.__file__ = filename
    module.__package__ = spec.module.__package__
    sys.modules[name] = module
    try:
        with beside(Path(filename)):
            exec(compile(text, filename, "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as why:
        del sys.modules[name]
        raise BadMutant(f"{filename}: {why_not_imported(why)}") from why
    return module

"""The errors that mean "what you gave us cannot be used": each is shown as its own one line, with exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

ERRORS: Mapping[str, tuple[str, ...]] = {
    "checker.explore.dump": ("TooLarge",),
    "checker.explore.liveness": ("NoLiveness",),
    "checker.instance": ("BadInstance",),
    "checker.language": ("BadDeclaration",),
    "checker.mutation": ("BadMutant",),
    "checker.native.checkpoint": ("BadCheckpoint",),
    "checker.native.explore": ("CannotExplore",),
    "checker.native.symmetry": ("BadSymmetry",),
    "checker.native.trace": ("NoWay",),
    "checker.prove.proof": ("NothingToProve",),
    "checker.refinement": ("BadRefinement",),
    "checker.source": ("Unreadable",),
    "checker.specification": ("BadSpecification",),
    "checker.study.study": ("BadStudy",),
    "cli.backup": ("NoBackup",),
    "impl.backup": ("BadBackup",),
    "impl.certificates": ("CannotCertify",),
    "impl.net.errors": ("NetError",),
    "impl.restore": ("CannotRestore",),
    "impl.settings": ("SettingsError",),
    "impl.sim.plan": ("BadPlan",),
    "impl.storage.errors": ("StorageError",),
    "traces.errors": ("TraceError",),
}
"""By module, so that a command need not load the engines of the others to know their errors."""


def bad_input() -> tuple[type[Exception], ...]:
    """The classes of these errors; one whose module was never loaded cannot have been raised."""
    return tuple(_loaded())


def _loaded() -> Iterator[type[Exception]]:
    root = __name__.partition(".")[0]
    for module, names in ERRORS.items():
        if found := sys.modules.get(f"{root}.{module}"):
            yield from (getattr(found, name) for name in names)

"""The errors that mean "what you gave us cannot be used": each is shown as its own one line, with exit code 2."""

from __future__ import annotations

from ..checker.instance import BadInstance
from ..checker.mutation import BadMutant
from ..checker.prove.proof import NothingToProve
from ..checker.refinement import BadRefinement
from ..checker.source import Unreadable
from ..checker.specification import BadSpecification
from ..impl.net.main import REFUSALS
from ..traces import TraceError

BAD_INPUT: tuple[type[Exception], ...] = (
    BadInstance,
    BadMutant,
    BadRefinement,
    BadSpecification,
    NothingToProve,
    TraceError,
    Unreadable,
    *REFUSALS,
)

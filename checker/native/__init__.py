"""The native explorer: a specification's terms as machine code, and a search that knows nothing but words."""

from .explore import CannotExplore, explore
from .symmetry import BadSymmetry
from .trace import EnginesDisagree

__all__ = ["BadSymmetry", "CannotExplore", "EnginesDisagree", "explore"]

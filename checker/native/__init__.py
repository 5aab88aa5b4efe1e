"""The native explorer: a specification's terms as machine code, and a search that knows nothing but words."""

from .checkpoint import BadCheckpoint
from .explore import CannotExplore, Storage, explore
from .symmetry import BadSymmetry
from .trace import EnginesDisagree, NoWay

__all__ = ["BadCheckpoint", "BadSymmetry", "CannotExplore", "EnginesDisagree", "NoWay", "Storage", "explore"]

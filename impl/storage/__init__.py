"""The durable log of a node, on its disk. Start at `log`, then `frame` for what a crash may leave."""

from .checkpoint import StoredCheckpoint
from .errors import (
    DamagedLog,
    DiskFailed,
    DiskFull,
    FolderInUse,
    StorageError,
    UnknownFormat,
    WrongFolder,
)
from .folder import Identity
from .log import SEGMENT_BYTES, DurableLog, Opened

__all__ = [
    "SEGMENT_BYTES",
    "DamagedLog",
    "DiskFailed",
    "DiskFull",
    "DurableLog",
    "FolderInUse",
    "Identity",
    "Opened",
    "StorageError",
    "StoredCheckpoint",
    "UnknownFormat",
    "WrongFolder",
]

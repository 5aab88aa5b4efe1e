"""What was proved before, kept on disk under the exact question that was asked.

The key is a digest of the question's canonical text and of whoever answered it: the solver, its version and its seed.
A specification edited anywhere that matters asks another question, and nothing is found.  Only proofs are kept: what
failed is asked again for its counterexample, and what is not known may be known next time.

A record that cannot be read counts as none, and one that cannot be written is done without.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

FORMAT = "quorate proof 1"
"""Part of every key: another meaning of the records is another key."""


class Cache(Protocol):
    """Somewhere to keep what is known under a key."""

    def get(self, *key: str) -> Mapping[str, Any] | None:
        """What was put under this key; None if nothing is there, or nothing that can be read."""
        ...

    def put(self, record: Mapping[str, Any], *key: str) -> None:
        """Keeps a record, if that can be done."""
        ...


class NoCache:
    """Keeps nothing."""

    def get(self, *key: str) -> None:
        return None

    def put(self, record: Mapping[str, Any], *key: str) -> None:
        return None


NO_CACHE = NoCache()


@dataclass(frozen=True)
class FileCache:
    """A folder with a small JSON file for each record, which several processes may share."""

    folder: Path

    def get(self, *key: str) -> Mapping[str, Any] | None:
        try:
            record = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def put(self, record: Mapping[str, Any], *key: str) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:
                json.dump(record, file)
            os.replace(file.name, path)
        except OSError:
            return

    def _path(self, key: tuple[str, ...]) -> Path:
        digest = hashlib.sha256("\0".join((FORMAT, *key)).encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest[2:]}.json"


def user_folder() -> Path:
    """Where this user's programs keep what they can do without: $XDG_CACHE_HOME/quorate, or ~/.cache/quorate."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    return base / "quorate" / "proofs"

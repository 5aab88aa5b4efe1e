"""Clients are turned away before a node has no descriptor left for its log."""

from __future__ import annotations

import resource

import pytest

from quorate.impl.net.descriptors import RESERVE, clients_possible

NO_END = resource.RLIM_INFINITY


class Limits:
    """The limit of this process, as it might be elsewhere."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)

    def get(self, _: int) -> tuple[int, int]:
        return self.now

    def set(self, _: int, now: tuple[int, int]) -> None:
        assert self.now[1] == NO_END or now[0] <= self.now[1], "it is not allowed to ask for more"
        self.now = now


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    found = Limits(1024, 4096)
    monkeypatch.setattr(resource, "getrlimit", found.get)
    monkeypatch.setattr(resource, "setrlimit", found.set)
    return found


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "possible", "then"),
    [
        (1024, 4096, 100, 100, 1024),
        (1024, 4096, 2000, 2000, 4096),
        (1024, 4096, 4096, 4096 - RESERVE, 4096),
        (1024, NO_END, 4096, 4096, 4096 + RESERVE),
        (NO_END, NO_END, 4096, 4096, NO_END),
        (64, 64, 4096, 1, 64),
    ],
)
def test_as_many_clients_are_taken_as_leave_room_for_files(
    limits: Limits, soft: int, hard: int, wanted: int, possible: int, then: int
) -> None:
    limits.now = (soft, hard)
    assert clients_possible(wanted) == possible
    assert limits.now == (then, hard)

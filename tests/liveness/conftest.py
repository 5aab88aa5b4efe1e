"""Small specifications made of a text, and lassos judged by the letter of the definitions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.checker.specification import Specification, load

HEADER = '''\
"""Lamps."""

from quorate.checker.language import (
    Liveness, Set, Sort, State, action, eventually, implies, init, leads_to, liveness, require, safety,
)


class Lamp(Sort): ...


class Room(State):
    lit: Set[Lamp]
    broken: Set[Lamp]


@init
def dark() -> Room:
    """No lamp is lit."""
    return Room()


@action
def light(now: Room, m: Lamp) -> Room:
    """m is lit."""
    require((m,) not in now.lit)
    require((m,) not in now.broken)
    return now.but(lit=now.lit | {(m,)})


@action
def quench(now: Room, m: Lamp) -> Room:
    """m goes out."""
    require((m,) in now.lit)
    return now.but(lit=now.lit - {(m,)})


@action
def smash(now: Room, m: Lamp) -> Room:
    """m is broken while it is out, and never lit again."""
    require((m,) not in now.lit)
    return now.but(broken=now.broken | {(m,)})


@action
def look(now: Room, m: Lamp) -> Room:
    """Somebody looks, which changes nothing."""
    return now


def shines(now: Room, m: Lamp) -> bool:
    return (m,) in now.lit


def out(now: Room, m: Lamp) -> bool:
    return (m,) not in now.lit


def gone(now: Room, m: Lamp) -> bool:
    return (m,) in now.broken


def shines_or_gone(now: Room, m: Lamp) -> bool:
    return shines(now, m) or gone(now, m)


def all_shine(now: Room) -> bool:
    return all((m,) in now.lit for m in Lamp)


'''


@pytest.fixture
def spec_with(tmp_path: Path) -> Callable[[str], Specification]:
    """The specification of lamps with some more text at its end."""

    def make(text: str) -> Specification:
        file = tmp_path / f"lamps_{len(list(tmp_path.iterdir()))}.py"
        file.write_text(HEADER + text)
        return load(file)

    return make

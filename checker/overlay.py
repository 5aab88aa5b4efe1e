"""An overlay: a specification that keeps parts of another and says the rest anew.

What it keeps it lists beside what it assumes: `keeps = [multipaxos.prepare, ...]`.  A kept part is what it is where it
was written, role and meaning, so two things are refused: a part both kept and said anew, and a helper said anew by
the name of one by which a kept part still goes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any as Anything
from typing import get_type_hints

from .language import BadDeclaration, State, has_role, is_state
from .reading import texts_of


def parts_of(module: ModuleType, role: str) -> tuple[Callable[..., Anything], ...]:
    """The functions in this role that a module keeps, then those that it defines, in the order written."""
    found = (*getattr(module, "keeps", ()), *own(module).values())
    return tuple(dict.fromkeys(f for f in found if has_role(f, role)))


def own(module: ModuleType) -> dict[str, Callable[..., Anything]]:
    """The functions that a module itself defines, by name, in the order written."""
    return {
        name: f
        for name, f in vars(module).items()
        if inspect.isfunction(f) and f.__module__ == module.__name__
    }


def check_kept(module: ModuleType) -> None:
    """Raises `BadDeclaration` unless what a module keeps are parts of specifications, none of which it says anew."""
    keeps = getattr(module, "keeps", ())
    if not isinstance(keeps, list | tuple):
        raise BadDeclaration("`keeps` is a list: keeps = [multipaxos.prepare, ...]")
    seen: set[str] = set()
    for f in keeps:
        if not getattr(f, "roles", ()):
            raise BadDeclaration(
                f"`keeps` lists functions that have a role, as an @action has; {f!r} has none"
            )
        name = f.__name__
        if name in seen:
            raise BadDeclaration(f"{name} is kept twice; a specification has one of each name")
        seen.add(name)
        if name in own(module):
            raise BadDeclaration(
                f"{name} is kept and said anew; take it out of `keeps`, or name the new one otherwise"
            )
    _check_helpers(module)


def check_speaks_of(module: ModuleType, state: type[State]) -> None:
    """Raises `BadDeclaration` unless whatever a module keeps can be said of this state."""
    for f in getattr(module, "keeps", ()):
        of = next((x for x in get_type_hints(f).values() if is_state(x)), state)
        if not issubclass(state, of):
            raise BadDeclaration(
                f"{f.__name__} is kept and speaks of {of.__name__}, which {state.__name__} is not: "
                f"write `class {state.__name__}({of.__name__}):`, or say {f.__name__} anew"
            )


def _check_helpers(module: ModuleType) -> None:
    """Raises `BadDeclaration` if a name is said anew by which what is kept, or taken, means what it meant before."""
    anew = own(module)
    for base, how in _bases(module):
        for r in texts_of(base):
            helper = r.source.function
            if helper is not base and anew.get(helper.__name__, helper) is not helper:
                raise BadDeclaration(
                    f"{helper.__name__} is said anew, but {base.__name__}, which is {how}, goes by "
                    f"{helper.__module__.rpartition('.')[2]}.{helper.__name__}: say {base.__name__} anew too, or name "
                    f"the new {helper.__name__} otherwise"
                )


def _bases(module: ModuleType) -> Iterator[tuple[Callable[..., Anything], str]]:
    """What of other specifications is meant as it stands there: parts that are kept, and actions that are taken."""
    for f in getattr(module, "keeps", ()):
        yield f, "kept"
    for f in own(module).values():
        if has_role(f, "action"):
            for r in texts_of(f):
                if has_role(r.source.function, "action") and r.source.function is not f:
                    yield r.source.function, "taken"

"""A refinement: how the states and steps of one specification are those of a simpler one.

The lower specification refines the upper one if, seen through the image, it begins as the upper one may, and each
of its steps either changes nothing there or is the upper step written for it.  Whatever the upper specification
promises then holds of every image.

Steps are matched to actions by name, so one refinement judges an edited copy of its lower specification too.
This file knows how a refinement is written and what it means; it checks and proves nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, get_type_hints

from .language import BadDeclaration, Refused, State, relations_of
from .overlay import check_kept, parts_of
from .reading import Opaque, read_state, read_step, reader
from .specification import Function, Specification, sorts_of, where
from .term import Field, StateTerm, Step, Var


class BadRefinement(Exception):
    """A module is not a refinement; the message is one line that says where, what is wrong and what to write."""


@dataclass(frozen=True)
class Refinement:
    """What a module with one @image and its @steps says of two specifications.

    `steps` are named after the lower actions.  `state` is the lower state as the image knows it, which is not the
    class of `lower.state` when `lower` is an edited copy; the relations are the same.
    """

    lower: Specification
    upper: Specification
    state: type[State]
    image: Function
    steps: Mapping[str, Function]

    @classmethod
    def of(cls, module: ModuleType, lower: Specification, upper: Specification) -> Refinement:
        """Collects a module's image and steps.  Raises `BadRefinement` unless they fit the two specifications."""
        file = getattr(module, "__file__", None) or module.__name__
        try:
            check_kept(module)
        except BadDeclaration as why:
            raise BadRefinement(f"{file}: {why}") from None
        images = parts_of(module, "image")
        if len(images) != 1:
            raise BadRefinement(f"{file}: a refinement has one @image, this has {len(images)}")
        hints = dict(get_type_hints(images[0]))
        above, states = hints.pop("return", None), list(hints.values())
        if len(states) != 1 or not _is_state(states[0]) or above is not upper.state:
            raise BadRefinement(
                f"{where(images[0])}: the image takes a state of {lower.name} and returns one of {upper.name}: "
                f"write `def {images[0].__name__}(now: {lower.state.__name__}) -> {upper.state.__name__}:`"
            )
        _same_relations(images[0], lower, states[0])
        steps: dict[str, Function] = {}
        for action in lower.actions:
            name = action.__name__
            found = [f for f in parts_of(module, "step") if f.__dict__["of"].__name__ == name]
            if len(found) != 1:
                raise BadRefinement(
                    f"{file}: the action {name} of {lower.name} has {len(found) or 'no'} steps; write one, marked "
                    f"@step(of={lower.name}.{name})"
                )
            _one_step(found[0], action, images[0], upper)
            steps[name] = found[0]
        return cls(lower, upper, states[0], images[0], steps)

    @property
    def name(self) -> str:
        """As `multipaxos is voting`."""
        return f"{self.lower.name} is {self.upper.name}"

    # As terms ----------------------------------------------------------------------------

    def image_of(self, lower: StateTerm) -> StateTerm:
        """The upper state that a lower one stands for.  Raises `Unreadable`."""
        return read_state(self.image, self._seen(lower))

    def step_above(self, action: str, params: Sequence[Var], image: StateTerm | None = None) -> Step:
        """What an action with these parameters is above; `image`, if given, stands for the image of the state now."""
        opaque: Opaque = {} if image is None else {self.image: image}
        return read_step(self.steps[action], self._seen(self.lower.now), params, opaque)

    def renames(self) -> bool:
        """Whether the image only renames relations of the lower state, and defines none."""
        return all(isinstance(r, Field) for r in self.image_of(self.lower.now).relations.values())

    def _seen(self, lower: StateTerm) -> StateTerm:
        return StateTerm(self.state, lower.relations)

    # As Python ---------------------------------------------------------------------------

    def broken_by(self, now: State, action: str, args: Sequence[Any], nxt: State) -> str | None:
        """What a step of the lower specification breaks above: None if nothing changes there, or the step is taken."""
        before, after = self.image(now), self.image(nxt)
        if after == before:
            return None
        try:
            above = self.steps[action](now, *args)
        except Refused:
            return f"{self.name}: {action} is a step that {self.upper.name} does not allow"
        return None if above == after else f"{self.name}: {action} leads elsewhere in {self.upper.name}"


@dataclass(frozen=True)
class Tower:
    """Specifications from the one asked about upwards, and the refinements between neighbours.

    What the lowest assumes is assumed of every floor, and nothing else is.
    """

    floors: tuple[Specification, ...]
    refinements: tuple[Refinement, ...] = ()

    def __post_init__(self) -> None:
        pairs = zip(self.floors, self.floors[1:], strict=False)
        if [(r.lower, r.upper) for r in self.refinements] != list(pairs):
            raise BadRefinement("a tower has one refinement between each floor and the next")

    @property
    def name(self) -> str:
        return self.floors[0].name

    def edited(self, edit: Callable[[Specification], Specification]) -> Tower:
        """The same tower with each floor edited; the states keep their classes."""
        floors = tuple(edit(spec) for spec in self.floors)
        pairs = zip(self.refinements, floors, floors[1:], strict=False)
        return Tower(floors, tuple(replace(r, lower=low, upper=up) for r, low, up in pairs))

    def without(self, invariant: str) -> Tower:
        """The same tower with an invariant dropped wherever it stands.  Raises `KeyError` if no floor has it."""
        if all(invariant != f.__name__ for spec in self.floors for f in spec.invariants):
            raise KeyError(invariant)
        return self.edited(
            lambda spec: replace(
                spec, invariants=tuple(f for f in spec.invariants if f.__name__ != invariant)
            )
        )


# What a module must say ----------------------------------------------------------------------


def _is_state(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, State)


def _same_relations(image: Function, lower: Specification, state: type[State]) -> None:
    """Raises `BadRefinement` unless the image's state has the relations of the lower specification's."""
    known, wanted = relations_of(lower.state), relations_of(state)
    for name in {**wanted, **known}:
        if known.get(name) != wanted.get(name):
            raise BadRefinement(
                f"{where(image)}: the image is of {state.__name__}, whose relation {name} is not that of {lower.name}"
            )


def _one_step(step: Function, action: Function, image: Function, upper: Specification) -> None:
    """Raises `BadRefinement` unless a step is the image unchanged or exactly one action of the upper specification.

    Anything else would be a state that nobody says the upper specification can reach.
    """
    if list(sorts_of(step)) != list(sorts_of(action)):
        raise BadRefinement(
            f"{where(step)}: the step {step.__name__} takes the parameters of the action {action.__name__}: "
            f"{', '.join(s.__name__ for s in sorts_of(action)) or 'none'}"
        )
    r = reader(step)
    now = next(iter(r.parameters()), "")

    def is_image(e: ast.expr) -> bool:
        match e:
            case ast.Call(function, [ast.Name(name)], []):
                return name == now and r.names(function, {}, image)
        return False

    match [s for s in r.source.definition.body if not isinstance(s, ast.Expr)]:
        case [ast.Return(ast.expr() as value)] if is_image(value):
            return
        case [ast.Return(ast.Call(taken, [first, *_], []))] if is_image(first):
            if any(r.names(taken, {}, f) for f in upper.actions):
                return
    raise BadRefinement(
        f"{where(step)}: the step {step.__name__} returns {image.__name__}({now}) or one action of {upper.name} on it, "
        f"as `return {upper.name}.{upper.actions[0].__name__}({image.__name__}({now}), ...)`"
    )

"""What the commands share: which specification is meant, which mutant of it, and how large an instance."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

import click

from ..checker.mutation import find_mutant, mutants_of, mutate
from ..checker.refinement import Tower
from ..checker.specification import BadSpecification, Specification, load
from ..quoting import shown
from ..refinement.tower import tower

F = TypeVar("F", bound=Callable[..., Any])

OURS = ("consensus", "voting", "multipaxos", "checkpoint", "flexible_voting", "flexible")


def find(name: str) -> Specification:
    """The specification of ours with this name, or the one in a file.  Raises `BadSpecification`."""
    if name in OURS:
        return Specification.of(importlib.import_module(f"...spec.{name}", __name__))
    if name.endswith(".py") or "/" in name:
        return load(name)
    raise BadSpecification(
        f"{name}: there is no such specification; name {', '.join(OURS)} or the path of a file"
    )


def chosen(spec: str, mutant: str | None) -> Specification:
    """The specification asked for, with the mutant's edit made if one is asked for."""
    found = find(spec)
    return mutate(found, find_mutant(found, mutant)) if mutant else found


def tower_of(spec: str, mutant: str | None) -> Tower:
    """The specification asked for and what it refines; one of a user's own stands alone."""
    found = chosen(spec, mutant)
    return tower(spec, instead=found) if spec in OURS else Tower((found,))


def list_mutants(spec: str) -> None:
    """Prints the mutants kept beside a specification."""
    found = find(spec)
    mutants = mutants_of(found)
    if not mutants:
        click.echo(f"{found.name} has no mutants; they are kept in {found.name}_mutants.py beside it")
    width = max((len(m.name) for m in mutants), default=0)
    for m in mutants:
        click.echo(f"{m.name:{width}}  {m.why}")


def gathered(
    name: str, kind: type[Any], options: Sequence[Callable[[Any], Any]]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds options to a command, which gets them as one argument: a dataclass whose fields they are."""

    def added(f: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(f)
        def command(**given: Any) -> Any:
            return f(**{name: kind(**{x.name: given.pop(x.name) for x in fields(kind)})}, **given)

        out: Callable[..., Any] = command
        for option in reversed(options):
            out = option(out)
        return out

    return added


class Size(click.ParamType[tuple[str, int]]):
    """`acceptor=3`: a sort's name and how many members it has."""

    name = "SORT=SIZE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        sort, equals, size = str(value).partition("=")
        if not equals or not re.fullmatch(r"\s*-?[0-9]{1,18}\s*", size):
            self.fail(f"{shown(value)} is not a size; write for example acceptor=3", param, ctx)
        return sort.strip().lower(), int(size)


def spec_argument(f: F) -> F:
    return click.argument("spec", default="multipaxos")(f)


def mutant_options(f: F) -> F:
    f = click.option("--list-mutants", "list_them", is_flag=True, help="List the mutants and stop.")(f)
    return click.option(
        "--mutant", metavar="NAME", help="Spoil the specification first, to see what objects."
    )(f)


def size_option(f: F) -> F:
    return click.option(
        "-n",
        "sizes",
        type=Size(),
        multiple=True,
        help="How many members a sort has, as -n acceptor=3; of a sort of sets, how many members each set has. "
        "May be given several times.",
    )(f)


def sizes_of(pairs: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    """The sizes as a mapping.  Raises `click.UsageError` if one sort has two."""
    out: dict[str, int] = {}
    for name, size in pairs:
        if out.setdefault(name, size) != size:
            raise click.UsageError(f"-n {name}={size}: {name} was given as {out[name]} already")
    return out

"""Options that have nothing to say to each other: refused in one line, where one would be ignored."""

from __future__ import annotations

from collections.abc import Collection

import click
from click.core import ParameterSource


def is_given(context: click.Context, name: str) -> bool:
    """Did somebody give this parameter?"""
    said = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    return said and context.params[name] != ()


def refuse(context: click.Context, beside: str, names: Collection[str], why: str) -> None:
    """Raises `click.UsageError` for the first of these parameters that was given `beside` another, with the reason."""
    for parameter in context.command.params:
        if parameter.name in names and is_given(context, parameter.name):
            option = isinstance(parameter, click.Option)
            name = "/".join(parameter.opts) if option else parameter.human_readable_name
            raise click.UsageError(f"{name}: {why}; leave it out with {beside}")

"""What cannot be used is refused in one line, whichever part of the house refuses it."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

import quorate
from quorate.cli.errors import ERRORS, bad_input
from quorate.cli.main import Exit, run


def test_every_error_of_the_table_is_there_and_is_caught() -> None:
    for module, names in ERRORS.items():
        found = importlib.import_module(f"quorate.{module}")
        for name in names:
            assert issubclass(getattr(found, name), bad_input())


def test_every_error_that_speaks_to_a_person_is_in_the_table() -> None:
    """By convention these are named Bad..., Cannot..., Un... or NothingTo..., or derive from such a one."""
    root = Path(quorate.__file__).parent
    for folder in ("checker", "spec", "traces", "refinement"):
        for file in (root / folder).rglob("*.py"):
            name = ".".join(file.relative_to(root).with_suffix("").parts)
            module = importlib.import_module(f"quorate.{name}".removesuffix(".__init__"))
            for cls in vars(module).values():
                if (
                    inspect.isclass(cls)
                    and issubclass(cls, Exception)
                    and cls.__module__ == module.__name__
                    and cls.__name__.startswith(("Bad", "Cannot", "Unreadable", "NothingTo"))
                ):
                    importlib.import_module(cls.__module__)
                    assert issubclass(cls, bad_input()), (
                        f"{cls.__module__}.{cls.__name__} would be a traceback"
                    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["conform", "no/such/trace.ndjson"], ["no/such/trace.ndjson"]),
        (["serve", "--config", "no/such.toml"], ["no/such.toml"]),
        (["prove", "no/such/spec.py"], ["no/such/spec.py"]),
    ],
)
def test_a_missing_file_is_one_line(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == Exit.BAD_INPUT
    said = capsys.readouterr()
    assert not said.out
    assert len(said.err.strip().splitlines()) == 1
    assert all(word in said.err for word in words)


def test_a_trace_that_is_none_is_refused_by_file_line_and_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text('{"v":1,"node":"a","boot":1,"seq":1,"event":"stop"}\n{"v":1,"node":,}\n')
    assert run(["conform", str(file)]) == Exit.BAD_INPUT
    said = capsys.readouterr().err
    assert "a.ndjson" in said
    assert "2" in said


def test_an_empty_trace_never_conforms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text("")
    assert run(["conform", str(file)]) == Exit.BAD_INPUT
    assert "empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nosuch"],
        ["voting", "extra"],
        ["--seeds", "0"],
        ["--prover", "cvc"],
        ["--drop", "a", "--all-drops"],
    ],
)
def test_a_command_that_is_mistyped_is_answered_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prove", *arguments]) == Exit.BAD_INPUT
    out, err = capsys.readouterr()
    assert (out, err[:9], err.count("\n")) == ("", "quorate: ", 1)

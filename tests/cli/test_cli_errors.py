"""What cannot be used is refused in one line, whichever part of the house refuses it."""

from __future__ import annotations

import importlib
import inspect
import os
import shlex
import subprocess
import sys
from io import TextIOWrapper
from pathlib import Path

import click
import pytest

import quorate
from quorate.cli.errors import ERRORS, bad_input
from quorate.cli.main import COMMANDS, Exit, commands, run
from quorate.cli.streams import guarded


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


def test_no_number_is_taken_that_is_none_or_has_no_end() -> None:
    """Whatever command has a number with a fraction: it is in a range, and `nan` is in none."""
    group = click.Context(commands)
    pending, numbers = [commands.get_command(group, name) for name in COMMANDS], []
    while pending:
        command = pending.pop()
        assert command is not None
        pending += command.commands.values() if isinstance(command, click.Group) else []
        numbers += [
            (command.name, x) for x in command.params if isinstance(x.type, click.types.FloatParamType)
        ]
    assert {name for name, _ in numbers} >= {"check", "prove", "hunt", "drive"}
    for _, option in numbers:
        for given in ("nan", "NaN", "inf", "1e999"):
            with pytest.raises(click.BadParameter, match=r"counted up to|is not in the range"):
                option.type.convert(given, option, group)


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


# Output that nobody takes ----------------------------------------------------------------------

DEADLOCKED = ["check", "consensus", "--deadlock"]
"""It finds a violation, tells it in some lines, and ends with 1."""


def ended(arguments: list[str], redirected: str = "", **streams: int) -> tuple[int, str]:
    """How a command ends whose output goes elsewhere, and what it says on standard error."""
    command = f"exec {shlex.join([sys.executable, '-m', 'quorate', *arguments])} {redirected}"
    led = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **streams}
    done = subprocess.run(["bash", "-c", command], text=True, timeout=300, check=False, **led)  # type: ignore[call-overload]
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize("arguments", [DEADLOCKED, [*DEADLOCKED, "--json"], ["check", "--help"]])
def test_a_reader_that_left_is_not_told_that_something_is_violated(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert ended(arguments, stdout=writer) == (Exit.INTERRUPTED, "")
        assert ended(arguments, stdout=writer, stderr=writer) == (Exit.INTERRUPTED, "")
        assert ended(["check", "--nosuch"], stderr=writer) == (Exit.BAD_INPUT, "")
    finally:
        os.close(writer)


@pytest.mark.parametrize("arguments", [DEADLOCKED, [*DEADLOCKED, "--json"], ["check", "--help"]])
def test_output_that_finds_no_room_is_one_line(arguments: list[str]) -> None:
    assert ended(arguments, "> /dev/full") == (
        Exit.BAD_INPUT,
        "quorate: the output cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_changes_no_exit_code(closed: str) -> None:
    for more in ([], ["--json"]):
        assert ended([*DEADLOCKED, *more], closed) == (Exit.VIOLATED, "")


def test_a_log_goes_on_when_there_is_room_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server outlives a disk that is full for a while."""
    with (tmp_path / "log").open("w", encoding="utf-8") as log, Path("/dev/full").open("wb", 0) as full:
        monkeypatch.setattr(sys, "stderr", log)
        with guarded():
            with monkeypatch.context() as patch:
                patch.setattr(
                    sys.stderr, "_stream", TextIOWrapper(full, encoding="utf-8", write_through=True)
                )
                print("lost", file=sys.stderr)
            print("kept", file=sys.stderr)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "kept\n"

"""What is deployed by the files in deploy/ is there: the command, its options, the folders, the extras."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from quorate.cli.main import commands
from quorate.impl.settings import Timing

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "quorate@.service"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT.read_text())
    return parser


def instructions() -> dict[str, list[str]]:
    """The Dockerfile's instructions by their words, continued lines joined."""
    found: dict[str, list[str]] = {}
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE.read_text()).splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            found.setdefault(word, []).append(rest)
    return found


def parsed(arguments: list[str]) -> dict[str, object]:
    """What the command line makes of arguments; raises UsageError for what it does not know."""
    with commands.make_context("quorate", list(arguments)) as context:
        name, command, rest = commands.resolve_command(context, arguments)
        assert command is not None
        with command.make_context(name, rest, parent=context) as inner:
            return {"command": name, **inner.params}


def test_a_flag_that_is_not_there_would_be_seen() -> None:
    with pytest.raises(click.UsageError):
        parsed(["serve", "--configuration", "x"])


def test_the_unit_calls_the_command_line_as_it_is(unit: configparser.ConfigParser) -> None:
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "quorate"
    assert parsed(arguments) == {"command": "serve", "config": Path("/etc/quorate/%i.toml")}


def test_the_image_calls_the_command_line_as_it_is() -> None:
    program, *arguments = json.loads(instructions()["ENTRYPOINT"][0])
    assert program == "quorate"
    assert parsed(arguments) == {"command": "serve", "config": Path("/etc/quorate.toml")}
    assert "/etc/quorate.toml" in DOCKERFILE.read_text().split("FROM")[0], "and says where settings go"


def test_the_unit_may_write_to_the_folders_that_it_names(unit: configparser.ConfigParser) -> None:
    service, comment = unit["Service"], UNIT.read_text().split("[Unit]")[0]
    assert f'data = "/var/lib/{service["StateDirectory"]}/' in comment
    assert f'trace = "/var/log/{service["LogsDirectory"]}/' in comment


def test_a_node_is_given_the_time_that_an_orderly_stop_may_take(unit: configparser.ConfigParser) -> None:
    assert float(unit["Service"]["TimeoutStopSec"]) * 1000 > Timing().stop_ms_max


def test_the_data_of_an_image_outlive_it() -> None:
    (volume,) = instructions()["VOLUME"]
    assert f'data = "{volume}/' in DOCKERFILE.read_text()


def test_what_is_installed_has_the_extras_that_are_asked_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for file in (UNIT, DOCKERFILE):
        asked = re.findall(r"(?:CHECKOUT|\$1)\[(\w+)\]", file.read_text())
        assert asked
        assert set(asked) <= set(extras)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("/opt/quorate/bin/quorate", shutil.which("true") or "/bin/true")
    (tmp_path / UNIT.name).write_text(text)
    command = ["systemd-analyze", "verify", str(tmp_path / UNIT.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

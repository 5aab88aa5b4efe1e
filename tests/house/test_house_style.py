"""The house keeps its own rules: style, types, floors, and a map that names every room."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("checker", "spec", "traces", "impl", "refinement", "cli")


def sources() -> list[Path]:
    return sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))


def run(*command: str, cwd: Path = ROOT) -> None:
    found = shutil.which(command[0]) or str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run([found, *command[1:]], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "check", "--preview", "--select", "PLW1514", "."),
        ("ruff", "format", "--check", "."),
        ("lint-imports", "--no-cache"),
    ],
    ids=["ruff check", "an encoding for every file of text", "ruff format", "the floors"],
)
def test_the_linters_are_content(command: tuple[str, ...]) -> None:
    run(*command)


def test_the_types_are_strict_for_mypy(tmp_path: Path) -> None:
    (tmp_path / "quorate").symlink_to(ROOT)
    config = str(ROOT / "pyproject.toml")
    run(
        "mypy",
        "--config-file",
        config,
        "--cache-dir",
        str(ROOT / ".mypy_cache"),
        "-p",
        "quorate",
        cwd=tmp_path,
    )


@pytest.mark.long
def test_the_types_are_right_for_pyright() -> None:
    run("pyright", "--project", str(ROOT), "--pythonpath", sys.executable)


def test_every_file_opens_with_the_sentence_you_would_say_aloud() -> None:
    silent = [
        file for file in sources() if file.read_text() and not ast.get_docstring(ast.parse(file.read_text()))
    ]
    assert not silent


def test_the_map_says_of_every_file_what_the_file_says_of_itself() -> None:
    """`./dev run python docs/map.py` draws it anew."""
    module = importlib.util.spec_from_file_location("docs_map", ROOT / "docs" / "map.py")
    assert module is not None
    assert module.loader is not None
    drawer = importlib.util.module_from_spec(module)
    module.loader.exec_module(drawer)
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    assert drawer.drawn(text) == text
    missing = [
        p for p in sources() if drawer.opening(p) and f"`{p.relative_to(ROOT).as_posix()}`" not in text
    ]
    assert not missing, f"these stand in no table: {missing}"


def test_every_text_is_read_and_written_in_utf_8_whatever_the_locale() -> None:
    files = [
        file
        for name in ("cli", "hunt", "impl", "refinement", "traces")
        for file in (ROOT / name).rglob("*.py")
    ]
    calls = [(file, call) for file in files for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    assert not [
        f"{file}:{call.lineno}"
        for file, call in calls
        if isinstance(call, ast.Call)
        and is_text(call)
        and all(one.arg != "encoding" for one in call.keywords)
    ]


def is_text(call: ast.Call) -> bool:
    """Does it read or write a file as text?"""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    modes = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return name in ("read_text", "write_text") or (
        name == "open" and any(re.fullmatch("[rwax]t?", mode) for mode in modes)
    )


def test_every_reference_to_the_specification_resolves() -> None:
    """Comments say where a thing is proved, as `spec.multipaxos.promise`; what they name is there."""
    references = {
        (file.relative_to(ROOT), *match)
        for file in sources()
        for match in re.findall(r"`?spec\.(consensus|voting|multipaxos|checkpoint)\.(\w+)", file.read_text())
    }
    assert references, "the implementation says nowhere where it is proved"
    for file, module, name in references:
        assert hasattr(importlib.import_module(f"quorate.spec.{module}"), name), (
            f"{file}: spec.{module}.{name}"
        )

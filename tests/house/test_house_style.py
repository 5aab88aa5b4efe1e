"""The house keeps its own rules: style, types, floors, and a map that names every room."""

from __future__ import annotations

import ast
import importlib
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
        ("ruff", "format", "--check", "."),
        ("lint-imports", "--no-cache"),
    ],
    ids=["ruff check", "ruff format", "the floors"],
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


def test_the_types_are_right_for_pyright() -> None:
    run("pyright", "--project", str(ROOT), "--pythonpath", sys.executable)


def test_every_file_opens_with_the_sentence_you_would_say_aloud() -> None:
    for file in sources():
        text = file.read_text()
        if text:
            doc = ast.get_docstring(ast.parse(text))
            assert doc, f"{file} has no docstring"
            assert (
                doc.splitlines()[0].rstrip().endswith((".", ":", ",")) or len(doc.split("\n\n")[0]) < 300
            ), file


def test_every_file_is_on_the_map() -> None:
    listed = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    missing = [str(p.relative_to(ROOT)) for p in sources() if p.read_text() and p.name != "__init__.py"]
    missing = [name for name in missing if f"`{name}`" not in listed]
    assert not missing, f"docs/ARCHITECTURE.md does not say what these are for: {missing}"


def test_the_map_names_no_room_that_is_gone() -> None:
    listed = re.findall(r"^\| `([\w/]+\.py)` ", (ROOT / "docs" / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert listed
    gone = [name for name in listed if not (ROOT / name).is_file()]
    assert not gone, f"docs/ARCHITECTURE.md speaks of files that are not there: {gone}"


def test_every_reference_to_the_specification_resolves() -> None:
    """Comments say where a thing is proved, as `spec.multipaxos.promise`; what they name is there."""
    references = {
        (file.relative_to(ROOT), *match)
        for file in sources()
        for match in re.findall(r"`?spec\.(consensus|voting|multipaxos)\.(\w+)", file.read_text())
    }
    assert references, "the implementation says nowhere where it is proved"
    for file, module, name in references:
        assert hasattr(importlib.import_module(f"quorate.spec.{module}"), name), (
            f"{file}: spec.{module}.{name}"
        )

"""What a user installs is whole: the wheel, in a bare environment, runs the main job from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source") / "quorate"
    subprocess.run(["git", "-C", str(ROOT), "worktree", "prune"], check=False, capture_output=True)
    copy_tracked(ROOT, source)
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (made,) = out.glob("*.whl")
    return made


def copy_tracked(root: Path, to: Path) -> None:
    """The files of the work tree that are not ignored, as a build on another machine would see them."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source = root / name
        if source.is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes(source.read_bytes())


def test_every_package_is_listed(wheel: Path) -> None:
    tests = {"tests", "bench", "docs", "build", "dist"}
    folders = {
        p.parent.relative_to(ROOT).as_posix()
        for p in ROOT.rglob("__init__.py")
        if not {*p.relative_to(ROOT).parts} & {*tests, ".venv"}
    }
    wanted = {"quorate" if f == "." else "quorate." + f.replace("/", ".") for f in folders}
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    assert listed == wanted
    names = zipfile.ZipFile(wheel).namelist()
    assert "quorate/py.typed" in names
    assert "quorate/spec/multipaxos.py" in names
    assert not [n for n in names if n.startswith(("quorate/tests", "quorate/.venv"))]


def test_the_wheel_runs_the_demo_in_a_bare_environment_from_another_folder(
    wheel: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", str(wheel)]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr[-3000:]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "quorate"), "demo", "--json", "--commands", "600"],
        cwd=elsewhere,
        env=clean,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["check"]["verdict"] == "holds"
    assert told["prove"]["verdict"] == "proved"
    assert told["conform"]["verdict"] == "conforms"
    assert told["cluster"]["acknowledged"] >= 600
    assert not list(elsewhere.iterdir()), "the demo leaves nothing where it is run"

"""The document of the format and the code say the same, and its example is a trace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields

from quorate.traces import decode_line, events, merge, messages
from quorate.traces.build import Script

DOCUMENT = Path(__file__).parents[2] / "docs" / "trace-format.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    """The rows of the first table below this heading: what its first column names, and the rest of the row."""
    table = TEXT.split(f"\n{heading}\n", 1)[1].split("\n#")[0].split("|---|", 1)[1]
    found = re.findall(r"^\| `(\w+)` \| (.*)$", table, re.MULTILINE)
    return {name: rest.split("|")[0] for name, rest in found}


def by_tag(*kinds: type) -> dict[str, type]:
    return {str(kind.__struct_config__.tag): kind for kind in kinds}


def own(kind: type, base: type, *, required: bool) -> set[str]:
    inherited = set(base.__struct_fields__)
    found = {field.name for field in fields(kind) if not required or field.default is NODEFAULT}
    return found - inherited


@pytest.mark.parametrize(
    ("heading", "names", "base"),
    [("## Messages", messages.KINDS, messages.Message), ("## Events", events.EVENTS, events.Line)],
)
def test_each_kind_and_event_is_documented_with_its_fields(
    heading: str, names: tuple[str, ...], base: type
) -> None:
    table, kinds = rows(heading), by_tag(*base.__subclasses__())
    assert tuple(table) == names
    assert set(kinds) == set(names)
    for name, text in table.items():
        told = set(re.findall(r"`(\w+)`", text))
        assert own(kinds[name], base, required=True) <= told <= own(kinds[name], base, required=False)


def test_each_field_of_a_line_is_documented() -> None:
    assert set(rows("### What every line has")) == {*events.Line.__struct_fields__, "event"}


def test_the_worked_example_is_the_run_that_the_tests_merge(one_command: Script) -> None:
    example = "".join(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL))
    assert example == one_command.text()


def test_the_worked_example_can_have_happened(one_command: Script, tmp_path: Path) -> None:
    assert [step.mark for step in merge(*one_command.save(tmp_path))] == [None] * len(one_command.lines)


def test_the_first_line_shown_is_a_line() -> None:
    shown = re.findall(r"```text\n(\{.*?)```", TEXT, re.DOTALL)
    assert [decode_line(one.replace("\n", " ").encode()).event for one in shown] == ["accept"]

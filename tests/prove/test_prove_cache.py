"""What was proved is recalled if the very question was asked before; nothing else ever is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.prove.asking import DIED, Means
from quorate.checker.prove.cache import FileCache, user_folder
from quorate.checker.prove.obligation import Obligation
from quorate.checker.prove.proof import obligations, prove
from quorate.checker.prove.solving import Z3, Outcome, Result
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.refinement.tower import FLOORS, tower
from quorate.spec import voting

ASKED = sum(not o.skipped for o in obligations(tower("voting")))


@dataclass
class Counting:
    """A solver that remembers what it was asked, axioms apart."""

    answer: Result = "proved"
    name: str = "counting 1, seed 0"
    asked: list[str] = field(default_factory=list)

    def discharge(self, obligation: Obligation) -> Outcome:
        if obligation.action == "axioms":
            return Outcome(obligation, "failed", 0.0)
        self.asked.append(str(obligation))
        return Outcome(obligation, self.answer, 0.125, "" if self.answer == "proved" else "so it is")


@pytest.fixture
def means(tmp_path: Path) -> Means:
    return Means(cache=FileCache(tmp_path / "cache"))


def test_a_second_run_asks_nothing_and_says_so(means: Means) -> None:
    first, second = (prove(tower("voting"), Counting(), means=means) for _ in range(2))
    again = Counting()
    third = prove(tower("voting"), again, means=means)
    assert first.cached == 0
    assert second.cached == third.cached == first.count("proved") == ASKED
    assert again.asked == []
    assert third.verdict == "proved"
    assert {o.seconds for o in third.outcomes if o.cached} == {0.125}, "what it took when it was proved"


@pytest.mark.parametrize("answer", ["failed", "unknown"])
def test_what_is_not_proved_is_asked_again(means: Means, answer: Result) -> None:
    prove(tower("voting"), Counting(answer), means=means)
    again = Counting(answer)
    assert prove(tower("voting"), again, means=means).cached == 0
    assert len(again.asked) == ASKED


@pytest.mark.parametrize("name", ["counting 2, seed 0", "counting 1, seed 1", "other 1, seed 0"])
def test_another_solver_version_or_seed_asks_for_itself(means: Means, name: str) -> None:
    prove(tower("voting"), Counting(), means=means)
    other = Counting(name=name)
    assert prove(tower("voting"), other, means=means).cached == 0
    assert len(other.asked) == ASKED


def test_an_edited_specification_asks_what_the_edit_touches(means: Means) -> None:
    prove(tower("voting"), Counting(), means=means)
    base = Specification.of(voting)
    edited = Counting()
    prove(tower("voting", mutate(base, find_mutant(base, "vote_unproposed"))), edited, means=means)
    assert edited.asked
    assert {o.split(": ")[1] for o in edited.asked} == {"vote"}, "its require was dropped"


def test_a_moved_specification_is_recalled(means: Means, edited: Callable[..., ModuleType]) -> None:
    """Lines that moved and words in a docstring ask nothing new."""
    prove(Tower((Specification.of(voting, "voting"),)), Counting(), means=means)
    longer = edited(voting, '"""Nobody has voted, and nobody has left."""', '"""Silence.\n\n    Still."""')
    again = Counting()
    proof = prove(Tower((Specification.of(longer, "voting"),)), again, means=means)
    assert again.asked == []
    assert proof.verdict == "proved"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"proved"', "{}", '{"seconds": "fast"}', "\x00\xff"])
def test_a_record_that_cannot_be_read_counts_as_none(means: Means, tmp_path: Path, text: str) -> None:
    prove(tower("voting"), Counting(), means=means)
    for file in (tmp_path / "cache").rglob("*.json"):
        file.write_text(text, encoding="latin-1")
    again = Counting()
    assert prove(tower("voting"), again, means=means).verdict == "proved"
    assert len(again.asked) == ASKED


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    means = Means(cache=FileCache(tmp_path / "file" / "cache"))
    assert prove(tower("voting"), Counting(), means=means).verdict == "proved"


def test_a_record_says_what_was_proved_by_whom(means: Means, tmp_path: Path) -> None:
    prove(tower("consensus"), Counting(), means=means)
    records = [json.loads(file.read_text()) for file in (tmp_path / "cache").rglob("*.json")]
    assert {r["proved"] for r in records} == {"consensus: init: agreement", "consensus: choose: agreement"}
    assert {r["by"] for r in records} == {"counting 1, seed 0"}


def test_nothing_is_left_beside_the_records(means: Means, tmp_path: Path) -> None:
    prove(tower("voting"), Counting(), means=means)
    assert all(f.suffix == ".json" for f in (tmp_path / "cache").rglob("*") if f.is_file())


def test_the_axioms_are_looked_at_even_if_all_is_recalled(means: Means) -> None:
    """Whether they contradict one another is asked anew every time, so no record can hide it."""
    prove(tower("voting"), Counting(), means=means)
    looked: list[str] = []

    class Watching(Counting):
        def discharge(self, obligation: Obligation) -> Outcome:
            looked.append(obligation.action)
            return super().discharge(obligation)

    prove(tower("voting"), Watching(), means=means)
    assert looked == ["axioms"]


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("/tmp/elsewhere", "/tmp/elsewhere/quorate/proofs"),
        ("", "~/.cache/quorate/proofs"),
        ("a/b", "~/.cache/quorate/proofs"),
    ],
)
def test_the_cache_is_where_the_user_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, given: str, folder: str
) -> None:
    """The standard says that a relative path there is to be ignored."""
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert user_folder() == Path(folder).expanduser()


# Side by side --------------------------------------------------------------------------------


def test_several_processes_come_to_the_same(means: Means) -> None:
    base = Specification.of(FLOORS["multipaxos"].specification)
    broken = tower("multipaxos", mutate(base, find_mutant(base, "accept_raises_no_promise")))
    alone, together = prove(broken), prove(broken, means=Means(jobs=2))
    assert [(o.obligation.conjunct, o.result) for o in together.outcomes] == [
        (o.obligation.conjunct, o.result) for o in alone.outcomes
    ]
    for one, other in zip(alone.objections(), together.objections(), strict=True):
        assert one.counterexample is not None
        assert other.counterexample is not None
        assert other.counterexample.refuted() == ""


def test_what_a_dead_process_was_at_is_not_known(means: Means) -> None:
    import os

    class Mortal(Z3):
        def discharge(self, obligation: Obligation) -> Outcome:
            if obligation.action == "leave":
                os._exit(1)
            return super().discharge(obligation)

    proof = prove(tower("voting"), Mortal(), means=Means(2, means.cache))
    assert proof.verdict == "unknown"
    assert {(o.obligation.action, o.reason) for o in proof.objections()} == {("leave", DIED)}


def test_cores_are_recalled(means: Means, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [o for o in obligations(tower("voting")) if not o.skipped]
    first = list(means.cores(asked))
    assert None not in first
    monkeypatch.setattr("quorate.checker.prove.asking.core_of", lambda o: None)
    assert list(means.cores(asked)) == first
    assert set(Means().cores(asked)) == {None}


@pytest.mark.parametrize("used", ['["x"]', "[99]", "[-1]", "null"])
def test_a_core_that_cannot_be_read_is_found_again(means: Means, tmp_path: Path, used: str) -> None:
    asked = [o for o in obligations(tower("consensus")) if not o.skipped]
    first = list(means.cores(asked))
    for file in (tmp_path / "cache").rglob("*.json"):
        file.write_text(f'{{"used": {used}, "unsure": [], "vacuous": false}}')
    assert list(means.cores(asked)) == first

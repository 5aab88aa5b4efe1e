"""The page of a proof is whole: it loads nothing, and shows matrix, cores, counterexamples and graph."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.prove.counterexample_text import counterexample_lines
from quorate.checker.prove.html import page
from quorate.checker.prove.matrix import Matrix, with_cores
from quorate.checker.prove.proof import prove
from quorate.checker.prove.second import Cvc5
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.specification import Specification
from quorate.refinement.tower import FLOORS, tower

VOID = {"meta", "br", "wbr"}


class Page(HTMLParser):
    """A page taken to pieces: its tags closed properly, its ids and links, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(attribute))]


@pytest.fixture(scope="module")
def proved() -> Matrix:
    return with_cores([prove(tower("voting"), Z3()), prove(tower("voting"), Cvc5())])


@pytest.fixture(scope="module")
def refuted() -> Matrix:
    base = Specification.of(FLOORS["voting"].specification)
    return with_cores([prove(tower("voting", mutate(base, find_mutant(base, "vote_unproposed"))))])


def test_the_page_loads_nothing(proved: Matrix, refuted: Matrix) -> None:
    for matrix in (proved, refuted):
        text = page(matrix)
        opened = Page(text)
        assert not opened.values("src")
        assert all(link.startswith("#") for link in opened.values("href"))
        assert not re.search(r"@import|\burl\((?!#tip\))", text)
        assert {tag for tag, _ in opened.tags} & {"link", "img", "iframe", "object"} == set()


def test_every_link_leads_to_the_details_of_its_cell(proved: Matrix) -> None:
    opened = Page(page(proved))
    links = {link.removeprefix("#") for link in opened.values("href")}
    details = [attrs["id"] for tag, attrs in opened.tags if tag == "details"]
    assert len(details) == len(set(details)) == len(proved.cells)
    assert links == set(details)


def test_the_page_shows_the_matrix_with_what_each_cell_rests_on(proved: Matrix) -> None:
    text = page(proved)
    (row,) = re.findall(r"<tr><th>propose</th>.*?</tr>", text, re.DOTALL)
    cells = re.findall(r'<td class="(\w+)".*?</td>', row)
    assert cells == ["proved", "proved", "proved"]
    assert "<small>quorums_meet, ballot_order, one_proposal, votes_follow_proposals</small>" in row
    assert row.count("z3 ") == row.count("cvc5 ") == 3


def test_the_page_has_the_graph_if_it_is_known(proved: Matrix) -> None:
    assert "<svg" in page(proved)
    assert "<svg" not in page(Matrix(proved.runs))


def test_a_counterexample_stands_at_the_top_and_in_its_details(refuted: Matrix) -> None:
    (failed,) = refuted.objections()
    assert failed.counterexample is not None
    story = "\n".join(counterexample_lines(failed.counterexample))
    opened = Page(page(refuted))
    assert opened.words.count(story) == 2
    assert opened.words.index("What stands in the way") < opened.words.index("Every obligation")
    assert "refuted" in opened.values("class")[0]


def test_what_is_not_known_is_named_with_its_reason() -> None:
    class Tired(Z3):
        def discharge(self, obligation: object) -> Outcome:
            found = super().discharge(obligation)  # type: ignore[arg-type]
            return Outcome(found.obligation, "unknown", 0.0, "out of <breath>")

    opened = Page(page(Matrix((prove(tower("consensus"), Tired()),))))
    assert "consensus: choose: agreement: not known (out of <breath>)" in opened.words
    assert "What stands in the way" in opened.words


def test_details_say_what_was_told_and_whether_it_is_decidable(proved: Matrix) -> None:
    text = page(with_cores([prove(tower("multipaxos"))]))
    (cell,) = re.findall(
        r"<summary>multipaxos: accept: logs_are_true <b>proved</b></summary><dl>(.*?)</dl>", text, re.DOTALL
    )
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", cell))
    assert facts["claim"] == "What a log holds was accepted"
    assert facts["rests on"] == "logs_are_true"
    assert facts["told"].startswith("quorums_meet, ballot_order, promises_leave")
    assert facts["decidable"] == "not by its form: it leads from ballot to ballot by reports_are_full"
    assert facts["decidable with what it rests on alone"] == "yes"

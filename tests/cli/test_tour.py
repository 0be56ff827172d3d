"""The tour notices whatever falls short; a demo that always succeeds would show nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from landbridge.answers import Cell
from landbridge.cli.tour import QUESTIONS, Tour
from landbridge.cli.tour_document import document
from landbridge.cli.tour_log import Reading
from landbridge.cli.tour_page import TourPage
from landbridge.errors import error
from tests.cli.towns import DEPARTMENTS, MONTHS, Town, right_answer

FIRST, SECOND, _, EXACT = QUESTIONS[:4]
REQUESTS = len(QUESTIONS) + 2 + MONTHS + 1 + 1
"""Beside the questions two refusals, the months of a budget and the refused one, and a reply."""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A federation that keeps its promises until a test makes it break one."""
    with Town(tmp_path) as made:
        yield made


def toured(town: Town) -> dict[str, Any]:
    """The tour's document."""
    tour = Tour(town, clock=lambda: 0.0, ask_unguarded=town.unguarded)
    sights = list(tour.walk())
    # Time that passes with every look: waiting for what never comes ends soon.
    ticks = iter(range(1_000_000))
    logs = Reading(town, clock=lambda: next(ticks)).logs(DEPARTMENTS, tour.receipts, tour.asked)
    return document("town", sights, logs)


def test_a_federation_that_keeps_its_promises_falls_short_of_nothing(town: Town) -> None:
    """The positive control of everything below."""
    found = toured(town)
    assert found["fell_short"] == []
    assert [len(found[key]) for key in ("members", "answers", "refusals", "log")] == [
        5, len(QUESTIONS), 3, 6,
    ]  # fmt: skip
    assert [refusal["reason"] for refusal in found["refusals"]] == [
        "INVALID_QUESTION",
        "PURPOSE_MISSING",
        "BUDGET_EXHAUSTED",
    ]
    assert found["refusals"][2]["answered_before"] == MONTHS
    assert all(log["verified"] for log in found["log"])
    assert len(found["log"][0]["entries"]) == REQUESTS


def test_parts_that_are_not_pooled_are_noticed(town: Town) -> None:
    """The demo promises that no airport's part is seen."""
    assert toured(town)["answers"][1]["plan"]["mode"] == "pooled"
    town.mode = "fan-out"
    (said,) = toured(town)["fell_short"]
    assert said == f"{SECOND.title}: It was not pooled: Because of the contracts."


def test_the_document_is_json(town: Town) -> None:
    """Nothing in it but what every language reads."""
    text = json.dumps(toured(town), allow_nan=False)
    assert list(json.loads(text)) == [
        "federation",
        "members",
        "answers",
        "refusals",
        "replies",
        "log",
        "fell_short",
    ]


def test_an_answer_that_does_not_come_is_noticed(town: Town) -> None:
    """The others are asked all the same."""
    town.answers[FIRST.title] = error("DEPARTMENT_MISSING", missing=("ewr",))
    found = toured(town)
    assert any("No answer came" in sentence for sentence in found["fell_short"])
    assert len(found["answers"]) == len(QUESTIONS)
    assert "rows" not in found["answers"][0]
    assert "rows" in found["answers"][1]


@pytest.mark.parametrize("half_width", [None, 0.0, float("inf"), float("nan")])
def test_a_number_without_an_error_bar_is_noticed(half_width: float | None, town: Town) -> None:
    """Zero is an error bar for what describes nobody, and for nothing else."""
    answer = right_answer(FIRST.sql)
    cells = ((answer.cells[0][0], Cell(100, half_width)),)
    town.answers[FIRST.title] = replace(answer, cells=cells)
    tour = Tour(town, ask_unguarded=town.unguarded)
    sights = [sight.shortcoming for sight in tour.walk()]
    assert sights[1] == "A number of column n has no error bar."
    assert sights.count("") == len(sights) - 1


def test_noise_where_an_exact_answer_was_promised_is_noticed(town: Town) -> None:
    """The weather describes nobody."""
    answer = right_answer(EXACT.sql)
    town.answers[EXACT.title] = replace(answer, cells=((Cell("x", None), Cell(1, 2.0)),))
    assert len(toured(town)["fell_short"]) == 1


def test_an_answer_without_one_of_its_departments_is_noticed(town: Town) -> None:
    """Never a silent partial."""
    answer = right_answer(SECOND.sql)
    town.answers[SECOND.title] = replace(answer, departments=("ewr", "jfk"))
    (sentence,) = toured(town)["fell_short"]
    assert "ewr, jfk, lga" in sentence


def test_an_empty_answer_and_one_without_budgets_are_noticed(town: Town) -> None:
    """Each is half of what was promised."""
    town.answers[FIRST.title] = replace(right_answer(FIRST.sql), cells=())
    cost = replace(right_answer(SECOND.sql).cost, budgets=())
    town.answers[SECOND.title] = replace(right_answer(SECOND.sql), cost=cost)
    assert len(toured(town)["fell_short"]) == 2


@pytest.mark.parametrize("title", ["Raw rows asked for", "Purpose missing"])
def test_a_refusal_that_does_not_come_is_noticed(title: str, town: Town) -> None:
    """The worst that a demo could pass over."""
    town.refusals[title] = None
    (sentence,) = toured(town)["fell_short"]
    assert sentence.startswith(title)
    assert "had to be refused" in sentence


@pytest.mark.parametrize("title", ["Raw rows asked for", "Purpose missing", "month 6"])
def test_a_refusal_for_another_reason_is_noticed(title: str, town: Town) -> None:
    """A server that refuses everything would pass otherwise."""
    town.refusals[title] = "FAULT"
    (sentence,) = toured(town)["fell_short"]
    assert "refused for FAULT" in sentence


def test_a_budget_without_an_end_is_noticed(town: Town) -> None:
    """It is asked for a whole year, and no longer."""
    town.months = 1000
    (sentence,) = toured(town)["fell_short"]
    assert "The budget had no end." in sentence


def test_a_budget_that_an_earlier_run_exhausted_is_no_shortcoming(town: Town) -> None:
    """A second demo on the same state folder."""
    town.months = 0
    found = toured(town)
    assert found["fell_short"] == []
    assert found["refusals"][2]["answered_before"] == 0


@pytest.mark.parametrize("title", [FIRST.title, "Purpose missing", "month 2", "reply"])
def test_a_request_without_a_receipt_is_noticed(title: str, town: Town) -> None:
    """Everything leaves an entry, refusals too."""
    town.lost.add(title)
    found = toured(town)
    assert any(f"1 of {REQUESTS} requests gave no receipt" in each for each in found["fell_short"])
    assert found["log"][0]["verified"] is False


def test_a_handler_that_does_not_reply_is_noticed(town: Town) -> None:
    """And the document says null, not an empty word."""
    town.reply = error("ACCESS_DENIED")
    found = toured(town)
    assert found["fell_short"]
    assert found["replies"][0]["code"] is None


def test_a_member_that_does_not_answer_is_noticed(town: Town) -> None:
    """By name."""
    town.reachable = False
    (sentence,) = toured(town)["fell_short"]
    assert "noaa" in sentence


@pytest.mark.parametrize("name", ["gateway", "jfk"])
def test_a_log_that_was_tampered_with_is_noticed(name: str, town: Town) -> None:
    """One bit of one entry, in the folder that auditors read."""
    tour = Tour(town, ask_unguarded=town.unguarded)
    list(tour.walk())
    reading = Reading(town, clock=iter(range(1_000_000)).__next__)
    before = reading.logs(DEPARTMENTS, tour.receipts, tour.asked)
    assert all(log.shortcoming == "" for log in before)
    folder = town.log(None if name == "gateway" else name) / "tile" / "entries"
    bundle = max(folder.rglob("*"), key=lambda path: path.stat().st_mtime_ns * path.is_file())
    content = bytearray(bundle.read_bytes())
    content[-3] ^= 1
    bundle.write_bytes(content)
    found = {log.name: log for log in reading.logs(DEPARTMENTS, tour.receipts, tour.asked)}
    assert found[name].shortcoming != ""
    assert found[name].entries == ()
    others = [log for log in found.values() if log.name != name]
    assert all(log.shortcoming == "" for log in others)


def test_a_receipt_of_another_log_is_noticed(town: Town, tmp_path: Path) -> None:
    """A gateway that shows one log and gives receipts of another."""
    tour = Tour(town, ask_unguarded=town.unguarded)
    list(tour.walk())
    with Town(tmp_path / "other") as other:
        elsewhere = Tour(other, ask_unguarded=other.unguarded)
        list(elsewhere.walk())
    receipts = [*tour.receipts[:-1], elsewhere.receipts[-1]]
    logs = Reading(town, clock=iter(range(1_000_000)).__next__).logs(
        DEPARTMENTS, receipts, tour.asked
    )
    assert "A receipt does not hold" in logs[0].shortcoming


def test_a_department_without_the_entry_that_the_gateway_names_is_noticed(
    town: Town, tmp_path: Path
) -> None:
    """The two sides' logs must agree."""
    tour = Tour(town, ask_unguarded=town.unguarded)
    list(tour.walk())
    with Town(tmp_path / "other") as other:
        list(Tour(other, ask_unguarded=other.unguarded).walk())
        other.__exit__()
        (town.log("lga")).rename(tmp_path / "away")
        (other.log("lga")).rename(town.log("lga"))
    logs = Reading(town, clock=iter(range(1_000_000)).__next__).logs(
        DEPARTMENTS, tour.receipts, tour.asked
    )
    found = {log.name: log.shortcoming for log in logs}
    assert found.pop("lga").startswith("Entry 0 is not the one that was promised.")
    assert set(found.values()) == {""}


def test_the_page_shows_what_the_document_says(town: Town) -> None:
    """Members, four answers with error bars, three refusals with reasons, the logs."""
    town.refusals["Purpose missing"] = "ACCESS_DENIED"
    stream = io.StringIO()
    shown = TourPage(Console(file=stream, width=100, color_system=None))
    tour = Tour(town, ask_unguarded=town.unguarded)
    for sight in tour.walk():
        shown.show(sight)
    shown.show_logs(Reading(town).logs(DEPARTMENTS, tour.receipts, tour.asked))
    page = stream.getvalue()
    for part in (
        "Question 4",
        "Refusal 3",
        "explain: pooled; Because of the contracts.",
        "epsilon 4 at each of ewr, jfk, lga; 24 bytes from each in 1 round; expected flights",
        "100 ± 9.5",
        "90% left; epsilon 4 of 16 spent",
        "INVALID_QUESTION",
        "BUDGET_EXHAUSTED",
        "answered 5 times before",
        "MATURE",
        "FELL SHORT: It was refused for ACCESS_DENIED, not for PURPOSE_MISSING.",
        f"gateway: {REQUESTS} entries",
    ):
        assert part in page

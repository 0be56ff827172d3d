"""Asking a handler about one person until it has said too much."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.attacks.conftest import Worlds
from tests.attacks.worlds import World
from tests.people import TARGET

pytestmark = pytest.mark.journey

INCOME = TARGET[5]
QUOTA = 12


def test_a_threshold_is_the_owners_and_never_the_callers(worlds: Worlds) -> None:
    """Row 83: no argument moves the bands, so twenty tries by ten callers say what one says."""
    for world in worlds:
        codes, refusals = set(), set()
        for turn in range(20):
            token = world.token("bisecting", caller=f"person{turn % 10}")
            moved = world.call(
                "north.income_band", token=token, person_id=TARGET[0], threshold=INCOME + turn
            )
            assert moved.reason == "INVALID_ARGUMENT"
            refusals.add(moved.refusal)
            codes.add(world.band(TARGET[0], token=token).code)
        assert len(codes) == len(refusals) == 1
        assert codes == ({"NOBODY"} if world.name == "gone" else {"HIGH"})


def test_a_listed_threshold_cannot_be_halved(worlds: Worlds) -> None:
    """Row 83: an argument beside the subject takes its listed values and none between them."""
    for world in worlds:
        refusals = set()
        for turn in range(20):
            token = world.token("halving", caller=f"person{turn % 10}")
            moved = world.call(
                "north.income_over", token=token, person_id=TARGET[0], threshold=INCOME + turn
            )
            assert moved.reason == "INVALID_ARGUMENT"
            refusals.add(moved.refusal)
        assert len(refusals) == 1
        for threshold in (40_000, 100_000):
            seen = world.call("north.income_over", person_id=TARGET[0], threshold=threshold)
            assert seen.code == "OK"


def test_subjects_run_out_for_an_organisation_and_not_for_a_caller(worlds: Worlds) -> None:
    """Row 83: a scraper's colleagues share the quota; it is counted before any data is read.

    Whether a subject exists makes no difference to when the quota ends, nor does asking twice.
    """
    ends = []
    for world in worlds:
        said = []
        for turn in range(QUOTA + 8):
            token = world.token("scrapers", caller=f"person{turn % 10}")
            said.append(world.call("north.income_band", token=token, person_id=4_700 + turn))
        assert [each.reason for each in said] == [""] * QUOTA + ["SUBJECTS_EXHAUSTED"] * 8
        ends.append([each.refusal for each in said[QUOTA:]])
        token = world.token("scrapers", caller="person7")
        assert world.band(TARGET[0], token=token).code in ("HIGH", "NOBODY")  # asked about already
        assert world.band(TARGET[0], "others").code in ("HIGH", "NOBODY")
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"person_id": "4711"}, {"person_id": True}, {"person_id": 4711.0},
        {"person_id": 2**62}, {"name": "Zoltan Q"}, {"person_id": 4711, "person_id ": 4711},
        {"person_id": 4711, "x": "' OR 1=1 --"},
    ],
    ids=repr,
)  # fmt: skip
def test_an_argument_is_bound_and_typed_or_refused(
    worlds: Worlds, arguments: dict[str, Any]
) -> None:
    """What is not the declared argument is refused alike everywhere."""
    seen = [world.call("north.income_band", "typed", **arguments) for world in worlds]
    assert {each.reason for each in seen} == {"INVALID_ARGUMENT"}
    assert len({each.refusal for each in seen}) == 1


def test_text_for_a_subject_is_never_sql(rare: World) -> None:
    """A name is bound, whatever it holds."""
    for name in ("' OR '1'='1", "Zoltan Q' --", "$name", "Zoltan%", "\u0417oltan Q", "zoltan q"):
        seen = rare.call("north.band_by_name", "injecting", name=name)
        assert seen.entry.outcome == "answered"
        assert "NOBODY" in str(seen.reply)
    assert "HIGH" in str(rare.call("north.band_by_name", "injecting", name="Zoltan Q").reply)


def test_a_reply_says_a_code_and_the_log_says_nothing_of_it(worlds: Worlds) -> None:
    """A reply's entry has the same length whoever the subject is and whether there is one."""
    lengths = set()
    for world in worlds:
        for person in (TARGET[0], 4_712):
            seen = world.call("north.income_band", "reader", person_id=person)
            lengths.add(len(replace(seen.entry, parts=()).to_bytes()))
            assert str(person) not in repr(replace(seen.entry, parts=()))
    assert len(lengths) == 1

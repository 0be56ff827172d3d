"""The made-up crowd: what is asked of it and of the floor are the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import crowd as made
from bench.row import RowFailed
from policies.canonical import canonical
from policies.disclosure import plan_release


@pytest.mark.parametrize("each", [1, 4])
def test_ours_and_the_floor_answer_the_same_question(each: int) -> None:
    """A ratio of two different questions would say nothing.

    Twelve standard deviations of the noise are allowed: false alarm below 1 in 10^30.
    """
    with made.crowd(each, lambda _: None, 40_000) as people:
        contract = people.contract()
        table = people.loaded(contract, "people")
        assert (table.rows, table.units, table.largest_unit) == (40_000, 40_000 // each, each)
        with people.raw() as raw, made.engine(table) as engine:
            exact = {str(row[0]): row[1:] for row in raw.execute(made.RAW).fetchall()}
            released = made.ask(engine, contract)
    question = canonical(made.QUESTION, contract)
    plan = plan_release(question, contract, 0, 1)
    counts, sums = released.measures
    for place, district in enumerate(made.DISTRICTS):
        count, average = exact[district]
        assert abs(counts.units[place] - count) < 12 * plan.mechanisms[0].scale
        total = sums.units[place] + plan.mechanisms[1].centre_units * count
        assert abs(total - count * average) < 12 * plan.mechanisms[1].scale


def test_nothing_of_a_crowd_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten million rows in a temporary folder are for the length of a run."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with made.crowd(1, lambda _: None, 1_000) as people:
        people.loaded(people.contract(), "people")
        assert list(tmp_path.iterdir()) != []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "999", "-5", "1e6", "ten"])
def test_a_number_of_rows_that_is_none_is_a_sentence(text: str) -> None:
    """A slip in the setting must not look like a crash of the benchmark."""
    with pytest.raises(RowFailed, match="LANDBRIDGE_BENCH_ROWS must be a number, 1000 or more"):
        made.chosen_rows(text)

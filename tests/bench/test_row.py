"""Rows as programs read them."""

from __future__ import annotations

import json
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.row import Aim, Row, RowFailed

KEYS = ["row", "value", "floor", "ratio", "aim", "better", "n", "spread", "note"]

samples = st.lists(st.floats(min_value=1e-6, max_value=1e9), min_size=1, max_size=20)


@given(ours=samples, floor=samples)
def test_a_row_of_any_samples_is_one_line_of_json_with_every_key(
    ours: list[float], floor: list[float]
) -> None:
    """Whoever reads rows relies on these nine members, in this order, and on plain JSON."""
    line = Row.of("some_row", ours, floor, better="lower", note="seconds; ...").to_json()
    assert "\n" not in line
    found = json.loads(line, parse_constant=pytest.fail)
    assert list(found) == KEYS
    assert found["n"] == len(ours)
    assert found["value"] == pytest.approx(median(ours), rel=1e-3)
    assert found["floor"] == pytest.approx(median(floor), rel=1e-3)
    assert found["ratio"] == pytest.approx(median(ours) / median(floor), rel=1e-3)
    assert found["spread"][0] <= found["value"] <= found["spread"][1]


@pytest.mark.parametrize(
    ("aim", "better", "words"),
    [
        (Aim("value", 90), "lower", "value <= 90"),
        (Aim("ratio", 0.9), "higher", "ratio >= 0.9"),
        (None, "lower", None),
    ],
)
def test_an_aim_says_what_it_limits_and_from_which_side(
    aim: Aim | None, better: str, words: str | None
) -> None:
    """A bare number would leave open whether the figure or the ratio was promised."""
    row = Row.of("some_row", [1.0], [1.0], better=better, note="", aim=aim)  # type: ignore[arg-type]
    assert row.aim == words


@pytest.mark.parametrize(("ours", "floor"), [([], [1.0]), ([1.0], []), ([1.0], [0.0])])
def test_a_row_without_a_ratio_is_refused(ours: list[float], floor: list[float]) -> None:
    """A figure without something beside it says nothing here."""
    with pytest.raises(RowFailed, match="some_row"):
        Row.of("some_row", ours, floor, better="lower", note="")


def test_a_row_can_show_the_worst_sample_instead_of_the_median() -> None:
    """A promise about every node is kept by the largest of them, not by the middle one."""
    row = Row.of("some_row", [1.0, 2.0, 9.0], [1.0], better="lower", note="", choose=max)
    assert row.value == 9.0


def test_a_figure_that_json_does_not_have_is_not_written() -> None:
    """NaN in a results file would break every other reader of it."""
    row = Row.of("some_row", [float("nan")], [1.0], better="lower", note="")
    with pytest.raises(ValueError, match="not JSON compliant"):
        row.to_json()

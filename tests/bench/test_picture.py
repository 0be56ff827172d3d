"""The page of a run: a picture that tells who keeps to its aim, and every figure as text."""

from __future__ import annotations

import pytest

from bench.picture import page, used
from bench.row import Aim, Row


def row(figures: list[float], *, better: str, aim: Aim | None, note: str = "seconds; x") -> Row:
    """A row whose floor is 2."""
    return Row.of("row", figures, [2.0], better=better, aim=aim, note=note)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("better", "aim", "share"),
    [
        ("lower", Aim("value", 8), (0.5, 0.25, 1.0)),
        ("lower", Aim("ratio", 2), (1.0, 0.5, 2.0)),
        ("higher", Aim("value", 2), (0.5, 0.25, 1.0)),
        ("higher", Aim("ratio", 2), (1.0, 0.5, 2.0)),
    ],
)
def test_one_is_an_aim_that_is_just_met(
    better: str, aim: Aim, share: tuple[float, float, float]
) -> None:
    """More than one misses it, whether less is better or more."""
    assert used(row([2.0, 4.0, 8.0], better=better, aim=aim)) == pytest.approx(share)


def test_a_row_without_aim_or_figure_is_in_the_table_alone() -> None:
    """What was not promised cannot be missed."""
    rows = [
        row([1.0], better="lower", aim=None),
        Row.absent("peer", better="lower", note="it is <not> to be had"),
    ]
    assert [used(each) for each in rows] == [None, None]
    drawn = page(rows, "2 cores")
    assert "<svg" not in drawn
    assert "it is &lt;not&gt; to be had" in drawn


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """It is opened from a disk, by somebody without a network."""
    drawn = page([row([1.0], better="lower", aim=Aim("value", 2))], "2 cores, load 0.5")
    assert drawn.count("<svg") == 1
    assert "value &lt;= 2" in drawn
    assert "src=" not in drawn
    assert "<link" not in drawn

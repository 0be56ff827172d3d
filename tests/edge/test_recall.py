"""What is remembered is remembered of these very objects, and falls with them."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest

from landbridge.edge.recall import Recall


@dataclass(frozen=True)
class Terms:
    """Two of them can be alike and still be two versions."""

    name: str


def test_the_same_objects_are_made_into_something_once() -> None:
    """Whoever asks again has the same thing, for the same further words only."""
    made: list[str] = []
    recall = Recall[int]()
    terms = Terms("a")

    def make() -> int:
        made.append("")
        return len(made)

    assert [recall.of((terms,), 1, make) for _ in range(3)] == [1, 1, 1]
    assert recall.of((terms,), 2, make) == 2
    assert recall.of((terms, terms), 1, make) == 3


def test_an_object_that_is_only_alike_is_made_anew() -> None:
    """A new version may say the same in all that is compared; what rests on it is made again."""
    recall = Recall[str]()
    assert recall.of((Terms("a"),), None, lambda: "old") == "old"
    assert recall.of((Terms("a"),), None, lambda: "new") == "new"


def test_no_object_takes_the_place_of_one_that_has_gone() -> None:
    """Numbers of objects are given again; those that are remembered are held, so theirs are not."""
    recall = Recall[int](4)
    for number in range(1_000):
        assert recall.of((Terms("a"),), None, lambda number=number: number) == number  # type: ignore[misc]
        gc.collect(0)
    assert len(recall._kept) == 4


def test_what_could_not_be_made_is_tried_again() -> None:
    """A refusal is said in full each time."""
    recall = Recall[int]()
    terms = Terms("a")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            recall.of((terms,), None, lambda: 1 // 0)
    assert recall.of((terms,), None, lambda: 5) == 5

"""The order in which samples are taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.samples import in_turn, seconds


@given(sides=st.integers(1, 4), rounds=st.integers(1, 9), warm_up=st.integers(0, 3))
def test_every_side_has_its_rounds_and_its_own_samples(
    sides: int, rounds: int, warm_up: int
) -> None:
    """A sample on the wrong side would turn a ratio into nonsense."""
    called: list[int] = []

    def side(number: int) -> float:
        called.append(number)
        return float(number)

    found = in_turn(
        *(lambda number=number: side(number) for number in range(sides)),
        rounds=rounds,
        warm_up=warm_up,
    )
    assert found == [[float(number)] * rounds for number in range(sides)]
    assert sorted(called) == sorted(list(range(sides)) * (rounds + warm_up))


def test_rounds_begin_with_another_side_each() -> None:
    """What always ran second would always find warm caches."""
    called: list[str] = []
    in_turn(
        lambda: called.append("ours") or 0.0,  # type: ignore[func-returns-value]
        lambda: called.append("floor") or 0.0,  # type: ignore[func-returns-value]
        rounds=2,
        warm_up=0,
    )
    assert called == ["ours", "floor", "floor", "ours"]


def test_seconds_runs_the_work_once() -> None:
    """A measurement must not ask twice for what is charged."""
    called: list[int] = []
    assert seconds(lambda: called.append(1)) >= 0
    assert called == [1]

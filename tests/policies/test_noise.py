"""What is remembered of noise: how it is drawn, never what was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from opendp import measurements

from policies import noise
from policies.contract import Noise
from policies.disclosure import Mechanism
from policies.noise import NoiseError, draw
from policies.question import Count

GAUSSIAN = Mechanism(Count(), Noise.GAUSSIAN, 1000.0, 1.0, 1.0, 0)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Each story begins with nothing remembered."""
    noise._measurement.cache_clear()
    yield
    noise._measurement.cache_clear()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Every construction that OpenDP was asked for, by kind and scale."""
    found: list[tuple[str, float]] = []
    for name in ("then_gaussian", "then_laplace"):
        original = getattr(measurements, name)

        def counted(*, scale: float, original: Any = original, name: str = name) -> Any:
            found.append((name, scale))
            return original(scale=scale)

        monkeypatch.setattr(measurements, name, counted)
    return found


def test_a_measurement_is_made_once(made: list[tuple[str, float]]) -> None:
    """Its construction is what a small release pays for most."""
    for _ in range(5):
        draw([0, 0], GAUSSIAN)
    assert made == [("then_gaussian", 1000.0)]


def test_another_scale_or_noise_is_another_measurement(made: list[tuple[str, float]]) -> None:
    """Noise of a neighbour's scale would be a leak or a waste."""
    narrow = replace(GAUSSIAN, scale=0.001, sensitivity=1e-6)
    assert set(draw([7] * 50, narrow)) == {7}
    assert len(set(draw([7] * 50, GAUSSIAN))) > 25
    assert set(draw([7] * 50, narrow)) == {7}
    draw([7], replace(GAUSSIAN, noise=Noise.LAPLACE))
    assert made == [("then_gaussian", 0.001), ("then_gaussian", 1000.0), ("then_laplace", 1000.0)]


def test_what_is_remembered_draws_anew() -> None:
    """20 draws of sigma 1,000 in a vector: two vectors are equal about once in 10^68 runs."""
    assert draw([0] * 20, GAUSSIAN) != draw([0] * 20, GAUSSIAN)


def test_memory_is_bounded(made: list[tuple[str, float]]) -> None:
    """A caller chooses epsilon, and with it the scale, in a million ways."""
    for number in range(noise.REMEMBERED + 10):
        draw([0], replace(GAUSSIAN, scale=10.0 + number))
    assert len(made) == noise.REMEMBERED + 10
    assert noise._measurement.cache_info().currsize == noise.REMEMBERED


def test_a_cost_above_what_was_accounted_is_a_fault_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The check is made for each sensitivity, and its failure is not forgotten or remembered."""

    class Costly:
        def __rrshift__(self, _: object) -> Costly:
            return self

        def map(self, distance: float) -> float:
            return 0.6 * distance**2 / 1000.0**2  # a fifth more than the Gaussian's half

        def __call__(self, cells: list[int]) -> list[int]:
            return cells

    monkeypatch.setattr(measurements, "then_gaussian", lambda **_: Costly())
    for _ in range(2):
        with pytest.raises(NoiseError):
            draw([0], GAUSSIAN)


def test_a_larger_sensitivity_is_checked_again(made: list[tuple[str, float]]) -> None:
    """The same scale may be enough for one measure and too little for another."""
    draw([0], GAUSSIAN)
    draw([0], replace(GAUSSIAN, sensitivity=5.0))
    assert len(made) == 2


def test_threads_share_a_measurement() -> None:
    """A server's threads draw at once; each draw has its own length and its own noise."""
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda size: draw([0] * size, GAUSSIAN), range(20, 220)))
    assert [len(each) for each in found] == list(range(20, 220))
    assert len({tuple(each[:20]) for each in found}) == 200

"""Noise that is not as promised, for positive controls: the harness must convict each of these."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from policies.contract import Noise
from policies.disclosure import Mechanism
from policies.noise import Draw, draw
from tests.audit.mechanisms import SCENARIOS, Scenario


def halved(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
    """Half of the noise."""
    return draw(cells, replace(mechanism, scale=mechanism.scale / 2))


def by_text(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
    """Noise that the question alone decides, so that anybody can work it out."""
    source = random.Random(repr(mechanism))
    return [cell + round(source.gauss(0, mechanism.scale)) for cell in cells]


def only_where_something_is(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
    """Empty cells stay empty."""
    noisy = draw(cells, mechanism)
    return [number if cell else 0 for number, cell in zip(noisy, cells, strict=True)]


def named(name: str) -> Scenario:
    """The scenario of that name."""
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


AVERAGE = "average: two measures and a centre"

CONTROLS: tuple[tuple[str, Scenario, Noise, Draw, int], ...] = (
    ("halved noise, count", named("count"), Noise.GAUSSIAN, halved, 600),
    ("halved noise, average", named(AVERAGE), Noise.GAUSSIAN, halved, 600),
    ("halved noise, Laplace", named("sum, clamped"), Noise.LAPLACE, halved, 2_500),
    ("seeded by the text", named("sum, clamped"), Noise.GAUSSIAN, by_text, 600),
    ("seeded by the text, Laplace", named("sum, clamped"), Noise.LAPLACE, by_text, 600),
    ("empty cells without noise", replace(named("grouped cells"), epsilon=4.0), Noise.GAUSSIAN,
     only_where_something_is, 600),
)  # fmt: skip
"""Name, scenario, noise, what is wrong with it, and how many runs convict it.

Each is convicted but for one time in a thousand or fewer.
"""

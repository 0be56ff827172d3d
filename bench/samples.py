"""Samples of ours and of the floor, taken in turn, so that a busy machine is busy for all."""

from __future__ import annotations

import time
from collections.abc import Callable

Sample = Callable[[], float]
"""Does the work once and gives what it measured."""


def seconds(work: Callable[[], object]) -> float:
    """How long one run of `work` took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turn(*sides: Sample, rounds: int, warm_up: int = 1) -> list[list[float]]:
    """`rounds` samples of each side, after `warm_up` of each that do not count.

    Each round begins with another side, so that none always follows the same one.
    """
    found: list[list[float]] = [[] for _ in sides]
    for number in range(warm_up + rounds):
        for place in range(len(sides)):
            side = (number + place) % len(sides)
            sample = sides[side]()
            if number >= warm_up:
                found[side].append(sample)
    return found

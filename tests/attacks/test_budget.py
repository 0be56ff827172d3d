"""Asking again, asking otherwise, asking all at once: what a budget and one memory stop."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.attacks.worlds import EPSILON, World

pytestmark = pytest.mark.journey

REWRITES = 50


def test_fifty_spellings_are_one_draw_and_one_charge(rare: World) -> None:
    """Row 45: averaging needs draws; a canonical question has one per data, terms and recipient."""
    source = random.Random(45)
    seen = []
    for turn in range(REWRITES):
        parts = [
            source.choice(("age > 17", "age >= 18", "NOT age < 18", "17 < age", "age>=18.0")),
            source.choice(("sex='F'", "sex IN ('F')", "NOT (sex <> 'F')", "'F' = sex")),
            source.choice(("age > 17", "sex = 'F'", "(sex = 'F')", "NOT NOT age > 17")),
        ]
        source.shuffle(parts)
        table = source.choice(("people", "north.people", "people p", "People"))
        text = f"SELECT  count( * ) AS n{turn}\nFROM {table} WHERE {' AND '.join(parts)} -- {turn}"
        # Callers of one organisation are one recipient.
        token = rare.token("rewriters", caller=f"person{turn % 5}")
        seen.append(rare.ask(text, token=token))
    assert len({each.number for each in seen}) == 1
    charges = [each.entry.charged_micro_rho for each in seen]
    assert charges[0] > 0
    assert not any(charges[1:])


def test_every_neutral_condition_is_charged_until_the_budget_ends(rare: World) -> None:
    """Row 50: 304 variants that change nothing cost as if they did; no noise follows the text.

    Were the noise seeded by the text, two organisations would be told the same. Two draws with a
    deviation of five agree less often than one time in ten: all of ten agree once in 10^10 runs.
    """
    variants = [f"income <> {9_000_000 + n}" for n in range(152)]
    variants += [f"age <> {1_000 + n}" for n in range(152)]
    told: dict[str, list[float]] = {}
    ends: Counter[str] = Counter()
    for organisation in ("gadotti", "gadotti2"):
        for variant in variants:
            seen = rare.ask(f"SELECT count(*) FROM people WHERE age=93 AND {variant}", organisation)
            ends[seen.reason] += 1
            assert bool(seen.entry.charged_micro_rho) is not bool(seen.reason)
            if not seen.reason:
                told.setdefault(variant, []).append(seen.number)
    assert set(ends) == {"", "BUDGET_EXHAUSTED"}
    assert 2 * 10 <= ends[""] <= 2 * EPSILON**2  # rho of the budget over rho of one question
    assert all(len(draws) == 2 for draws in told.values())
    assert any(first != second for first, second in told.values())


def test_of_sixty_four_at_two_gateways_one_gets_the_last_of_a_budget(
    rare: World, tmp_path: Path
) -> None:
    """Row 52: budgets are the node's, so a second gateway, a race or a restart buys nothing."""
    second, process = rare.second_gateway(tmp_path)
    doors = (rare, second)
    try:
        start = Barrier(64)

        def ask(number: int, *, at_once: bool = True) -> tuple[str, float | None]:
            if at_once:
                start.wait()
            text = f"SELECT count(*) FROM people WHERE age <> {1_000 + number}"
            seen = doors[number % 2].ask(text, "racers", epsilon=EPSILON - 0.1, seconds=60)
            return seen.reason, None if seen.reason else seen.number

        with ThreadPoolExecutor(64) as pool:
            ends = Counter(pool.map(ask, range(64)))
        assert sorted(ends.values()) == [1, 63]
        assert ends["BUDGET_EXHAUSTED", None] == 63
        rare.restart_node()
        second.await_node()
        again = Counter(ask(number, at_once=False) for number in range(64))
        assert again == ends  # the one from memory, with the same number
        assert ask(64, at_once=False)[0] == ask(65, at_once=False)[0] == "BUDGET_EXHAUSTED"
    finally:
        second.close()
        process.stop()

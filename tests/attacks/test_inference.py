"""What a patient caller can compute from answers that were all allowed.

Each attacker plays against running federations with the real noise and the terms of the contract.
What may be won follows from the budget: a guess that is right with probability p before asking is
right with at most Phi(Phi^-1(p) + mu) after it (Dong, Roth, Su 2019), mu = sqrt(2 rho). Unless
another rate is stated an honest build fails one of these tests with a probability of 10^-6
(`ALARM`) at most. The same attackers are convicted where there is no noise: tests/audit.
"""

from __future__ import annotations

import gzip
import math
import random

import numpy as np
import pytest

from landbridge.v1 import gateway_pb2
from policies.accounting import rho_of
from tests.attacks.conftest import Worlds
from tests.attacks.worlds import EPSILON, LARGEST_COST, PEOPLE, World
from tests.audit.bound import NORMAL, upper
from tests.people import TARGET, Row

pytestmark = pytest.mark.journey

ALARM = 1e-6
VICTIM = "district='D7' AND age=93 AND sex='F'"


def test_two_windows_differ_by_more_than_their_day(worlds: Worlds) -> None:
    """Row 27: the day on which t alone came is the difference of two sums, and drowns in both.

    60 games of two questions at epsilon 0.25, each another organisation's: is it the world with t?
    """
    source = random.Random(27)
    rare, _, gone = worlds
    epsilon, games = 0.25, 60
    won = 0
    for game in range(games):
        truth = source.random() < 0.5
        world = rare if truth else gone
        sums = []
        for last in ("2026-01-31", "2026-02-01"):
            seen = world.ask(
                "SELECT sum(cost) FROM visits "
                f"WHERE day BETWEEN DATE '2026-01-01' AND DATE '{last}'",
                f"window{game}",
                epsilon=epsilon,
            )
            assert seen.entry.charged_micro_rho > 0
            width = seen.answer.cells[0][0].half_width
            assert width is not None
            assert width > LARGEST_COST
            sums.append(seen.number)
        before, after = sums
        won += (after - before > 812.37 / 2) is truth
    mu = math.sqrt(2 * 2 * rho_of(epsilon, 1e-6))
    assert 1 - upper(games - won, games, ALARM) <= NORMAL.cdf(mu / 2)


def test_bisection_buys_no_income(rare: World) -> None:
    """Row 28: each cut point is answered with noise, until nothing is left.

    Four organisations halve [0, 10^7]. With a deviation of 3.6 a step is right with probability
    0.56, the ten that lead to within 1/1000 of the range once in 370 runs, and three of four
    organisations' less than once in 10^6.
    """
    found = 0
    for game in range(4):
        low, high = 0, 10_000_000
        for _ in range(24):
            middle = (low + high) // 2
            sql = f"SELECT count(*) FROM people WHERE {VICTIM} AND income>{middle}"
            seen = rare.ask(sql, f"halver{game}", epsilon=1.5)
            if seen.reason:
                assert seen.reason == "BUDGET_EXHAUSTED"
                break
            low, high = (middle, high) if seen.number > 0.5 else (low, middle)
        found += abs((low + high) / 2 - TARGET[5]) < 5_000
    assert found <= 2


def test_every_answer_lies_on_one_grid(rare: World) -> None:
    """Row 44: counts are whole and sums whole steps; what is below a step, or its parity, is noise.

    120 draws each. A fair parity is outside 25..95 of 120 once in 10^10 runs.
    """
    counts, sums = [], []
    for turn in range(120):
        (row,) = rare.ask("SELECT count(*), sum(cost) FROM visits", f"grid{turn}").answer.rows()
        count, total = row
        assert isinstance(count, int)
        assert isinstance(total, float)
        counts.append(count)
        sums.append(total)
    assert all(total == round(total / 0.01) * 0.01 for total in sums)
    assert len(set(sums)) > 100  # fresh draws, not one
    assert len(set(counts)) > 5
    assert 25 <= sum(count % 2 for count in counts) <= 95


def reconstructed(rows: list[Row], rare: World | None, questions: int) -> tuple[float, float]:
    """Of which share of people least squares tells rightly if they have the flu; the blind guess.

    Each question is an interval of ages, grouped by district and sex: one charge buys eight
    subsets, and few people share all three. Without a world the counts are exact.
    """
    source = random.Random(48)
    truth = np.array([row[6] == "flu" for row in rows])
    rho = rho_of(EPSILON, 1e-6) / questions * 0.97
    epsilon = rho + 2 * math.sqrt(rho * math.log(1e6)) - 1e-4
    equations, answers = [], []
    for _ in range(questions):
        low = source.randint(16, 78)
        high = low + source.randint(1, 16)
        told: dict[tuple[object, object], float] = {}
        if rare is not None:
            found = rare.ask(
                "SELECT district, sex, count(*) AS n FROM people WHERE diagnosis='flu' "
                f"AND age BETWEEN {low} AND {high} GROUP BY district, sex",
                "reconstruction",
                epsilon=epsilon,
            ).answer.rows()
            told = {(row[0], row[1]): float(str(row[2])) for row in found}
        cells = {(row[2], row[4]) for row in rows}
        for cell in cells:
            inside = np.array([
                low <= row[3] <= high and (row[2], row[4]) == cell
                for row in rows
            ])  # fmt: skip
            if inside.any():
                equations.append(inside)
                answers.append(told[cell] if rare is not None else float((inside & truth).sum()))
    guess = np.linalg.lstsq(np.array(equations, float), np.array(answers), rcond=None)[0]
    named = np.zeros(len(rows), bool)
    named[np.argsort(-guess)[: int(truth.sum())]] = True
    return float((named == truth).mean()), float(max(truth.mean(), 1 - truth.mean()))


def test_least_squares_reconstructs_nobody(rare: World) -> None:
    """Row 48: 120 random tables for one whole budget; the long form is tests/torture.py.

    Allowed are the blind guess, five points, and what luck adds.
    """
    rows = PEOPLE["rare"]
    right, blind = reconstructed(rows, rare, 120)
    most = blind + 0.05 + math.sqrt(math.log(1 / ALARM) / (2 * len(rows)))
    assert right <= most
    told, _ = reconstructed(rows, None, 120)
    assert told > most  # positive control: the same attacker is told the truth


def test_margins_and_cells_carry_noise_of_their_own(rare: World) -> None:
    """Rows 24 and 25: a total less its shown cells is not the hidden cell.

    Ten pairs of tables; all ten differences equal the truth with a probability below 10^-10.
    """
    differences = set()
    for turn in range(10):
        cells = rare.ask(
            "SELECT district, sex, count(*) FROM people GROUP BY district, sex", f"margin{turn}"
        ).answer.rows()
        margin = rare.ask(
            "SELECT district, count(*) FROM people GROUP BY district", f"margin{turn}"
        ).answer.rows()
        total = {row[0]: float(str(row[1])) for row in margin}
        parts = sum(float(str(row[2])) for row in cells if row[0] == "D7")
        differences.add(total["D7"] - parts)
    assert len(differences) > 1


def test_size_follows_the_noise_and_nothing_else(worlds: Worlds) -> None:
    """Row 63: bytes and gzip size of 40 answers in each world are drawn from one distribution.

    A rank sum is 5.5 deviations off, in one of six comparisons, less than once in 10^6 runs.
    """
    sql = "SELECT diagnosis, count(*) AS n, sum(income) AS s FROM people GROUP BY diagnosis"
    sizes: list[list[tuple[int, int]]] = []
    for world in worlds:
        found = []
        for turn in range(40):
            seen = world.ask(sql, f"size{turn:02d}")
            assert isinstance(seen.reply, gateway_pb2.QueryResponse)
            octets = seen.reply.SerializeToString(deterministic=True)
            found.append((len(octets), len(gzip.compress(octets, mtime=0))))
        sizes.append(found)
    for kind in range(2):
        for one, other in ((0, 1), (0, 2), (1, 2)):
            first = [size[kind] for size in sizes[one]]
            second = [size[kind] for size in sizes[other]]
            assert abs(rank_sum(first, second)) < 5.5


def rank_sum(first: list[int], second: list[int]) -> float:
    """Wilcoxon's rank sum of two samples in deviations from its mean, ties at their middle rank.

    Normal approximation, with the variance for ties (Lehmann, Nonparametrics, 1975, section 1.3).
    """
    whole = np.array([*first, *second])
    values, place, times = np.unique(whole, return_inverse=True, return_counts=True)
    middle = np.cumsum(times) - (times - 1) / 2
    ranks = middle[place]
    n, m = len(first), len(second)
    ties = float((times**3 - times).sum()) / ((n + m) * (n + m - 1))
    variance = n * m / 12 * (n + m + 1 - ties)
    if len(values) == 1:
        return 0.0
    return float((ranks[:n].sum() - n * (n + m + 1) / 2) / math.sqrt(variance))


def test_the_rank_sum_sees_a_byte() -> None:
    """Positive control: sizes one byte apart are told apart, equal ones are not."""
    noise = [random.Random(seed).randint(0, 2) for seed in range(80)]
    assert abs(rank_sum(noise[:40], noise[40:])) < 5.5
    assert abs(rank_sum(noise[:40], [3 + each for each in noise[40:]])) > 5.5

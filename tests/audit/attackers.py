"""Attackers at the public door: they ask SQL, read answers, and guess what they must not know.

Each plays against real noise and real terms (epsilon 8 for one organisation). What it may win at
most follows from its budget alone: a guess that is right with probability p before asking is right
with probability at most Phi(Phi^-1(p) + mu) after it, where mu = sqrt(2 rho) of the budget (Dong,
Roth, Su 2019, for the world without the victim). Every function takes the noise, so that the same
attacker can be shown to win where there is none.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.answers import Answer
from landbridge.errors import LandbridgeError, Refused
from policies.accounting import rho_of
from policies.noise import Draw, draw
from tests.audit import bound
from tests.audit.bound import NORMAL
from tests.audit.crossing import EVERYBODY
from tests.audit.outcome import Outcome
from tests.audit.worlds import DELTA, OTHERS, target
from tests.people import DISTRICTS, Row, document, write
from tests.simulator import FederationSimulator

ALARM = 1e-6
"""Probability with which one attacker is said to have won by luck alone."""
BUDGET = 8.0
MU = math.sqrt(2 * rho_of(BUDGET, DELTA))
TERMS: dict[str, Any] = {
    "landbridgeBudget": {
        "recipient": {"epsilon": BUDGET, "delta": DELTA},
        "overall": {"epsilon": 1e5, "delta": DELTA},
        "period": "never",
    },
    "landbridgeEpsilon": {"default": 1.0, "maximum": 8.0},
}
VICTIM = "district='D7' AND age=93 AND sex='F'"


def at_most(before: float, mu: float = MU) -> float:
    """How often a guess may be right after the budget is spent."""
    return NORMAL.cdf(NORMAL.inv_cdf(before) + mu)


@contextmanager
def asked(folder: Path, rows: Sequence[Row], noise: Draw = draw) -> Iterator[FederationSimulator]:
    """One department with these rows."""
    folder.mkdir(parents=True)
    federation = FederationSimulator(
        folder, {"north": write(rows, folder / "north.csv")}, document(**TERMS),
        draw=noise, access=EVERYBODY, gateway_access=EVERYBODY,
    )  # fmt: skip
    try:
        yield federation
    finally:
        federation.close()


def number(answer: Answer) -> float:
    """The one number of an answer."""
    value = answer.rows()[0][0]
    assert isinstance(value, int | float)
    return float(value)


def averaging(folder: Path, effort: int, noise: Draw = draw) -> Outcome:
    """One question in `effort` spellings, asked by several people: one draw, one charge."""
    source = random.Random(effort)
    with asked(folder, [*OTHERS, target()], noise) as federation:
        seen, paid = set(), 0
        for turn in range(effort):
            parts = [
                source.choice(("age > 17", "age >= 18", "NOT age < 18", "17 < age", "age>=18.0")),
                source.choice(("sex='F'", "sex IN ('F')", "NOT (sex <> 'F')", "'F' = sex")),
                source.choice(("age > 17", "sex = 'F'", "(sex = 'F')", "NOT NOT age > 17")),
            ]
            source.shuffle(parts)
            text = f"SELECT count(*) AS n{turn} FROM people WHERE {' AND '.join(parts)}"
            try:
                answer = federation.query(text, token=federation.token(f"person{turn % 7}"))
            except Refused:
                break
            seen.add(number(answer))
            paid += answer.cost.epsilon > 0
    return Outcome("averaging over spellings and people", effort, effort - len(seen),
                   "canonical form, memory", f"{len(seen)} draws, {paid} charged (1)",
                   through=len(seen) > 1 or paid > 1)  # fmt: skip


def games(
    name: str, folder: Path, effort: int, play: Callable[[Callable[[str], float | None]], bool],
    noise: Draw = draw,
) -> Outcome:  # fmt: skip
    """`effort` times: has the victim X1 or the flu? Each game is another organisation's.

    `play` gets a way to ask, which is None once the budget has ended, and says whether it is X1.
    The worlds differ in another value, which is two neighbouring steps.
    """
    source = random.Random(effort)
    won = refused = questions = 0
    with (
        asked(folder / "rare", [*OTHERS, target()], noise) as rare,
        asked(folder / "flu", [*OTHERS, target(diagnosis="flu")], noise) as flu,
    ):
        for game in range(effort):
            truth = source.random() < 0.5
            federation = rare if truth else flu
            token = federation.token(organisation=f"o{game}")

            def ask(sql: str, federation: FederationSimulator = federation,
                    token: str = token) -> float | None:  # fmt: skip
                nonlocal refused, questions
                questions += 1
                try:
                    return number(federation.query(sql, epsilon=4.0, token=token))
                except Refused:
                    refused += 1
                    return None

            won += play(ask) is truth
    most = NORMAL.cdf(MU)  # two worlds two steps apart: Phi(2 mu / 2)
    through = 1 - bound.upper(effort - won, effort, ALARM) > most
    return Outcome(name, questions, refused, "noise, budget",
                   f"{won} of {effort} games ({most:.2f})", through)  # fmt: skip


def differencing(ask: Callable[[str], float | None]) -> bool:
    """Everybody with X1, minus everybody with X1 who is not the victim (attacks 3 and 4)."""
    found: list[float] = []
    while len(found) < 40:
        neutral = f"age <> {1000 + len(found)}"
        whole = ask(f"SELECT count(*) FROM people WHERE diagnosis='X1' AND {neutral}")
        rest = ask(
            f"SELECT count(*) FROM people WHERE diagnosis='X1' AND NOT ({VICTIM}) AND {neutral}"
        )
        if whole is None or rest is None:
            break
        found.append(whole - rest)
    return bool(found) and sum(found) / len(found) > 0.5


def singling_out(ask: Callable[[str], float | None]) -> bool:
    """The victim alone with X1, again and again under conditions that change nothing (50)."""
    found: list[float] = []
    while len(found) < 80:
        answer = ask(
            f"SELECT count(*) FROM people WHERE {VICTIM} AND diagnosis='X1' "
            f"AND income <> {9_000_000 + len(found)}"
        )
        if answer is None:
            break
        found.append(answer)
    return bool(found) and sum(found) / len(found) > 0.5


def bisection(folder: Path, effort: int, noise: Draw = draw) -> Outcome:
    """`effort` organisations look for the victim's income by halving, 24 steps each (28).

    Won where the last interval's middle is within 1/1000 of the range. Incomes of the games are
    drawn from 4 federations, so that no fixed guess is right more often than by chance.
    """
    won = questions = refused = 0
    source = random.Random(effort)
    incomes = [source.randint(0, 10_000_000) for _ in range(4)]
    for place, income in enumerate(incomes):
        with asked(folder / str(place), [*OTHERS, target(income=income)], noise) as federation:
            for game in range(max(1, effort // 4)):
                token = federation.token(organisation=f"o{game}")
                low, high = 0, 10_000_000
                for _ in range(24):
                    middle = (low + high) // 2
                    sql = f"SELECT count(*) FROM people WHERE {VICTIM} AND income > {middle}"
                    questions += 1
                    try:
                        above = number(federation.query(sql, epsilon=1.5, token=token)) > 0.5
                    except Refused:
                        refused += 1
                        break
                    low, high = (middle, high) if above else (low, middle)
                won += abs((low + high) / 2 - income) <= 5_000
    played = 4 * max(1, effort // 4)
    most = at_most(0.001)
    through = 1 - bound.upper(played - won, played, ALARM) > most
    return Outcome("bisection of an income", questions, refused, "noise, budget",
                   f"{won} of {played} games ({most:.2f})", through)  # fmt: skip


def reconstruction(folder: Path, effort: int, noise: Draw = draw, people: int = 200) -> Outcome:
    """Dinur and Nissim (2003): who has X1, from counts over random subsets, by least squares (48).

    The attacker knows everybody's other columns. Every question is an income interval, grouped by
    district, sex and member, so that one charge buys 24 subsets. Allowed is the rate of the best
    guess without asking, five points, and what luck adds (`ALARM`).
    """
    source = random.Random(7)
    rows = [
        target(person_id=n, district=source.choice(DISTRICTS), sex=source.choice("FM"),
               age=source.randint(18, 80), income=source.randint(0, 150_000),
               diagnosis=source.choice(("X1", "flu", "cold")), member=source.choice((True, False)))
        for n in range(people)
    ]  # fmt: skip
    truth = np.array([row[6] == "X1" for row in rows])
    equations, answers, stopped = [], [], 0
    keys = ("district", "sex", "member")
    with asked(folder, rows, noise) as federation:
        epsilon = max(0.011, _each(effort))
        for _ in range(effort):
            low = source.randint(0, 120_000)
            high = low + source.randint(10_000, 60_000)
            sql = (
                f"SELECT {', '.join(keys)}, count(*) AS n FROM people WHERE diagnosis='X1' "
                f"AND income BETWEEN {low} AND {high} GROUP BY {', '.join(keys)}"
            )
            try:
                found = federation.query(sql, epsilon=epsilon).rows()
            except Refused:
                stopped += 1
                continue
            for *cell, count in found:
                inside = [
                    low <= row[5] <= high and (row[2], row[4], row[8]) == tuple(cell)
                    for row in rows
                ]
                if any(inside):
                    equations.append(inside)
                    answers.append(count)
    guess = np.linalg.lstsq(np.array(equations, float), np.array(answers, float), rcond=None)[0]
    # The attacker also knows how many have it, and names those with the largest shares.
    named = np.zeros(people, bool)
    named[np.argsort(-guess)[: int(truth.sum())]] = True
    right = int((named == truth).sum())
    base = float(max(truth.mean(), 1 - truth.mean()))
    luck = math.sqrt(math.log(1 / ALARM) / (2 * people))
    return Outcome("reconstruction from random subsets", effort, stopped, "noise, budget",
                   f"{right} of {people} right ({base + 0.05:.2f}; guessing {base:.2f})",
                   through=right / people > base + 0.05 + luck)  # fmt: skip


def _each(questions: int) -> float:
    """The epsilon at which so many questions just spend the budget."""
    rho = rho_of(BUDGET, DELTA) / questions * 0.98
    return rho + 2 * math.sqrt(rho * math.log(1 / DELTA)) - 1e-4


def race(folder: Path, effort: int) -> Outcome:
    """64 callers at once, and what is left is enough for one of them (52)."""
    answered = 0
    for turn in range(effort):
        with asked(folder / str(turn), OTHERS) as federation:
            token = federation.token()
            ends: list[str] = []
            start = threading.Barrier(64)

            def ask(
                number: int, federation: FederationSimulator = federation, token: str = token,
                ends: list[str] = ends, start: threading.Barrier = start,
            ) -> None:  # fmt: skip
                start.wait()
                sql = f"SELECT count(*) FROM people WHERE age <> {number}"
                try:
                    federation.query(sql, epsilon=7.9, token=token)
                    ends.append("answered")
                except LandbridgeError as refusal:
                    ends.append(refusal.reason)

            threads = [threading.Thread(target=ask, args=(n,)) for n in range(64)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert ends.count("answered") + ends.count("BUDGET_EXHAUSTED") == 64
            answered = max(answered, ends.count("answered"))
    return Outcome("64 callers race for the last of a budget", 64 * effort,
                   63 * effort if answered == 1 else 0, "ledger", f"{answered} answered (1)",
                   through=answered != 1)  # fmt: skip


def memory(folder: Path, effort: int) -> Outcome:
    """Whether another organisation asked the same before shows in nothing (but what is left).

    Not hidden: the overall budget is one account, and whoever comes near its end reads what is
    left of it.
    """
    told = 0
    with asked(folder, [*OTHERS, target()]) as federation:
        for turn in range(effort):
            sql = f"SELECT count(*) FROM people WHERE age <> {turn}"
            before = turn % 2 == 0
            if before:
                federation.query(sql, token=federation.token(organisation=f"first{turn}"))
            answer = federation.query(sql, token=federation.token(organisation=f"other{turn}"))
            alike = answer.cost.epsilon == 1.0 and all(n.kind != "remembered" for n in answer.notes)
            told += not alike
    return Outcome("who asked before, read from the memory", effort, effort - told,
                   "memory per organisation", f"{told} told (0)", through=told > 0)  # fmt: skip


def bits(folder: Path, effort: int) -> Outcome:
    """The last bits of released numbers hold grid and noise alone (44).

    Every sum is a whole number of steps, and every average is the ratio of the two numbers that
    the caller sees beside it, to the last bit.
    """
    kept: list[Any] = []
    odd = 0
    with asked(folder, [*OTHERS, target()]) as federation:
        federation.nodes["north"].change = lambda reply: kept.append(reply.release)
        for turn in range(effort):
            token = federation.token(organisation=f"o{turn}")
            sql = (
                "SELECT sum(height) AS s, count(height) AS n, avg(height) AS a, "
                "sum(income * 0.1) AS i FROM people"
            )
            total, count, mean, _ = federation.query(sql, epsilon=7.9, token=token).rows()[0]
            rows, *_ = (m for m in kept[-1].measures if m.step == 1)
            height, *_ = (m for m in kept[-1].measures if round(m.step, 9) == 0.01)
            steps = height.units[0] + round(height.centre / 0.01) * rows.units[0]
            assert isinstance(total, float)
            assert isinstance(count, int)
            odd += total != steps * 0.01 or (mean is not None and mean != total / count)
    return Outcome("last bits of released numbers", effort, effort - odd, "one grid",
                   f"{odd} off the grid (0)", through=odd > 0)  # fmt: skip


def ordering(folder: Path, effort: int) -> Outcome:
    """Groups come in the order of the declared domains, however rows lie in the file."""
    orders = set()
    source = random.Random(effort)
    for turn in range(effort):
        rows = [*OTHERS, target()]
        source.shuffle(rows)
        with asked(folder / str(turn), rows) as federation:
            found = federation.query("SELECT diagnosis, count(*) FROM people GROUP BY diagnosis")
            orders.add(tuple(row[0] for row in found.rows()))
    return Outcome("order of groups", effort, effort if len(orders) == 1 else 0,
                   "declared domains", f"{len(orders)} orders (1)",
                   through=len(orders) > 1)  # fmt: skip

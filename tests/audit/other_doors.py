"""Advantage over guessing beside questions in SQL.

Handlers, reports, all tables together, trends over several windows, totals of two shares. A vote is
one of these: its owner counts it by questions, or it is made in two shares.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from landbridge.errors import LandbridgeError
from landbridge.protocols.prio3.aggregation import Prio3
from landbridge.protocols.prio3.circuit import Count
from landbridge.submission.randomising import Randomiser
from nodes.census_share import summed
from policies import odcs
from policies.contract import Noise
from policies.handler import Handler, read
from policies.measurement import measured, plan_measurement
from policies.noise import Draw, draw
from tests.attacks.worlds import BAND, OVER
from tests.audit.advantage import gaussian, judged
from tests.audit.bound import NORMAL
from tests.audit.outcome import Outcome
from tests.census.world import document as measured_document
from tests.disclosure.programme import programme
from tests.disclosure.survey import MINIMUM, survey
from tests.disclosure.test_programme import NEARLY, few, told
from tests.people import PURPOSE, TARGET, crowd, document, write
from tests.simulator import FederationSimulator, exact
from tests.submission.survey import answers, form
from tests.watch.test_trend import planned
from tests.watch.test_trend import told as told_by

CALL: Final = """@id("audit.calls") permit (principal, action, resource);"""
POOR, RICH = 50_000, 90_000
"""Both between the owner's thresholds, 40,000 and 100,000."""
TEXTS: Final = (BAND, OVER)
NUMBERS: Final = 16
"""Of a trend."""
WINDOWS: Final = 3


def bands(folder: Path, effort: int, *, threshold: str = "40000, 100000") -> Outcome:
    """Who earns more than 70,000, by handlers that say bands (83)? `effort` people are asked about.

    By id, by every listed threshold, by others, by text in the place of a number; replies and
    refusals are compared with those about two whose income the attacker knows.
    """
    chance = random.Random(effort)
    truth = [chance.random() < 0.5 for _ in range(effort)]
    rows = [*crowd(40)]
    rows += [(place, f"N{place}", *TARGET[2:5], RICH if rich else POOR, *TARGET[6:])
             for place, rich in enumerate((True, False, *truth))]  # fmt: skip
    handlers: list[Handler] = []
    for text in TEXTS:
        filled = text.format(
            name=f"h{len(handlers)}", subject="person_id", kind="integer", purpose=PURPOSE
        )
        filled = filled.replace("40000, 100000", threshold).replace(": 12\n", ": 100000\n")
        handlers.append(read(filled, "audit"))
    folder.mkdir(parents=True)
    federation = FederationSimulator(
        folder, {"north": write(rows, folder / "north.csv")}, document(), handlers=handlers,
        access=CALL, gateway_access=CALL,
    )  # fmt: skip
    calls = refused = 0

    def seen(person: int) -> list[str]:
        nonlocal calls, refused
        found = []
        for name, more in (
            ("h0", {}), ("h1", {"threshold": 40_000}), ("h1", {"threshold": 100_000}),
            ("h1", {"threshold": 70_000}), ("h1", {"threshold": 70_000.5}), ("h0", {"limit": 70}),
        ):  # fmt: skip
            calls += 1
            try:
                reply = federation.call(f"north.{name}", person_id=person, **more)
                found.append(f"{reply.code}")
            except LandbridgeError as refusal:
                refused += 1
                found.append(f"{refusal.reason} {refusal}")
        return found

    try:
        rich, poor = seen(0), seen(1)
        right = 0
        for place, truly in enumerate(truth):
            said = seen(place + 2)
            guess = said == rich if rich != poor else chance.random() < 0.5
            right += guess is truly
    finally:
        federation.close()
    return Outcome(
        "handlers: a value between the owner's thresholds", calls, refused, "declared codes",
        f"{right / effort:.2f} right (0.50; guessing 0.50)", judged(effort, right, 0.5),
    )  # fmt: skip


def reports(folder: Path, effort: int, *, epsilon: float = 1.0) -> Outcome:
    """Who smokes, by the report that the collecting department opens (0045)? One report each."""
    del folder
    column = {"customProperties": [{"property": "landbridgeRandomised",
                                    "value": {"epsilon": epsilon}}]}  # fmt: skip
    asked = form(columns={"smokes": column})
    randomiser = Randomiser(asked)
    place = [each.name for each in asked.fields].index("smokes")
    right = 0
    for number in range(effort):
        said = answers(number) | {"smokes": number % 2 == 0}
        values = [said[each.name] for each in asked.fields]
        right += randomiser.values(values)[place] is (number % 2 == 0)
    limit = math.exp(1) / (1 + math.exp(1))
    return Outcome(
        "randomised at the source: the owner reads a report", effort, effort - right,
        "randomised response", f"{right / effort:.3f} right ({limit:.3f}; guessing 0.500)",
        judged(effort, right, limit),
    )  # fmt: skip


def exact_tables(folder: Path, effort: int) -> Outcome:
    """`exact`: every level of `effort` random tables and a linear programme (24, 25, 48).

    Narrowed is a cell below the minimum that can no longer be as many different numbers as that.
    """
    del folder
    cells = narrowed = 0
    for seed in range(1_000, 1_000 + effort):
        made = survey(seed)
        attacker = programme(made.shape, told(made)[0])
        for cell in few(made):
            cells += 1
            narrowed += attacker.width(cell) < MINIMUM - NEARLY
    return Outcome(
        "exact: a linear programme over all that is shown", cells, cells - narrowed,
        "complementary suppression", f"{narrowed} of {cells} small cells narrowed (0)",
        through=narrowed > 0,
    )  # fmt: skip


def trends(folder: Path, effort: int, *, noise: Draw = draw) -> Outcome:
    """From which of two districts was the record that came at a known moment? `effort` records.

    One organisation has three trends of 16 numbers each, over windows that all hold the record, and
    knows everybody else. A number minus that of one partial sum before it is a partial sum with its
    own noise; those that hold the record are averaged, over all trends.
    """
    del folder
    plans = [planned(NUMBERS, epsilon=1.0) for _ in range(WINDOWS)]
    rho = sum(plan.cost_micro_rho for plan in plans) / 1_000_000
    limit = gaussian(rho)  # another district is two steps: one cell less, another more
    chance = random.Random(effort)
    right = 0
    for _ in range(effort):
        first, moment = chance.random() < 0.5, chance.randint(1, NUMBERS)
        held = list(_holding(moment))
        score = 0.0
        for plan in plans:
            known = [[chance.randint(0, 9) for _ in range(4)] for _ in range(NUMBERS)]
            with_it = [list(each) for each in known]
            with_it[moment - 1][0 if first else 1] += 1
            rest = [
                [seen - sure for seen, sure in zip(numbers, without, strict=True)]
                for numbers, without in zip(
                    told_by(plan, with_it, noise), told_by(plan, known, exact), strict=True
                )
            ]
            for at in held:
                before = at - (at & -at)
                partial = [
                    now - (rest[before - 1][cell] if before else 0)
                    for cell, now in enumerate(rest[at - 1])
                ]
                score += partial[0] - partial[1]
        guess = score > 0 if score else chance.random() < 0.5
        right += guess is first
    name = "trends: whose record came, over three windows"
    return _guessed(name, "Phi(sqrt(2 rho)) of the trends' budget", effort, right, limit)


def _holding(moment: int) -> Iterator[int]:
    """The evaluations whose partial sum holds what came at that one."""
    while moment <= NUMBERS:
        yield moment
        moment += moment & -moment


def two_shares(folder: Path, effort: int, *, noise: Draw = draw) -> Outcome:
    """Did one say the least or the most, where all others and one department's noise are known?

    The caller is of that department and takes its noise off: the other's alone protects.
    """
    del folder
    contract = odcs.read(measured_document(), "audit")
    measurement = measured(contract, "persons")
    assert measurement is not None
    assert contract.disclosure.noise is Noise.GAUSSIAN
    plan = plan_measurement(contract, measurement, 1_000_000)
    prio3 = Prio3(Count(), b"")
    nothing = prio3.add_up([])
    apart = plan.mechanism.sensitivity
    # The least and the most that one can say: noise is for one who says something else.
    limit = NORMAL.cdf(math.sqrt(plan.cost_micro_rho / 1_000_000 / 2))
    chance = random.Random(effort)
    right = 0
    for _ in range(effort):
        most = chance.random() < 0.5
        noisy = prio3.unshard([summed(plan, prio3, [], noise).share, nothing])[0]
        said = (apart if most else 0) + noisy
        right += (said > apart / 2) is most
    name = "census: what one said, for one department's staff"
    return _guessed(name, "Phi(sqrt(rho / 2)) of the collector's budget", effort, right, limit)


def _guessed(name: str, bound: str, effort: int, right: int, limit: float) -> Outcome:
    """So many of the guesses were right; `bound` says where the limit comes from."""
    figure = f"{right / effort:.2f} right ({limit:.2f}; guessing 0.50)"
    return Outcome(name, effort, effort - right, bound, figure, judged(effort, right, limit))

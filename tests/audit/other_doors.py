"""Advantage over guessing beside questions in SQL: handlers, reports, all tables together."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Final

from landbridge.errors import LandbridgeError
from landbridge.submission.randomising import Randomiser
from policies.handler import Handler, read
from tests.attacks.worlds import BAND, OVER
from tests.audit.advantage import judged
from tests.audit.outcome import Outcome
from tests.disclosure.programme import programme
from tests.disclosure.survey import MINIMUM, survey
from tests.disclosure.test_programme import NEARLY, few, told
from tests.people import PURPOSE, TARGET, crowd, document, write
from tests.simulator import FederationSimulator
from tests.submission.survey import answers, form

CALL: Final = """@id("audit.calls") permit (principal, action, resource);"""
POOR, RICH = 50_000, 90_000
"""Both between the owner's thresholds, 40,000 and 100,000."""
TEXTS: Final = (BAND, OVER)


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

"""An attacker's advantage over guessing, per disclosure method and trick.

A town has victims who have X1 or the flu, each as likely as the other. One organisation plays one
trick on one victim, with a budget of its own, and guesses. The share of right guesses may not
exceed what the method promises: `bound`, with where it comes from; where it promises nothing the
share is reported all the same.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from nodes import release as releasing
from nodes.history import History
from policies import protection
from policies.accounting import rho_of
from policies.cell_key import perturbation_table
from policies.contract import CellKey
from policies.contract import Method as Disclosing
from policies.disclosure import ReleasePlan
from policies.noise import Draw, draw
from policies.protection import TrueCell
from policies.suppression import Coordinates
from tests.audit import bound
from tests.audit.bound import NORMAL
from tests.audit.crossing import EVERYBODY
from tests.audit.outcome import Outcome
from tests.audit.tricks import TRICKS, Door, Town, town
from tests.disclosure import terms
from tests.people import UNPROTECTED, crowd, document, write
from tests.simulator import FederationSimulator, exact

ALARM: Final = 1e-6
"""Probability with which one trick is said to have won by luck alone."""
PREFIX: Final = "advantage, "
VICTIMS: Final = 58
"""Of one town."""
EPSILON, DELTA = 1.0, 1e-6
"""One organisation's budget."""
BUDGET: Final[Mapping[str, Any]] = {
    "landbridgeBudget": {
        "recipient": {"epsilon": EPSILON, "delta": DELTA},
        "overall": {"epsilon": 1e5, "delta": DELTA},
        "period": "never",
    },
    "landbridgeEpsilon": {"default": 0.1, "maximum": EPSILON},
}


def gaussian(rho: float) -> float:
    """Right guesses at most: X1 for the flu is two steps, so Phi(2 mu / 2), rho = mu^2 / 2."""
    return NORMAL.cdf(math.sqrt(2 * rho))


def concentrated(rho: float) -> float:
    """The same for any noise of that rho: two steps cost 4 rho, and Pinsker's inequality."""
    return (1 + math.sqrt(4 * rho / 2)) / 2


def one_cell(parameters: CellKey) -> float:
    """From one perturbed count: the total variation between it and the same plus one."""
    row = perturbation_table(parameters).rows[-1]
    apart = sum(max(0.0, chance - row.get(move - 1, 0.0)) for move, chance in row.items())
    return (1 + apart) / 2


@dataclass(frozen=True, slots=True)
class Method:
    """A disclosure method as a contract has it, and what it promises.

    `unbounded` are the tricks against which it promises nothing, see docs/disclosure.md.
    `each` is the epsilon of one of so many questions; `organisation` is the only one that may ask,
    else every game is another one's.
    """

    name: str
    document: Callable[[], bytes]
    bound: float
    source: str
    each: Callable[[int], float] = lambda _: 0.0
    unbounded: frozenset[str] = field(default_factory=frozenset)
    departments: int = 1
    organisation: str = ""


RHO = rho_of(EPSILON, DELTA)
HALF = rho_of(EPSILON, DELTA / 2)


def _gaussian(rho: float) -> Callable[[int], float]:
    """The epsilon at which so many questions just spend that rho."""

    def each(questions: int) -> float:
        part = rho / questions * 0.97
        return max(0.01, part + 2 * math.sqrt(part * math.log(1 / DELTA)) - 1e-4)

    return each


def _laplace() -> bytes:
    largest = {"default": 0.05, "maximum": math.floor(1_000 * math.sqrt(2 * RHO)) / 1_000}
    return document(**{**BUDGET, "landbridgeNoise": "laplace", "landbridgeEpsilon": largest})


ALL: Final = frozenset(TRICKS)
METHODS: Final = (
    Method("dp, Gaussian", lambda: document(**BUDGET), gaussian(RHO),
           "Phi(sqrt(2 rho)) of the organisation's budget, epsilon 1", _gaussian(RHO)),
    Method("dp, Laplace", _laplace, concentrated(RHO),
           "(1 + sqrt(2 rho)) / 2 of the same budget",
           lambda questions: math.sqrt(2 * RHO / questions * 0.97) - 1e-4),
    Method("dp, values found in the data", lambda: document(found=["diagnosis"], **BUDGET),
           gaussian(HALF) + DELTA, "the same at half of delta, and delta", _gaussian(HALF)),
    Method("dp, pooled by three", lambda: document(**BUDGET, landbridgePooling={"minimum": 3}),
           gaussian(RHO), "as dp: each owner's ledger takes the bound of noise that many make",
           _gaussian(RHO / 1.6), departments=3),
    Method("cell_key", terms.cell_key, one_cell(CellKey(5, 3.0, 2)),
           "one cell's perturbation (D 5, V 3); not several cells about one person",
           unbounded=frozenset({"differencing", "trackers", "least squares", "last bits"})),
    Method("exact", terms.exact, 0.5, "nothing of cells below the minimum, for one without "
           "outside knowledge", unbounded=frozenset({"least squares", "last bits"}),
           organisation="university"),
    Method("unprotected", lambda: document(**UNPROTECTED), 1.0,
           "nothing is promised: tables that describe nobody", unbounded=ALL),
)  # fmt: skip


def advantage(
    name: str, games: int, seed: int, folder: Path, *, method: Method, noise: Draw = draw,
    tricks: Sequence[str] = tuple(TRICKS), alarm: float = ALARM, bound_by: Method | None = None,
) -> Iterator[Outcome]:  # fmt: skip
    """One outcome a trick, `games` guesses each; `bound_by` judges by another method's promise."""
    del name  # of a piece: outcomes are named by method and trick
    promised = bound_by or method
    right = dict.fromkeys(tricks, 0)
    asked = dict.fromkeys(tricks, 0)
    refused = dict.fromkeys(tricks, 0)
    for place, first in enumerate(range(0, games, VICTIMS)):
        made = town(seed * 1_000 + place, min(VICTIMS, games - first), crowd(240))
        federation = opened(folder / str(place), method, made, noise)
        coin = random.Random(seed * 1_000 + place)
        try:
            for number, victim in enumerate(made.victims):
                for trick in tricks:
                    who = method.organisation or f"o{number}{trick}".replace(" ", "")
                    token = federation.token(organisation=who)
                    keyed = method.name == "cell_key"
                    door = Door(federation, token, method.each, made, coin, keyed)
                    score = TRICKS[trick](door, victim)
                    guess = score > 0 if score else coin.random() < 0.5
                    right[trick] += guess is victim.rare
                    asked[trick] += door.asked
                    refused[trick] += door.refused
        finally:
            federation.close()
    for trick in tricks:
        won = judged(games, right[trick], promised.bound, alarm)
        yield Outcome(
            f"{PREFIX}{method.name}: {trick}", games, games - right[trick],
            "not promised" if trick in promised.unbounded else promised.source,
            f"{right[trick] / games:.2f} right ({promised.bound:.2f}; guessing 0.50)",
            won and trick not in promised.unbounded,
            {"right": right[trick], "questions": asked[trick], "refused": refused[trick]},
        )  # fmt: skip


def opened(folder: Path, method: Method, made: Town, noise: Draw = draw) -> FederationSimulator:
    """The town's department, and others beside it where the method wants several."""
    folder.mkdir(parents=True)
    files = {"north": write(made.rows, folder / "north.csv")}
    for number in range(1, method.departments):
        name = f"other{number}"
        files[name] = write(crowd(120, seed=100 + number), folder / f"{name}.csv")
    return FederationSimulator(
        folder, files, method.document(), draw=noise, access=EVERYBODY, gateway_access=EVERYBODY
    )


@contextmanager
def unprotected_cells() -> Iterator[None]:
    """A weakened build: `cell_key` and `exact` tell every number, and any filters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(releasing, "protect", _as_they_are)
        patch.setattr(History, "admit", lambda *_: None)
        yield


def _as_they_are(plan: ReleasePlan, cells: Mapping[Coordinates, TrueCell]) -> list[list[int]]:
    exactly = plan.terms.method is Disclosing.EXACT
    places = protection._asked(plan) if exactly else protection._places([*map(len, plan.axes)])
    return [
        [cells[place].parts[measure].value if place in cells else 0 for place in places]
        for measure in range(len(plan.mechanisms))
    ]


def weakened(games: int, seed: int, folder: Path, *, method: Method) -> Outcome:
    """The same programme against a build that has lost its protection; one trick is enough."""
    (found,) = _weakened(games, seed, folder, method)
    return found


def _weakened(games: int, seed: int, folder: Path, method: Method) -> Iterator[Outcome]:
    more: dict[str, Any] = {"method": method, "tricks": ("averaging",), "alarm": 1e-3}
    if method.name in ("cell_key", "exact"):
        with unprotected_cells():
            yield from advantage("", games, seed, folder, **more)
    else:
        yield from advantage("", games, seed, folder, noise=exact, **more)


def matrix(rows: Iterable[Outcome]) -> str:
    """The share of right guesses, methods by tricks, as a table of Markdown; empty for no rows."""
    by_name = {row.name: row for row in rows}
    lines = []
    for method in METHODS:
        cells = []
        for trick in TRICKS:
            row = by_name.get(f"{PREFIX}{method.name}: {trick}")
            share = f"{row.counts['right'] / row.tried:.2f}" if row else "-"
            if row and row.through:
                share = f"**{share}**"
            cells.append(f"({share})" if trick in method.unbounded else share)
        if any(each.strip("()") != "-" for each in cells):
            own = f"{PREFIX}{method.name}: "
            tried = max(row.tried for name, row in by_name.items() if name.startswith(own))
            lines.append(f"| {method.name} | {tried} | {' | '.join(cells)} | {method.bound:.2f} | "
                         f"{method.source} |")  # fmt: skip
    if not lines:
        return ""
    head = f"| method | guesses a trick | {' | '.join(TRICKS)} | at most | by |"
    return "\n".join((head, "|---" * (len(TRICKS) + 4) + "|", *lines))


def judged(games: int, right: int, limit: float, alarm: float = ALARM) -> bool:
    """Whether so many right guesses are more than `limit` allows, but for luck."""
    return 1 - bound.upper(games - right, games, alarm) > limit

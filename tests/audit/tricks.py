"""What an attacker does who wants one column of one person: every trick is a function.

Each asks through a `Door` and gives a number: above 0 the victim has X1, below 0 the flu, 0 says
nothing. The attacker knows everything else about everybody, the other victims' diagnoses included.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from landbridge.errors import LandbridgeError
from tests.audit.crossing import visible
from tests.people import DISTRICTS, Row
from tests.simulator import FederationSimulator

COUNT: Final = "SELECT count(*) FROM people WHERE diagnosis='X1'"
TURNS: Final = 6
"""How often a trick is repeated in other words, or over other people."""


@dataclass(frozen=True, slots=True)
class Victim:
    """The only one in D7 with that sex and age."""

    age: int
    income: int
    rare: bool

    @property
    def where(self) -> str:
        """Selects nobody else."""
        return f"district='D7' AND age={self.age} AND sex='F'"


@dataclass(frozen=True, slots=True)
class Town:
    """Victims and everybody else."""

    rows: Sequence[Row]
    victims: Sequence[Victim]
    accomplices: tuple[Victim, Victim]
    """One with X1, one with the flu, who tell the attacker so."""

    def known(self, low: int, high: int, victim: Victim) -> list[Row]:
        """Women of D7 of these ages who have X1, but for the victim."""
        return [
            row for row in self.rows
            if row[2] == "D7" and row[4] == "F" and low <= row[3] <= high
            and row[6] == "X1" and row[3] != victim.age
        ]  # fmt: skip


def town(seed: int, victims: int, others: Sequence[Row]) -> Town:
    """Up to 58 victims, half of them with X1 by chance; nobody else is a woman of D7."""
    chance = random.Random(seed)
    everybody = [
        Victim(20 + place, 20_000 + 1_777 * place, chance.random() < 0.5)
        for place in range(2, victims + 2)
    ]
    accomplices = Victim(20, 31_000, rare=True), Victim(21, 33_000, rare=False)
    rows: list[Row] = [
        (*row[:4], "M" if row[2] == "D7" else row[4], row[5],
         chance.choice((None, "flu", "cold", "X1")), *row[7:])
        for row in others
    ]  # fmt: skip
    rows += [
        (place, f"Victim {place}", "D7", each.age, "F", each.income, "X1" if each.rare else "flu",
         1.7, True, None)
        for place, each in enumerate((*accomplices, *everybody))
    ]  # fmt: skip
    chance.shuffle(rows)
    return Town(rows, everybody, accomplices)


@dataclass
class Door:
    """How one organisation asks; what it sees beside the numbers is kept, numbers masked.

    `epsilon` says what each of so many questions may cost. `keyed`: the same records show the same
    number, as the attacker knows.
    """

    federation: FederationSimulator
    token: str
    epsilon: Callable[[int], float]
    town: Town
    chance: random.Random
    keyed: bool = False
    asked: int = 0
    refused: int = 0
    seen: list[str] = field(default_factory=list)

    def rows(self, sql: str, of: int) -> list[tuple[Any, ...]] | None:
        """One of `of` questions; None where it was refused."""
        self.asked += 1
        before = sum(node.runs for node in self.federation.nodes.values())
        try:
            answer = self.federation.query(sql, epsilon=self.epsilon(of), token=self.token)
        except LandbridgeError as refusal:
            self.refused += 1
            self.seen.append(f"{type(refusal).__name__} {refusal.reason} {refusal}")
            return None
        after = sum(node.runs for node in self.federation.nodes.values())
        holes = [[cell is None for cell in row] for row in answer.rows()]
        self.seen.append(f"{visible(answer)} {holes} {after - before} statements")
        return answer.rows()

    def number(self, sql: str, of: int) -> float | None:
        """The one number of one of `of` questions; None where it was refused or withheld."""
        found = self.rows(sql, of)
        value = found[0][-1] if found else None
        return float(value) if isinstance(value, int | float) else None


Trick = Callable[[Door, Victim], float]


def _mean(found: Sequence[float | None], centre: float) -> float:
    told = [each for each in found if each is not None]
    return sum(told) / len(told) - centre if told else 0.0


def _difference(door: Door, found: Sequence[float | None]) -> float:
    """Where numbers are keyed, one that changes says that somebody left its cell."""
    if door.keyed and any(found):
        return 1.0
    return _mean(found, 0.5)


def averaging(door: Door, victim: Victim) -> float:
    """The victim alone, in other words and under conditions that change nothing (2, 45, 50)."""
    neutral = [f"age <> {1_000 + turn}" for turn in range(TURNS // 2)]
    neutral += [f"NOT (age = {2_000 + turn})" for turn in range(TURNS - len(neutral))]
    asked = [f"{COUNT} AND {victim.where} AND {each}" for each in neutral]
    return _mean([door.number(sql, TURNS) for sql in asked], 0.5)


def _less(door: Door, of: Callable[[int], str], victim: str) -> float:
    """Turn after turn, those who are counted `of` it, minus the same without the victim."""
    found = []
    for turn in range(TURNS // 2):
        whole = door.number(f"{COUNT} AND {of(turn)}", TURNS)
        rest = door.number(f"{COUNT} AND {of(turn)} AND NOT ({victim})", TURNS)
        found.append(None if whole is None or rest is None else whole - rest)
    return _difference(door, found)


def differencing(door: Door, victim: Victim) -> float:
    """Everybody, minus everybody but the victim (3)."""
    return _less(door, lambda turn: f"age <> {1_000 + turn}", victim.where)


def trackers(door: Door, victim: Victim) -> float:
    """All women, minus the women who are not of that age in D7 (4); padded by other districts."""
    return _less(
        door,
        lambda turn: f"(sex='F' OR district='{DISTRICTS[turn % 3]}')",
        f"district='D7' AND age={victim.age}",
    )


def least_squares(door: Door, victim: Victim) -> float:
    """Overlapping subsets with the victim in each, less what is known of the others (48)."""
    found: list[float | None] = []
    for _ in range(TURNS):
        low, high = (victim.age + sign * door.chance.randint(2, 30) for sign in (-1, 1))
        number = door.number(
            f"{COUNT} AND district='D7' AND sex='F' AND age BETWEEN {low} AND {high}", TURNS
        )
        known = len(door.town.known(low, high, victim))
        found.append(None if number is None else number - known)
    return _mean(found, 0.5)


def last_bits(door: Door, victim: Victim) -> float:
    """Of sums: the residue that they would have with and without the victim's income (31, 44)."""
    low, high = victim.age - 3, victim.age + 3
    known = sum(row[5] for row in door.town.known(low, high, victim))
    votes = 0.0
    for turn in range(TURNS):
        number = door.number(
            "SELECT sum(income) FROM people WHERE diagnosis='X1' AND district='D7' AND sex='F' "
            f"AND age BETWEEN {low} AND {high} AND age <> {1_000 + turn}", TURNS,
        )  # fmt: skip
        if number is None:
            continue
        for base in (2, 1024):
            with_, without = ((number - each) % base for each in (known + victim.income, known))
            votes += (with_ == 0) - (without == 0)
        votes += 1e-3 if abs(number - known - victim.income) < abs(number - known) else -1e-3
    return votes


def quantiles(door: Door, victim: Victim) -> float:
    """The median of one person is that person's (29)."""
    found = [
        door.number(
            f"SELECT median(income) FROM people WHERE diagnosis='X1' AND {victim.where} "
            f"AND age <> {1_000 + turn}", TURNS,
        )
        for turn in range(TURNS)
    ]  # fmt: skip
    near = [abs(each - victim.income) < 5_000 for each in found if each is not None]
    return sum(near) - len(near) / 2


def order_and_keys(door: Door, victim: Victim) -> float:
    """Which groups there are, in which order, which of two is larger (21)."""
    votes = 0.0
    for turn in range(TURNS):
        rows = door.rows(
            f"SELECT diagnosis, count(*) AS n FROM people WHERE {victim.where} "
            f"AND age <> {1_000 + turn} GROUP BY diagnosis", TURNS,
        )  # fmt: skip
        if rows is None:
            continue
        places = {row[0]: place for place, row in enumerate(rows)}
        votes += 10.0 * (("X1" in places) - ("flu" in places))
        sizes = {row[0]: row[1] for row in rows if isinstance(row[1], int | float)}
        votes += sizes.get("X1", 0) - sizes.get("flu", 0)
    return votes


BATTERY: Final = (
    "SELECT count(*) FROM people WHERE {who} AND diagnosis='X1'",
    "SELECT count(*) FROM people WHERE {who} AND diagnosis='X1'",
    "SELECT avg(income), count(income) FROM people WHERE {who} AND diagnosis='X1'",
    "SELECT sex, stddev(income) FROM people WHERE {who} AND diagnosis='X1' GROUP BY sex",
    "SELECT diagnosis, sum(age) FROM people WHERE {who} GROUP BY diagnosis ORDER BY 1 DESC",
    "SELECT count(*) FROM people WHERE {who} HAVING count(*) > 0",
    "SELECT count(*) FROM people WHERE {who} AND diagnosis='X1' AND 1 // (age - {age}) > 0",
    "SELECT max(income) FROM people WHERE {who} AND diagnosis='X1'",
    "SELECT count(*) FROM people WHERE {who} AND diagnosis::INT = 1",
    "SELECT sum(income + income) FROM people WHERE {who} AND diagnosis='X1'",
)
"""The second is remembered; the last ones are refused."""


def side_channels(door: Door, victim: Victim) -> float:
    """Refusals, notes, charges, shapes, the memory, how much an engine ran (54, 55, 56, 63).

    Compared with what is seen when the same is asked about two who told the attacker.
    """
    seen = []
    for each in (victim, *door.town.accomplices):
        begin = len(door.seen)
        for text in BATTERY:
            door.rows(text.format(who=each.where, age=each.age), 3 * len(BATTERY))
        seen.append(door.seen[begin:])
    # What is spent grows from one to the next whoever is asked about; `visible` leaves it out. In
    # numbers of two digits no place in a text is another one.
    own, rare, mild = seen
    return float(sum((a == b) - (a == c) for a, b, c in zip(own, rare, mild, strict=True)))


TRICKS: Mapping[str, Trick] = {
    "averaging": averaging,
    "differencing": differencing,
    "trackers": trackers,
    "least squares": least_squares,
    "last bits": last_bits,
    "quantiles": quantiles,
    "order and keys": order_and_keys,
    "side channels": side_channels,
}

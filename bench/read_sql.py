"""`read_sql`: five lines of SQL become a typed question, for the first time and remembered."""

from __future__ import annotations

import time
from statistics import median
from typing import Final

import sqlglot

from bench.crowd import contract_of
from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds
from gateway.catalogue import Catalogue, Offer, catalogue
from gateway.planning import Planning
from landbridge.levels import Level
from policies.access import AccessPolicy

SQL: Final = """SELECT district, count(*) AS people, avg(income) AS income
FROM people
WHERE age BETWEEN 18 AND 64 AND income < 150000
GROUP BY district
ORDER BY people DESC"""
ROUNDS: Final = 300
CLEARANCE: Final = Level.OPEN


def measure(say: Say) -> Row:
    """Milliseconds from the text to the typed question and its presentation."""
    say(f"reading {SQL.count(chr(10)) + 1} lines {ROUNDS} times")
    known = one_department()
    planning = planning_alone()

    def reading(by: Planning) -> float:
        return 1e3 * seconds(lambda: by._read(SQL, CLEARANCE, known))

    cold, remembered, floor = in_turn(
        lambda: reading(planning_alone()),
        lambda: reading(planning),
        lambda: 1e3 * seconds(lambda: sqlglot.parse(SQL, read="duckdb")),
        rounds=ROUNDS,
        warm_up=20,
    )
    return Row.of(
        "read_sql",
        cold,
        floor,
        better="lower",
        aim=Aim("value", 2),
        note="milliseconds; five lines of SQL with WHERE, GROUP BY and ORDER BY, tokenised, "
        "checked, parsed, and read into the closed algebra by a contract; the same text again "
        f"takes {1e3 * median(remembered):.1f} microseconds; floor: sqlglot's parse alone, which "
        "checks nothing",
    )


def one_department() -> Catalogue:
    """A catalogue in which `ewr` serves the crowd's table."""
    contract = contract_of(1)
    offer = Offer("ewr", "EWR", {contract.id: contract}, {}, "")
    return catalogue(("ewr",), {"ewr": (contract.id,)}, {"ewr": offer})


def planning_alone() -> Planning:
    """One that has read nothing yet; step (2) comes before its access policy has a say."""
    access = AccessPolicy.load("", "the benchmark", contracts=("people",), handlers=())
    return Planning(access, time.time)

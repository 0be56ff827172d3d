"""`decision`: one access decision on a question and its columns, by Cedar and remembered."""

from __future__ import annotations

from statistics import median
from typing import Final

import cedarpy

from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds
from landbridge.levels import Level
from policies.access import AccessPolicy, Request
from policies.moment import Moment

OFFICES: Final = 20
COLUMNS: Final = ("age", "district", "height", "sex")
ROUNDS: Final = 500
BURST: Final = 200
"""Remembered decisions per sample: one alone is shorter than a clock can tell."""


def policy() -> AccessPolicy:
    """Twenty offices' permits, a forbid and two of columns, as a department of some size has."""
    permits = "\n".join(
        f'@id("office.{number}") permit (principal in Organisation::"office-{number}", '
        'action == Action::"query", resource == Contract::"people") '
        f'when {{ context.purpose == "purpose-{number}" }};'
        for number in range(OFFICES)
    )
    forbid = (
        '@id("clearance") forbid (principal, action, resource) '
        "unless { context.level <= principal.clearance };"
    )
    columns = (
        '@id("no-name") forbid (principal, action, resource == Column::"people.name"); '
        '@id("income") forbid (principal, action, resource == Column::"people.income") '
        'unless { principal in Organisation::"office-3" };'
    )
    return AccessPolicy.load(
        f"{permits}\n{forbid}\n{columns}",
        "the benchmark",
        contracts={"people"},
        handlers=(),
        columns={f"people.{name}" for name in ("name", "income", *COLUMNS)},
    )


def asked(number: int) -> Request:
    """A caller's request of four columns; each number is another person."""
    return Request(
        f"person-{number}", "office-7", Level.INTERNAL, "query", "contract", "people", "purpose-7",
        Level.OPEN, Moment(20261127, 12, 5),
        columns=tuple((name, Level.OPEN) for name in COLUMNS),
    )  # fmt: skip


def measure(say: Say) -> Row:
    """Microseconds for a decision that nobody asked for before."""
    say(f"deciding {ROUNDS} requests by {OFFICES + 3} policies, and {BURST} times again each")
    decided, numbers = policy(), iter(range(10_000_000))
    bare = cedarpy.PolicySet.from_str("permit (principal, action, resource);")
    entities = cedarpy.Entities.from_json_str("[]")
    plain = {
        "principal": {"type": "Caller", "id": "a"},
        "action": {"type": "Action", "id": "query"},
        "resource": {"type": "Contract", "id": "people"},
        "context": {},
    }
    again = asked(-1)

    def cold() -> float:
        request = asked(next(numbers))
        return 1e6 * seconds(lambda: decided.decide(request))

    def remembered() -> float:
        def burst() -> None:
            for _ in range(BURST):
                decided.decide(again)

        return 1e6 * seconds(burst) / BURST

    def floor() -> float:
        return 1e6 * seconds(lambda: cedarpy.is_authorized(plain, bare, entities))

    first, known, beside = in_turn(cold, remembered, floor, rounds=ROUNDS, warm_up=20)
    if not decided.decide(again).permitted:
        raise AssertionError("The benchmark's own policy refuses its caller.")
    return Row.of(
        "decision",
        first,
        beside,
        better="lower",
        aim=Aim("value", 250),
        note=f"microseconds; a question of four columns by {OFFICES + 3} policies with the schema, "
        "two of them about columns, evaluated by "
        f"Cedar; the same request again takes {median(known):.1f} (aim: under 10); floor: Cedar "
        "with one policy that permits everything, and no schema",
    )

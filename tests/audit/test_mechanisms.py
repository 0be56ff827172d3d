"""Thousands of releases in two neighbouring worlds: nobody loses more than was claimed.

Every audit accuses an honest mechanism with a probability of at most 10^-6 (`distinguisher.ALARM`);
there are about thirty, so one run of the file in 30,000 may fail without cause. The noise is the
operating system's: there is no seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from policies.contract import Bounds, Contract, Noise
from policies.noise import Draw
from tests.audit.mechanisms import SCENARIOS, Prepared, Scenario, Worlds, prepare
from tests.audit.spoilt import CONTROLS, halved, named

RUNS = 120
CAUGHT = 600


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """All worlds of the file."""
    made = Worlds(tmp_path_factory.mktemp("worlds"))
    yield made
    made.close()


@pytest.mark.parametrize("noise", list(Noise))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_more_is_lost_than_claimed(scenario: Scenario, noise: Noise, worlds: Worlds) -> None:
    """By exact arithmetic over noise as planned, and by what an attacker measures."""
    prepared = prepare(scenario.under(noise), worlds)
    assert 0 < prepared.known.loss <= prepared.claim.loss * (1 + 1e-9)
    found = prepared.audited(scenario.runs(RUNS))
    assert not found.broken, f"{found} by {found.statistic}"


@pytest.mark.parametrize(
    "name", ["count, more rows than are counted", "sum, clamped", "distinct units in several cells"]
)
@pytest.mark.parametrize("noise", list(Noise))
def test_the_planted_person_is_the_worst_case(name: str, noise: Noise, worlds: Worlds) -> None:
    """An audit of somebody harmless would prove nothing: these lose all that is claimed."""
    prepared = prepare(named(name).under(noise), worlds)
    assert prepared.known.loss == pytest.approx(prepared.claim.loss, rel=1e-6)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control[0])
def test_spoilt_noise_is_caught(
    control: tuple[str, Scenario, Noise, Draw, int], worlds: Worlds
) -> None:
    """Positive control: the same harness convicts a mechanism that is not as promised.

    With as many runs it acquits the node's own noise.
    """
    _, scenario, noise, spoilt, runs = control
    prepared = prepare(scenario.under(noise), worlds)
    assert prepared.audited(runs, spoilt).broken
    if spoilt is halved:
        assert not prepared.audited(runs).broken


def _forgetful(scenario: Scenario, worlds: Worlds, what: str) -> Prepared:
    owners = scenario.contract()
    wide = replace(owners.disclosure, rows_per_unit=1_000)
    alone = replace(owners.disclosure, units_span=1)
    unclamped = tuple(
        replace(c, clip=Bounds(0, 10_000_000)) if c.name == "income" else c for c in owners.columns
    )
    forgotten: dict[str, dict[str, Contract]] = {
        "clamp": {"compile_by": replace(owners, columns=unclamped)},
        "rows per unit": {"compile_by": replace(owners, disclosure=wide)},
        "departments of one unit": {"plan_by": replace(owners, disclosure=alone)},
    }
    return prepare(scenario, worlds, **forgotten[what])


@pytest.mark.parametrize(
    ("what", "scenario"),
    [
        ("clamp", named("sum, clamped")),
        (
            "rows per unit",
            replace(
                named("count, more rows than are counted"), changes={"landbridgeRowsPerUnit": 2}
            ),
        ),
        (
            "departments of one unit",
            replace(
                named("two departments, one person in both"),
                sql="SELECT sum(income) FROM people",
                changes={"landbridgeUnitsSpan": 4},
                departments=4,
            ),
        ),
    ],
)
def test_a_forgotten_bound_is_caught(what: str, scenario: Scenario, worlds: Worlds) -> None:
    """Positive control: a node that forgets one of the bounds, with its noise as planned."""
    assert _forgetful(scenario, worlds, what).audited(CAUGHT).broken

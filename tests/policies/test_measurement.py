"""What an owner can write under `landbridgeMeasurements`, and what follows from it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from policies import odcs
from policies.contract import Measurement, Noise
from policies.measurement import chunk_of, kind_of, measured, plan_measurement
from policies.odcs import ContractInvalid
from tests.census.world import HEATING, document, measurements

GOOD = {"column": "persons", "owner": "registry", "with": "statistics", "minimum": 10, "each": 1}


def test_the_measurements_of_a_contract_are_read() -> None:
    """Column, both departments, the smallest batch, and how often one caller hands in."""
    contract = odcs.read(document([GOOD]), "test")
    assert contract.measurements == (Measurement("persons", "registry", "statistics", 10, 1),)
    assert measured(contract, "heating") is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"column": "household_id"}, "not be sealed"),
        ({"column": "note"}, "must be a boolean"),
        ({"column": "nothing"}, "must be a column of this contract"),
        ({"with": "registry"}, "must be another department than the owner"),
        ({"with": "No Office"}, "must be a department's name"),
        ({"minimum": 9}, "from 10 to 100000"),
        ({"each": -1}, "from 0 to"),
        ({"each": None}, "is missing"),
        ({"owner": None}, "one of the two departments collects"),
        ({"secret": 1}, "is not read here"),
    ],
)
def test_what_cannot_be_meant_is_told_at_its_place(change: dict[str, Any], sentence: str) -> None:
    """A contract with it is not served at all."""
    with pytest.raises(ContractInvalid) as found:
        odcs.read(document([GOOD | change]), "test")
    assert any(sentence in each for each in found.value.problems), found.value.problems
    assert all("landbridgeMeasurements" in each for each in found.value.problems)


def test_one_column_is_measured_once_and_exact_tables_are_not() -> None:
    """Two measurements of a column would be two answers about the same people."""
    with pytest.raises(ContractInvalid, match="measured by an earlier entry"):
        odcs.read(document([GOOD, GOOD]), "test")
    exact = document(
        [GOOD],
        landbridgeMethod="cell_key",
        landbridgeRowsPerUnit=None,
        landbridgeBudget=None,
        landbridgeEpsilon=None,
    )
    with pytest.raises(ContractInvalid, match="only contracts by the method dp are measured"):
        odcs.read(exact, "test")


@pytest.mark.parametrize(
    ("column", "kind", "cells", "gaussian", "laplace"),
    [
        ("persons", "sum", 1, 8.0, 8.0),
        ("heating", "histogram", 3, math.sqrt(2), 2.0),
        ("lift", "count", 1, 1.0, 1.0),
    ],
)
def test_the_noise_is_for_one_unit_that_says_something_else(
    column: str, kind: str, cells: int, gaussian: float, laplace: float
) -> None:
    """A number moves by its range, a vote by leaving one bucket and entering another."""
    for noise, wanted in ((Noise.GAUSSIAN, gaussian), (Noise.LAPLACE, laplace)):
        pays = 4 if noise is Noise.LAPLACE else 1
        contract = odcs.read(
            document(
                measurements(),
                landbridgeNoise=noise.value,
                landbridgeRowsPerUnit=1,
                landbridgeBudget={
                    "recipient": {"epsilon": 8 * pays, "delta": 1e-6},
                    "overall": {"epsilon": 12 * pays, "delta": 1e-6},
                    "period": "year",
                },
            ),
            "test",
        )
        measurement = measured(contract, column)
        assert measurement is not None
        plan = plan_measurement(contract, measurement, 1_000_000)
        assert (plan.kind, plan.cells) == (kind, cells)
        assert plan.mechanism.sensitivity == pytest.approx(wanted)
        scale = plan.mechanism.scale
        if noise is Noise.LAPLACE:
            assert scale == pytest.approx(wanted)  # epsilon is 1
        else:
            rho = plan.cost_micro_rho / 1e6
            assert (wanted / scale) ** 2 / 2 <= rho * (1 + 1e-9)
    assert kind_of(contract.by_name["note"]) is None
    assert [chunk_of(n) for n in (1, 3, 4, 100)] == [1, 1, 2, 10]
    assert len(HEATING) == 3

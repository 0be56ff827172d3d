"""Deltas add up to what the contract says, whatever is asked, without being counted."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from nodes.ledger import Ledger, Reservation
from policies.accounting import epsilon_of, limit, selection_delta
from policies.contract import Allowance, Contract, Noise
from policies.disclosure import plan_release
from policies.odcs import ContractInvalid
from tests.people import UNPROTECTED
from tests.selection.contracts import BY_DIAGNOSIS, found, planned

epsilons = st.floats(0.05, 30)
allowed = st.builds(Allowance, epsilons, st.floats(1e-12, 1e-3), st.just(True))
charges = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), max_size=60)


@given(allowed, allowed, charges)
def test_no_sequence_of_admitted_charges_uses_more_than_half_of_delta(
    recipient: Allowance, overall: Allowance, asked: list[tuple[str, float]]
) -> None:
    """For each recipient and for all together, in exact arithmetic over what was computed."""
    limits = limit(recipient), limit(overall)
    spent: dict[str, int] = defaultdict(int)
    used: dict[str, Fraction] = defaultdict(Fraction)
    for who, share in asked:
        charge = max(1, round(share * limits[0]))
        if spent[who] + charge > limits[0] or sum(spent.values()) + charge > limits[1]:
            continue  # the ledger refuses it
        spent[who] += charge
        used[who] += Fraction(selection_delta(charge, (recipient, overall)))
    assert all(each <= Fraction(recipient.delta) / 2 for each in used.values())
    assert sum(used.values(), Fraction()) <= Fraction(overall.delta) / 2


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    asked=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.01, 4)), min_size=1, max_size=40)
)
def test_what_the_ledger_admits_keeps_to_the_whole_delta(
    asked: list[tuple[str, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Through plans and the ledger itself: (epsilon, delta) holds for what was admitted."""
    contract = found()
    terms = contract.disclosure
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.sqlite", lambda: 0.0)
    used: dict[str, Fraction] = defaultdict(Fraction)
    for number, (who, epsilon) in enumerate(asked):
        plan = plan_release(BY_DIAGNOSIS, contract, round(epsilon * 1e6), 1)
        assert plan.selection is not None
        key = str(number).encode()
        try:
            reserved = ledger.reserve(f"{number:032x}", key, contract, who, plan.cost_micro_rho)
        except LandbridgeError as refused:
            assert refused.reason == "BUDGET_EXHAUSTED"  # noqa: PT017 - either is right
            continue
        assert isinstance(reserved, Reservation)
        used[who] += Fraction(plan.selection.delta)
    for who in "ab":
        own, overall = ledger.accounts(contract, who)
        for account, allowance, delta in (
            (own, terms.recipient, used[who]),
            (overall, terms.overall, sum(used.values(), Fraction())),
        ):
            half = allowance.delta / 2
            assert delta <= Fraction(half)
            assert epsilon_of(account.spent / 1e6, half) <= allowance.epsilon * (1 + 1e-6)
            assert account.delta == allowance.delta  # what is shown is the whole
    ledger.close()


@pytest.mark.parametrize("noise", list(Noise))
@settings(deadline=None)  # contracts are read on the way
@given(
    rows=st.integers(1, 50), span=st.integers(1, 5), epsilon=st.floats(0.02, 4),
    measures=st.integers(1, 3),
)  # fmt: skip
def test_selection_is_one_more_measure_of_the_even_split(
    noise: Noise, rows: int, span: int, epsilon: float, measures: int
) -> None:
    """Over selection, measures and departments a unit loses no more than is charged."""
    contract = _span(noise.value, rows, span)
    question = BY_DIAGNOSIS
    if measures > 1:
        from dataclasses import replace

        from policies.question import ColumnOf, Sum, Units

        more = (Sum(ColumnOf("age")), Units())[: measures - 1]
        question = replace(question, measures=(*question.measures, *more))
    plan = plan_release(question, contract, round(epsilon * 1e6), 1)
    assert plan.selection is not None
    parts = (*plan.mechanisms, plan.selection.mechanism)
    if noise is Noise.LAPLACE:
        assert sum(m.sensitivity / m.scale for m in parts) * span <= plan.epsilon * (1 + 1e-9)
    else:
        lost = sum((m.sensitivity / m.scale) ** 2 / 2 for m in parts) * span
        assert lost * 1e6 <= plan.cost_micro_rho * (1 + 1e-9)
    whole = selection_delta(
        plan.cost_micro_rho, (contract.disclosure.recipient, contract.disclosure.overall)
    )
    assert plan.selection.delta * span <= whole * (1 + 1e-12)
    assert plan.selection.votes == min(rows, 16)


_CONTRACTS: dict[tuple[Any, ...], Contract] = {}


def _span(noise: str, rows: int, span: int) -> Contract:
    key = (noise, rows, span)
    if key not in _CONTRACTS:
        _CONTRACTS[key] = found(
            landbridgeNoise=noise, landbridgeRowsPerUnit=rows, landbridgeUnitsSpan=span
        )
    return _CONTRACTS[key]


def test_the_other_half_converts_and_the_whole_is_shown() -> None:
    """A contract that opts in pays for it with a slightly smaller rho, whatever is asked."""
    plain, opted = found("sex", "diagnosis"), found()
    assert plain.disclosure.recipient == opted.disclosure.recipient
    assert opted.disclosure.recipient.converting == 5e-7
    plan, rule = planned(opted)
    assert plan.delta == 1e-6
    assert rule.delta < 5e-7


def test_a_laplace_epsilon_that_no_budget_pays_is_refused_by_the_reader() -> None:
    """It would be refused on every day of every period: the owner is told, not each caller."""
    terms = {
        "landbridgeNoise": "laplace",
        "landbridgeBudget": {
            "recipient": {"epsilon": 8, "delta": 1e-6},
            "overall": {"epsilon": 12, "delta": 1e-6},
            "period": "year",
        },
    }
    with pytest.raises(ContractInvalid, match=r"pays for an epsilon of at most 1\.322"):
        found(**terms, landbridgeEpsilon={"default": 1.0, "maximum": 2.0})
    best = found(**terms, landbridgeEpsilon={"default": 1.0, "maximum": 1.322})
    assert planned(best)[0].cost_micro_rho <= limit(best.disclosure.recipient)


def test_only_differential_privacy_finds_values() -> None:
    """By cell keys or exactly, showing a value would be showing whoever has it."""
    without = dict.fromkeys(
        ("landbridgeRowsPerUnit", "landbridgeNoise", "landbridgeBudget", "landbridgeEpsilon")
    )
    key: dict[str, Any] = {"landbridgeCellKey": {"D": 5, "V": 3.0, "js": 2}}
    for terms in (
        {**without, "landbridgeMethod": "cell_key", "landbridgeMinimumUnits": 5, **key},
        {**without, "landbridgeMethod": "exact", "landbridgeMinimumUnits": 5,
         "landbridgeExactFor": ["university"]},
        UNPROTECTED,
    ):  # fmt: skip
        with pytest.raises(ContractInvalid, match="must be dp where the values of a string column"):
            found(**terms)
    with pytest.raises(ContractInvalid, match="deltas of at least 1e-100"):
        tiny = {"epsilon": 8, "delta": 1e-120}
        found(landbridgeBudget={"recipient": tiny, "overall": tiny, "period": "year"})

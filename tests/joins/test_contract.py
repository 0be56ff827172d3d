"""What a join allows is what all of its owners' terms allow, decided from the contracts alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import InvalidQuestion
from landbridge.levels import Level
from policies import odcs
from policies.accounting import limit
from policies.canonical import canonical, text
from policies.contract import Allowance, Contract
from policies.disclosure import plan_release
from policies.joined import joined, level_in
from policies.question import Count, Question, Units, Whole
from policies.review import Usage, Use, review
from tests.disclosure.terms import CELL_KEY
from tests.joins.visits import both, contracts, document, questions
from tests.people import PURPOSE, UNPROTECTED

PEOPLE, VISITS = contracts()
BOTH = both()


def _visits(**changes: Any) -> Contract:
    return odcs.read(document(**changes), "visits")


def _budget(epsilon: float, delta: float) -> dict[str, Any]:
    allowance = {"epsilon": epsilon, "delta": delta}
    return {"recipient": allowance, "overall": allowance, "period": "never"}


def test_a_unit_counts_with_the_product_of_its_rows() -> None:
    """Two rows here and three there are six joined rows; every other bound is the tighter one."""
    terms = BOTH.disclosure
    assert terms.rows_per_unit == 2 * 3
    plan = plan_release(Question("people", (Count(), Units()), (), None, ("visits",)), BOTH, 0, 1)
    assert [mechanism.sensitivity for mechanism in plan.mechanisms] == [6.0, 1.0]
    keyed = Question("people", (Units(),), (Whole("visits.district"),), None, ("visits",))
    assert plan_release(keyed, BOTH, 0, 1).mechanisms[0].sensitivity == 2.0  # four cells: sqrt(4)


def test_terms_are_the_tighter_ones() -> None:
    """What fits the join fits every part, in epsilon, delta, cells and purposes."""
    whole = joined(
        (
            PEOPLE,
            _visits(
                landbridgeBudget=_budget(3, 1e-5),
                landbridgeEpsilon={"default": 0.5, "maximum": 2.0},
                landbridgeMaximumCells=77,
                landbridgePurposes=[PURPOSE, "dpv:Other"],
                landbridgeUnitsSpan=4,
            ),
        )
    )
    terms = whole.disclosure
    assert (terms.recipient.epsilon, terms.recipient.delta) == (3, 1e-6)
    assert (terms.overall.epsilon, terms.overall.delta) == (3, 1e-6)
    assert (terms.default_epsilon, terms.maximum_epsilon) == (0.5, 2.0)
    assert (terms.maximum_cells, terms.units_span) == (77, 4)
    assert whole.purposes == {PURPOSE}


@settings(deadline=None)
@given(st.floats(0.1, 20), st.floats(0.1, 20), st.floats(1e-12, 1e-3), st.floats(1e-12, 1e-3))
def test_a_question_of_the_largest_epsilon_fits_every_part(
    one: float, other: float, small: float, large: float
) -> None:
    """The charge is made at the smallest delta; no part's limit is below it."""
    parts = [
        replace(
            part,
            disclosure=replace(
                part.disclosure,
                recipient=Allowance(epsilon, delta),
                overall=Allowance(epsilon, delta),
                default_epsilon=0.05,
                maximum_epsilon=epsilon,
            ),
        )
        for part, epsilon, delta in ((PEOPLE, one, small), (VISITS, other, large))
    ]
    question = Question("people", (Count(),), (), None, ("visits",))
    cost = plan_release(question, joined(parts), int(min(one, other) * 1e6), 1).cost_micro_rho
    assert all(cost <= max(1, limit(part.disclosure.recipient)) for part in parts)


TABULAR: dict[str, Any] = {
    "landbridgeRowsPerUnit": None,
    "landbridgeNoise": None,
    "landbridgeBudget": None,
    "landbridgeEpsilon": None,
    "landbridgeMinimumUnits": 5,
}
REFUSED: dict[str, tuple[str, Contract, dict[str, Any]]] = {
    "a table by cell key": (
        "method cell_key",
        PEOPLE,
        {**TABULAR, "landbridgeMethod": "cell_key", "landbridgeCellKey": CELL_KEY},
    ),
    "an exact table": (
        "method exact",
        PEOPLE,
        {
            **TABULAR,
            "landbridgeMethod": "exact",
            "landbridgeExactFor": ["office"],
            "landbridgeExactBy": ["sex"],
        },
    ),
    "a table about nobody": ("method unprotected", PEOPLE, UNPROTECTED),
    "other noise": ("different noise", PEOPLE, {"landbridgeNoise": "laplace"}),
    "another unit": ("same unit", PEOPLE, {"unit": "string"}),
    "too many rows": ("joined rows", PEOPLE, {"landbridgeRowsPerUnit": 600_000}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_joined_is_refused_from_its_terms(case: str) -> None:
    """A join is a filter that no rule about filters sees; noise alone does not mind."""
    why, part, changes = REFUSED[case]
    changes = dict(changes)
    kind = changes.pop("unit", "integer")
    written = document(**changes).replace(
        b'"name": "person_id", "logicalType": "integer"',
        f'"name": "person_id", "logicalType": "{kind}"'.encode(),
    )
    with pytest.raises(InvalidQuestion, match=why) as refused:
        joined((part, odcs.read(written, "visits")))
    assert refused.value.hint


def test_found_values_and_their_share_of_delta_stay_with_their_own_table() -> None:
    """A selection over the join would have to be paid from every part's delta."""
    columns = tuple(replace(column, discovered=column.name == "name") for column in VISITS.columns)
    budget = replace(VISITS.disclosure.recipient, selecting=True)
    terms = replace(VISITS.disclosure, recipient=budget)
    whole = joined((PEOPLE, replace(VISITS, columns=columns, disclosure=terms)))
    assert not any(column.discovered for column in whole.columns)
    # What pays for a selection in one table is not there to turn rho into epsilon.
    assert whole.disclosure.recipient.converting == 1e-6 / 2


def test_a_table_is_joined_once_and_only_so_many() -> None:
    """With itself, a table would make the square of a unit's rows."""
    with pytest.raises(InvalidQuestion, match="with itself"):
        joined((PEOPLE, PEOPLE))
    with pytest.raises(InvalidQuestion, match="At most 4"):
        joined((PEOPLE,) * 5)
    assert joined((PEOPLE,)) is PEOPLE


@settings(deadline=None)
@given(questions())
def test_the_order_of_tables_does_not_matter(question: Question) -> None:
    """One spelling, so one draw of the noise; and it says what is joined."""
    turned = Question("visits", question.measures, question.group_by, question.where, ("people",))
    known = canonical(question, BOTH)
    assert canonical(turned, BOTH) == known
    assert canonical(known, BOTH) == known
    assert " FROM people JOIN visits USING (unit)" in text(known)
    assert joined((VISITS, PEOPLE)) == BOTH


@settings(deadline=None)
@given(questions())
def test_a_joined_question_is_never_another_question_s_twin(question: Question) -> None:
    """The memory of answers is keyed by the text."""
    alone = Question("people", question.measures, question.group_by, question.where)
    assert text(canonical(alone, BOTH)) != text(canonical(question, BOTH))


@settings(deadline=None)
@given(questions(), st.sampled_from(list(Level)))
def test_each_part_is_asked_for_at_the_level_of_its_own_columns(
    question: Question, clearance: Level
) -> None:
    """Attack 97: a low level in one table opens no higher one in another."""
    try:
        usage = review(canonical(question, BOTH), BOTH, clearance)
    except Exception:  # noqa: BLE001 - most are refused; what passes is of interest
        return
    levels = [level_in(part, BOTH, usage) for part in BOTH.parts]
    assert max(levels) == usage.level <= clearance
    for part, level in zip(BOTH.parts, levels, strict=True):
        used = [use.column for use in usage.uses if use.column.startswith(f"{part.id}.")]
        assert level == max((BOTH.by_name[name].level for name in used), default=Level.OPEN)


def test_a_part_whose_columns_are_not_used_is_open() -> None:
    """Joining alone asks for no clearance: the unit's column is sealed, and joined on."""
    usage = Usage((Use("people.income", "select"),), Level.INTERNAL, 1)
    assert level_in(PEOPLE, BOTH, usage) is Level.INTERNAL
    assert level_in(VISITS, BOTH, usage) is Level.OPEN

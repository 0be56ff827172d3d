"""What a handler may say: a value of its declared type, whatever its SQL or its function gave."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.handler import HandlerInvalid, read
from policies.reply import (
    Bands,
    Codes,
    Numbers,
    Reply,
    ReplyUnfit,
    Returns,
    Verdicts,
    absent,
    replied,
    require_declared,
)

CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
RETURNS: list[Returns] = [
    Codes(("YES", "NO"), "NO"),
    Verdicts(("TOO_RICH", "UNKNOWN"), "UNKNOWN"),
    Bands((("LOW", 0.0), ("HIGH", 100.0)), "NOBODY"),
    Numbers(0.0, 10.0, 0.5, 0.0),
]
TERMS = """-- handler: over
-- version: 1
-- description: Whether something holds
-- contract: people
-- subject: person_id
-- arguments: {{person_id: integer}}
-- level: internal
-- purposes: ["dpv:LegalCompliance"]
-- subjects_per_day: 5
{terms}
SELECT income FROM people WHERE person_id = $person_id
"""


def declare(**terms: object) -> Any:
    """The handler with these further terms."""
    import json

    lines = "\n".join(f"-- {name}: {json.dumps(value)}" for name, value in terms.items())
    return read(TERMS.format(terms=lines), "over.sql")


@pytest.mark.parametrize("returns", RETURNS, ids=lambda each: type(each).__name__)
@given(cells=st.lists(CELLS, max_size=3))
def test_whatever_is_computed_is_of_the_declared_type_or_no_reply(
    returns: Returns, cells: list[Any]
) -> None:
    """A row, a raw value or an undeclared word has no reply that it could leave in."""
    try:
        reply = replied(returns, cells)
    except ReplyUnfit:
        return
    require_declared(returns, reply)


@pytest.mark.parametrize("returns", RETURNS, ids=lambda each: type(each).__name__)
def test_an_unknown_subject_has_a_declared_reply(returns: Returns) -> None:
    """Nobody is an answer like any other."""
    require_declared(returns, absent(returns))


def test_a_verdict_fails_for_reasons_and_passes_for_none() -> None:
    """A failure without a reason could not be appealed; a pass with one would contradict itself."""
    verdicts = RETURNS[1]
    assert replied(verdicts, (False, "TOO_RICH")) == Reply("FAIL", ("TOO_RICH",))
    assert replied(verdicts, ("PASS", None)) == Reply("PASS")
    for cells in [(True, "TOO_RICH"), (False, ""), (False, "RICH"), (None, "TOO_RICH"), (True,)]:
        with pytest.raises(ReplyUnfit):
            replied(verdicts, cells)


def test_a_number_is_clamped_and_rounded_to_its_step() -> None:
    """So that it is one of few, and never the subject's own value."""
    numbers = RETURNS[3]
    said = [replied(numbers, (value,)).number for value in (-3, 0.26, 0.74, 9.9, 4711.0)]
    assert said == [0.0, 0.5, 0.5, 10.0, 10.0]


def test_a_band_is_found_by_the_owners_edges() -> None:
    """The SELECT gives a number; which band it lies in is nobody's argument."""
    assert replied(RETURNS[2], (99.9,)).code == "LOW"
    assert replied(RETURNS[2], (100,)).code == "HIGH"
    assert replied(RETURNS[2], (-5,)).code == "LOW"


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"returns": "row", "absent": "A"}, "returns is one of"),
        ({"returns": "verdict", "absent": "A"}, "key 'reasons' is missing"),
        ({"returns": "verdict", "reasons": ["SINCE_2013"], "absent": "SINCE_2013"}, "could say"),
        ({"returns": "verdict", "reasons": ["A"], "absent": "B"}, "absent is one of the reasons"),
        ({"returns": "band", "bands": {"A": 3, "B": 3}, "absent": "C"}, "ascending"),
        ({"returns": "band", "bands": {"A": 3, "B": 4}, "absent": "A"}, "beside the bands"),
        (
            {
                "returns": "number",
                "number": {"minimum": 0, "maximum": 10**6, "step": 1},
                "absent": 0,
            },
            "at most 1000 steps",
        ),
        ({"returns": "number", "number": {"minimum": 0}, "absent": 0}, "minimum, maximum and step"),
        ({"codes": ["A"], "reasons": ["B"], "absent": "A"}, "does not belong"),
        ({"codes": ["A"], "absent": "A", "consent": "yes"}, "consent is true or false"),
        ({"codes": ["A"], "absent": "A", "calls_per_minute": 0}, "above 0"),
        ({"codes": ["A"], "absent": "A", "passes": {"x": {"type": "string"}}}, "passes is"),
    ],
    ids=str,
)
def test_a_type_that_would_say_too_much_is_refused_at_load(
    terms: dict[str, Any], problem: str
) -> None:
    """One sentence for the owner, before anything is served."""
    with pytest.raises(HandlerInvalid) as invalid:
        declare(**terms)
    assert any(problem in each for each in invalid.value.problems), invalid.value.problems

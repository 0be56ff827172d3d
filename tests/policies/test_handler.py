"""A handler's file: what its owner may declare, and what a caller may then send."""

from __future__ import annotations

import pytest

from landbridge.errors import InvalidQuestion
from policies.handler import HandlerInvalid, read

TEXT = """-- handler: income_over
-- version: 1
-- description: Whether an income is above a threshold
-- contract: people
-- subject: person_id
-- arguments: {arguments}
-- codes: [ABOVE, BELOW, NOBODY]
-- absent: NOBODY
-- level: internal
-- purposes: ["dpv:LegalCompliance"]
-- subjects_per_day: 5
SELECT CASE WHEN income > $threshold THEN 'ABOVE' ELSE 'BELOW' END FROM people
WHERE person_id = $person_id
"""


def test_an_argument_beside_the_subject_is_one_of_its_list() -> None:
    """What is listed is bound in the order of the places; everything else is refused."""
    handler = read(
        TEXT.format(arguments="{person_id: integer, threshold: [100, 200]}"), "over.sql"
    )  # fmt: skip
    assert handler.bind({"person_id": 7, "threshold": 200}) == [200, 7]
    for threshold in (150, 0, 201, "200", 200.0, True, None):
        with pytest.raises(InvalidQuestion) as refused:
            handler.bind({"person_id": 7, "threshold": threshold})
        assert refused.value.reason == "INVALID_ARGUMENT"
    with pytest.raises(InvalidQuestion) as refused:
        handler.bind({"person_id": 7, "threshold": 150})
    assert refused.value.hint == "They are 100, 200."


@pytest.mark.parametrize("kind", ["integer", "string"])
def test_only_the_subject_is_free(kind: str) -> None:
    """A free threshold would give the subject's income away in twenty calls."""
    with pytest.raises(HandlerInvalid) as invalid:
        read(TEXT.format(arguments=f"{{person_id: integer, threshold: {kind}}}"), "over.sql")
    (problem,) = invalid.value.problems
    assert problem.startswith("argument threshold lists no values")


@pytest.mark.parametrize(
    "arguments",
    [
        "{person_id: [1, 2], threshold: [1, 2]}",
        "{person_id: integer, threshold: []}",
        "{person_id: integer, threshold: [1, a]}",
        "{person_id: integer, threshold: [1.5]}",
        "{person_id: integer, threshold: [true]}",
        "{person_id: integer, threshold: real}",
        "[person_id, threshold]",
        "{person_id: integer, 7: [1]}",
    ],
)
def test_arguments_that_are_none_are_named(arguments: str) -> None:
    """One sentence for the owner, before anything is served."""
    with pytest.raises(HandlerInvalid):
        read(TEXT.format(arguments=arguments), "over.sql")


def test_a_place_may_stand_between_quoted_texts_and_not_inside_one() -> None:
    """Inside quotes it would be text, and the argument would be bound to nothing."""
    good = TEXT.format(arguments="{person_id: integer, threshold: [1]}")
    read(good.replace("CASE", "CASE WHEN income IS NULL THEN 'NOBODY'"), "over.sql")
    read(good.replace("CASE", "CASE WHEN name = 'it''s' THEN 'NOBODY'"), "over.sql")
    with pytest.raises(HandlerInvalid) as invalid:
        read(good.replace("CASE", "CASE WHEN name = 'about $person_id' THEN 'NOBODY'"), "over.sql")
    assert invalid.value.problems == ("a place $name stands inside a quoted text",)


def with_delay(delay: str) -> str:
    """The text with a disclosure delay of its own."""
    text = TEXT.format(arguments="{person_id: integer, threshold: [1]}")
    return text.replace("-- subjects", f"-- disclosure_delay: {delay}\n-- subjects")


def test_a_handler_may_delay_what_its_subject_is_told() -> None:
    """By purpose and days; without the key it delays nothing."""
    handler = read(with_delay("{'dpv:LegalCompliance': 30}"), "over.sql")
    assert handler.delays == (("dpv:LegalCompliance", 30),)
    plain = TEXT.format(arguments="{person_id: integer, threshold: [1]}")
    assert read(plain, "over.sql").delays == ()


@pytest.mark.parametrize(
    "delay",
    ["30", "[30]", "{'dpv:Other': 30}", "{'dpv:LegalCompliance': 0}",
     "{'dpv:LegalCompliance': 4000}", "{'dpv:LegalCompliance': true}",
     "{'dpv:LegalCompliance': '30'}"],
)  # fmt: skip
def test_a_delay_that_is_none_is_a_problem(delay: str) -> None:
    """A mistyped one would tell somebody too early."""
    with pytest.raises(HandlerInvalid) as invalid:
        read(with_delay(delay), "over.sql")
    (problem,) = invalid.value.problems
    assert problem.startswith("disclosure_delay is a mapping")

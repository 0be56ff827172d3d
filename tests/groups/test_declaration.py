"""A group's file: what it says, and that whatever it says wrongly stops it, each with its place."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from policies.contract import Contract
from policies.group import Group, GroupInvalid, read, read_registered
from policies.question import Count, Question, Whole
from tests.groups.documents import BALLOTS, PURPOSE, REPORTS, chosen, contract, sealed, voting

MEASURED = [{"column": "choice", "owner": "north", "with": "south", "minimum": 10, "each": 1}]
DECLARED: dict[str, Any] = {
    "group": "grid",
    "title": "The northern grid",
    "purpose": PURPOSE,
    "notices": {"role": "community-officer"},
    "reports": ["reports"],
    "polls": {
        "playground": {
            "title": "What becomes of the old playground?",
            "contract": "ballots",
            "column": "choice",
        }
    },
    "questions": {
        "symptoms": {
            "title": "Who is unwell",
            "contract": "reports",
            "by": ["street", "symptom"],
            "epsilon": 2,
        }
    },
}


def contracts(ballots: Contract | None = None) -> dict[str, Contract]:
    """What the department serves."""
    return {"reports": contract(REPORTS), "ballots": ballots or voting(BALLOTS)}


def group(ballots: Contract | None = None, **changes: Any) -> Group:
    """The declaration, with other members; None leaves one out."""
    whole = {key: value for key, value in {**DECLARED, **changes}.items() if value is not None}
    return read(yaml.safe_dump(whole), "grid.yaml", "north", contracts(ballots))


def problems(ballots: Contract | None = None, **changes: Any) -> str:
    """What is wrong with it."""
    with pytest.raises(GroupInvalid) as caught:
        group(ballots, **changes)
    return str(caught.value)


def test_a_group_has_notices_reports_polls_and_questions() -> None:
    """Everything that members will find there stands in one file."""
    found = group()
    assert (found.name, found.publishers, found.purpose) == ("grid", "community-officer", PURPOSE)
    assert found.reports == ("reports",)
    (poll,) = found.polls
    assert (poll.options, poll.second) == (("keep", "garden", "parking"), "")
    assert poll.result == Question("ballots", (Count(),), (Whole("choice"),))
    (declared,) = found.questions
    assert declared.micro_epsilon == 2_000_000
    assert found.contracts == {"reports", "ballots"}
    assert len(found.declared) == 2


def test_a_group_may_have_one_channel_alone() -> None:
    """A group of departments that only hears notices is a group."""
    found = group(reports=None, polls=None, questions=None)
    assert found.contracts == frozenset()
    assert group(notices=None).publishers == ""


def test_a_poll_may_be_counted_by_two_departments() -> None:
    """Then neither of them can read a ballot, and each person has one by the measurement's rule."""
    measured = voting(
        {"one": {"per": ["voter"]}}, landbridgeCollection=None, landbridgeMeasurements=MEASURED
    )
    found = group(measured)
    assert found.polls[0].second == "south"
    assert len(found.declared) == 1


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({**BALLOTS, "one": None}, "must be collected once per caller"),
        ({**BALLOTS, "one": {"per": ["voter", "choice"]}}, "must be collected once per caller"),
        ({**BALLOTS, "close": None}, "until a moment (close)"),
        ({"one": {"per": ["voter"]}, "close": "2027-01-01"}, "fills in who hands in"),
    ],
)
def test_a_poll_gives_each_person_one_ballot(rules: dict[str, Any], said: str) -> None:
    """A contract by which somebody could vote twice, or for others, is no ballot box."""
    rules = {key: value for key, value in rules.items() if value is not None}
    assert said in problems(voting(rules))


def test_a_measured_poll_takes_one_report_of_each() -> None:
    """As many as they like would be as many votes as they like."""
    many = [{**MEASURED[0], "each": 0}]
    assert "each: 1" in problems(
        voting({"one": {"per": ["voter"]}}, landbridgeCollection=None, landbridgeMeasurements=many)
    )


def test_nothing_else_stands_on_a_ballot() -> None:
    """A remark beside the choice would be a way to know the voter again."""
    assert "the one column" in problems(voting(BALLOTS, chosen("street", "quay", "mill")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": None}, "title: is missing"),
        ({"purpose": "dpv:Marketing"}, "allows the group's purpose"),
        ({"reports": ["nothing"]}, "a contract of this department"),
        ({"reports": ["reports", "ballots"]}, "one channel of a group"),
        ({"notices": {"role": "Officer!"}}, "must be a lower-case name"),
        ({"members": ["everybody"]}, "is not read here"),
        (
            {"questions": {"all": {"title": "x", "contract": "reports", "by": ["home"]}}},
            "a column with declared values",
        ),
        (
            {"questions": {"x": {"title": "x", "contract": "reports", "epsilon": 99}}},
            "one that the contract allows",
        ),
        (
            {"polls": {"x": {"title": "x", "contract": "ballots", "column": "voter"}}},
            "a required column with declared values",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(changes: dict[str, Any], said: str) -> None:
    """A slip stops the start; nobody finds out by a poll that cannot be counted."""
    assert said in problems(**changes)


def test_a_registry_names_people_and_says_nothing_of_them_when_it_is_wrong() -> None:
    """An error message is read by more people than the list."""
    found = read_registered("# the grid\nresidents mina\n\nresidents\ttheo\n", "grid.members")
    assert found == {("residents", "mina"), ("residents", "theo")}
    with pytest.raises(GroupInvalid) as caught:
        read_registered("residents mina\nzoltan\n", "grid.members")
    assert "line 2" in str(caught.value)
    assert "zoltan" not in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({**BALLOTS, "caller": "choice"}, "a required, sealed text column"),
        ({**BALLOTS, "caller": "nobody"}, "a required, sealed text column"),
        ({**BALLOTS, "correct": {"by": "anybody"}}, "by the contributor alone"),
        (
            {**BALLOTS, "quota": {"organisation": {"records": 5, "period": "day"}}},
            "must count devices alone",
        ),
    ],
)
def test_who_hands_in_is_filled_in_by_the_department_alone(
    rules: dict[str, Any], said: str
) -> None:
    """What would name the voter beside the digest is refused with the contract."""
    with pytest.raises(Exception, match=said):
        voting(rules)


def test_the_voter_is_not_asked_who_they_are() -> None:
    """The form that members fill has the choice alone; a record with a voter in it does not fit."""
    from nodes.intaking import form_of

    form = form_of(voting(BALLOTS), "town", "north")
    assert [field.name for field in form.fields] == ["choice"]
    assert form.subject == ()
    assert sealed("voter")["classification"] == "sealed"

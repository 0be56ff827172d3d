"""Who may hand in, watch and be told of cases, as an owner reads it before anybody does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodes import policy_page
from nodes.policy_folder import review
from policies.admitted import collects
from tests.submission.survey import contract
from tests.submission.town import lay

EXAMPLES = Path(__file__).parents[2] / "examples"


def sentences(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What `landbridge policy check` says of the folder."""
    policy_page.show_outlets(review(folder))
    return capsys.readouterr().out.splitlines()


def test_who_may_hand_in_is_said_with_the_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each organisation that policy names, by which policy, and nobody else."""
    folder = lay(
        tmp_path / "town",
        {
            "open": "2026-05-01",
            "one": {"per": ["person"]},
            "correct": {},
            "quota": {"device": {"records": 200, "period": "day"}},
        },
    )
    found = [each for each in sentences(folder, capsys) if each.startswith("May hand in: ")]
    rules = (
        "records from 2026-05-01; one per person; corrected by contributor; at most 200 of a "
        "device a day"
    )
    assert found == [
        f"May hand in: {who}, requests, for dpv:ServiceProvision, from open; {rules}; by "
        f"gateway.{by}, rescue.{by}."
        for who, by in (("enumerators", "enumerate"), ("volunteers", "submit"))
    ]
    (folder / "gateway" / "access.cedar").write_text("")  # both ends have to permit it
    assert not any(each.startswith("May hand in") for each in sentences(folder, capsys))


def test_who_may_watch_must_be_able_to_ask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `query` a watch shows nothing, so it is not listed."""
    folder = lay(tmp_path / "town")
    assert [each for each in sentences(folder, capsys) if each.startswith("May watch: ")] == [
        "May watch: office, requests, for dpv:ServiceProvision, from open; by gateway.query, "
        "gateway.watch, rescue.query, rescue.watch."
    ]
    text = (folder / "rescue" / "access.cedar").read_text()
    (folder / "rescue" / "access.cedar").write_text(
        text.replace('Action::"query"', 'Action::"consult"')
    )
    assert not any(each.startswith("May watch") for each in sentences(folder, capsys))


def test_who_is_told_of_cases_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """One caller, in the one role that the handler names, by the department's own policy."""
    found = [
        each
        for each in sentences(EXAMPLES / "elder_care", capsys)
        if each.startswith("Is told of cases: ")
    ]
    assert len(found) == 1
    assert "in the role community-worker, of QUIET, every" in found[0]


def test_programs_get_the_same(tmp_path: Path) -> None:
    """One object each, which is JSON."""
    found = policy_page.outlets_document(review(lay(tmp_path / "town")))
    json.dumps(found)
    assert {each["organisation"] for each in found if each["action"] == "submit"} == {
        "volunteers", "enumerators",
    }  # fmt: skip


def test_what_is_randomised_is_said() -> None:
    """Whoever hands in reads how much of a value their report tells."""
    assert collects(contract()) == (
        "records at any time; one per person; randomised at the source: smokes by epsilon 1, mode "
        "by epsilon 2, income by epsilon 2"
    )

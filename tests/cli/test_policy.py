"""`landbridge policy`: what a policy lets out, and what a change of it does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, Run, run_apart

EXAMPLE = ROOT / "examples" / "nyc_flights"


@pytest.fixture
def proposed(tmp_path: Path) -> Path:
    """A copy of a department's policy, to be changed."""
    return Path(shutil.copytree(EXAMPLE / "faa", tmp_path / "faa"))


def test_a_department_s_policy_is_shown_as_a_table() -> None:
    """Who, for what, which answers and columns, at which budget, by which policies."""
    ended = run_apart("policy", "check", str(EXAMPLE / "faa"))
    assert ended.status == 0, ended.err
    words = ("transport-research", "planes", "seats", "epsilon 8", "faa.research-on-the-fleet")
    for word in (*words, "planes: Linked with ewr, jfk, lga on tailnum; cells from 20"):
        assert word in ended.out


def test_in_a_federation_the_gateway_has_its_say(run_here: Run) -> None:
    """What one end does not permit is not let out."""
    alone = json.loads(run_here("policy", "check", str(EXAMPLE / "noaa"), "--json").out)
    whole = json.loads(run_here("policy", "check", str(EXAMPLE), "--json").out)
    there = [each for each in whole if each["department"] == "noaa"]
    assert {each["department"] for each in whole} == {"ewr", "faa", "jfk", "lga", "noaa"}
    assert 0 < len(there) <= len(alone)
    assert all(any(name.startswith("gateway.") for name in each["policies"]) for each in there)


def test_what_a_change_newly_lets_out_is_shown_and_can_stop_a_pipeline(
    run_here: Run, proposed: Path
) -> None:
    """One more permit, told by columns; with --strict the status says it too."""
    with (proposed / "access.cedar").open("a") as file:
        file.write(
            '@id("faa.new") permit (principal in Organisation::"press", '
            'action == Action::"query", resource == Contract::"planes") '
            'when { context.purpose == "dpv:ResearchAndDevelopment" };\n'
        )
    ended = run_here("policy", "diff", str(EXAMPLE / "faa"), str(proposed), "--strict")
    assert ended.status == 1
    assert "press for dpv:ResearchAndDevelopment: seats" in ended.out
    assert "let out more" in ended.out
    back = run_here("policy", "diff", str(proposed), str(EXAMPLE / "faa"), "--strict", "--json")
    assert back.status == 0
    assert {change["wider"] for change in json.loads(back.out)} == {False}


def test_no_change_is_said_to_be_none(proposed: Path) -> None:
    """A review that ends at once."""
    assert "nothing changes" in run_apart("policy", "diff", str(EXAMPLE / "faa"), str(proposed)).out


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("access.cedar", "permit (principal, action, resource);", "access.cedar"),
        ("contracts/planes.odcs.yaml", "kind: nothing\n", "planes.odcs.yaml"),
        ("handlers/broken.sql", "SELECT 1", "broken.sql"),
    ],
)
def test_a_broken_policy_is_named_with_file_and_reason(
    run_here: Run, proposed: Path, name: str, text: str, said: str
) -> None:
    """The operator's status, one sentence a problem, no traceback."""
    (proposed / name).write_text(text)
    ended = run_here("policy", "check", str(proposed))
    assert ended.status == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_folder_without_a_policy_is_said_to_have_none(run_here: Run, tmp_path: Path) -> None:
    """And what kind of folder would do."""
    ended = run_here("policy", "check", str(tmp_path))
    assert ended.status == 2
    assert "contracts/" in ended.err
    assert run_here("policy", "check", str(tmp_path / "none")).status == 2


def test_a_forbidden_column_is_shown_and_an_unknown_one_refused(
    run_here: Run, proposed: Path
) -> None:
    """With the policy that forbids it, and with file, line and reason where it is mistyped."""
    policy = proposed / "access.cedar"
    before = policy.read_text()
    forbid = '@id("faa.no-seats") forbid (principal, action, resource == Column::"planes.{}");\n'
    policy.write_text(before + forbid.format("seats"))
    ended = run_here("policy", "check", str(proposed))
    assert "Forbidden: planes.seats to transport-research, by faa.no-seats." in ended.out
    compared = run_here("policy", "diff", str(EXAMPLE / "faa"), str(proposed), "--strict")
    assert compared.status == 0
    assert "transport-research for dpv:ResearchAndDevelopment: seats" in compared.out
    policy.write_text(before + forbid.format("seets"))
    refused = run_here("policy", "check", str(proposed))
    assert refused.status != 0
    line = before.count("\n") + 1
    assert f"line {line}: It names Column planes.seets, which does not exist here" in refused.err

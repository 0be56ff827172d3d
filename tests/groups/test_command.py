"""`landbridge group` and `landbridge policy check`, as people type them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from nodes.policy import read
from policies.group import Group
from policies.group_review import changes, lines, reviewed
from policies.handler import HandlerInvalid
from tests.cli.commands import run_apart
from tests.groups.town import lay, register


def test_policy_check_says_who_takes_part_and_who_publishes(tmp_path: Path) -> None:
    """A reviewer reads membership, officers and who counts ballots, without a running node."""
    folder = lay(tmp_path / "town")
    ended = run_apart("policy", "check", str(folder))
    assert ended.status == 0, ended.err
    for words in (
        "Group north.grid: 20 registered; takes part: clinic, residents registered in north.grid",
        "Notices by community-officer (caller officer).",
        "ballots, opened and counted by this department alone",
        "in two shares, with south: neither reads one",
        "questions of its groups)",
    ):
        assert words in ended.out
    whole = json.loads(run_apart("policy", "check", str(folder), "--json").out)
    (group,) = [each for each in whole if each["action"] == "take_part"]
    assert (group["registered"], group["silent"], group["unheard"]) == (20, [], [])


def test_policy_check_finds_a_group_that_cannot_work(tmp_path: Path) -> None:
    """Notices without an officer, channels without a permit: found before anybody waits."""
    folder = lay(tmp_path / "town") / "north"
    text = (folder / "access.cedar").read_text()
    for name in ("north.submit", "north.officer", "north.declared"):
        begin = text.index(f'@id("{name}")')
        text = text[:begin] + text[text.index("@id(", begin + 1) :]
    (folder / "access.cedar").write_text(text)
    policy = read(
        "north", folder / "contracts", folder / "handlers", folder / "access.cedar",
        folder / "groups",
    )  # fmt: skip
    (found,) = reviewed("north", policy.groups, policy.contracts, [policy.access])
    said = "\n".join(lines(found))
    assert "(NOBODY MAY)" in said
    assert said.count("NO MEMBER MAY SUBMIT") == 3
    assert "NO MEMBER MAY ASK" in said
    assert "The result of poll playground is told to no member." in said


def test_policy_diff_counts_who_came_and_who_left(tmp_path: Path) -> None:
    """A registry that grew lets more people in; it is said by number, never by name."""
    folder = lay(tmp_path / "town")
    before = _groups(folder)
    register(folder, ["r-00", "r-77", "r-78"])
    (change,) = changes(before, _groups(folder))
    assert (change.wider, change.what) == (True, "people registered: 2 more, 19 less")
    ended = run_apart("policy", "diff", str(folder / "north"), str(folder / "north"))
    assert "nothing changes" in ended.out


def test_no_handler_looks_at_a_single_ballot(tmp_path: Path) -> None:
    """One code about one voter would be their vote."""
    folder = lay(tmp_path / "town")
    (folder / "north" / "handlers").mkdir()
    (folder / "north" / "handlers" / "vote_of.sql").write_text(
        "-- handler: vote_of\n-- version: 1\n-- description: x\n-- contract: ballots\n"
        "-- subject: voter\n-- arguments: {voter: string}\n-- returns: code\n"
        "-- codes: [KEEP, OTHER, NONE]\n-- absent: NONE\n-- level: open\n"
        '-- purposes: ["dpv:ServiceProvision"]\n-- subjects_per_day: 10\n'
        "SELECT CASE choice WHEN 'keep' THEN 'KEEP' ELSE 'OTHER' END FROM ballots "
        "WHERE voter = $voter\n"
    )
    with pytest.raises(HandlerInvalid, match="single ballot"):
        _groups(folder)


def _groups(folder: Path) -> Mapping[str, Group]:
    north = folder / "north"
    policy = read(
        "north", north / "contracts", north / "handlers", north / "access.cedar", north / "groups"
    )
    return policy.groups

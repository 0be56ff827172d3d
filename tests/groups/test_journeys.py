"""Groups end to end: members, officers, strangers; real processes, real gRPC, real TLS."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import landbridge
import landbridge.testing
from landbridge.errors import LandbridgeError
from landbridge.evidence.audit import verify_folder
from landbridge.federation.running import Federation
from landbridge.group.view import Notice
from landbridge.reasons import ContractChanged, DepartmentMissing, PollOpen
from tests.evidence.schema import problems
from tests.groups.documents import PURPOSE
from tests.groups.lying_gateway import lying
from tests.groups.town import (
    GROUP,
    MEMBERS,
    OVER,
    eventually,
    lay,
    playground,
    register,
    resident,
    today,
)
from tests.submission.by_hand import Hand, batch, fates, row

pytestmark = pytest.mark.journey
BALLOTS_OF = {"department": "north", "contract": "ballots", "subject": "r-13"}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """The gateway, the north with its group, the south."""
    folder = lay(tmp_path_factory.mktemp("town") / "federation")
    with landbridge.testing.federation(folder) as running:
        yield running


def entries(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The published entries of that kind."""
    found = [json.loads(entry) for _, entry in verify_folder(folder).entries()]
    return [each for each in found if each["kind"] == kind]


def refused(call: Any) -> LandbridgeError:
    """Why it was not done."""
    with pytest.raises(LandbridgeError) as caught:
        call()
    return caught.value


def test_notices_go_down_in_order_and_are_the_departments_own(town: Federation) -> None:
    """Published on the department's machine, read by members alone, signed by the department."""
    with town.publisher("north", "officer") as officer, resident(town, "r-01") as client:
        (mine,) = officer.groups()
        assert (mine.name, mine.role) == ("grid", "community-officer")
        first = officer.notice("grid", "Water", "The pipes are flushed on Monday.\nBoil water.")
        again = secrets.token_hex(16)
        second = officer.notice("grid", "Heat", "The hall is open.", notice_id=again)
        assert officer.notice("grid", "Heat", "The hall is open.", notice_id=again) == second
        assert (first.number, second.number) == (1, 2)
        group = client.group(GROUP)
        read = group.notices()
        assert [(each.title, each.number) for each in read] == [("Water", 1), ("Heat", 2)]
        assert read[0].text.splitlines()[1] == "Boil water."
        assert [each.number for each in group.notices(after=read[0].token)] == [2]
        assert group.notices(after=read[1].token) == ()
        other = refused(lambda: officer.notice("grid", "Other", "words", notice_id=again))
        assert other.reason == "QUESTION_ID_REUSED"


def test_a_follower_hears_every_notice_over_restarts(town: Federation) -> None:
    """At least once, in order, with a token by which a notice that comes again is known again."""
    heard: list[Notice] = []
    with resident(town, "r-02") as client:
        group = client.group(GROUP)
        known = group.notices()
        after = known[-1].token if known else ""

        def listen() -> None:
            for notice in group.follow(60, after=after):
                heard.append(notice)
                if notice.title == "last":
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        with town.publisher("north", "officer") as officer:
            officer.notice("grid", "first", "before the restart")
        eventually(lambda: len(heard) == 1)
        town.kill("north")
        town.restart("north")
        with town.publisher("north", "officer") as officer:
            officer.notice("grid", "last", "after it")
        listener.join(60)
    assert [each.title for each in heard] == ["first", "last"]
    assert heard[1].number == heard[0].number + 1
    told = [each.get("note", "") for each in entries(town.log("north"), "group")]
    assert f"told notice {heard[0].number}" in told


def test_a_group_does_not_exist_for_whoever_is_in_none(town: Federation) -> None:
    """A stranger, and a neighbour who is not registered, hear the words of a group of no name."""
    with town.client("stranger") as stranger, resident(town, "nobody") as neighbour:
        for client in (stranger, neighbour):
            there = refused(lambda: client.group(GROUP))  # noqa: B023 - called at once
            none = refused(lambda: client.group("north.none"))  # noqa: B023
            assert (there.reason, there.status) == ("NOT_AVAILABLE", none.status)
            assert there.message.replace("north.grid", "X").replace(
                "Department north: ", ""
            ) == none.message.replace("north.none", "X")
            assert client.groups().groups == ()
            assert client.directory().groups == ()


def test_the_directory_shows_a_group_to_its_members(town: Federation) -> None:
    """Residents by the registry, a clinic as a whole."""
    for client in (resident(town, "r-03"), town.client("doctor")):
        with client:
            assert [each.name for each in client.directory().groups] == [GROUP]
            (found,) = client.groups().groups
            assert (found.name, found.title) == (GROUP, "The northern grid")


def test_reports_come_up_and_what_is_declared_can_be_asked(town: Federation) -> None:
    """Reports are sealed as all records; members may ask the declared question and no other."""
    with resident(town, "r-04") as client, town.client("stranger") as stranger:
        group = client.group(GROUP)
        receipt = group.report(
            {"home": f"H-{number}", "street": "quay", "symptom": "fever", "day": today()}
            for number in range(60)
        )
        assert receipt.accepted == 60
        asked = group.ask("symptoms")
        eventually(lambda: int(str(_row(group.ask("symptoms"), "fever"))) > 20)
        assert asked.columns
        other = "SELECT street, count(*) AS n FROM north.reports GROUP BY street"
        denied = refused(lambda: client.query(other, purpose=PURPOSE))
        assert denied.reason == "ACCESS_DENIED"
        outside = refused(
            lambda: stranger.submit(
                "north.reports",
                [{"home": "H", "street": "quay", "symptom": "none", "day": today()}],
                purpose=PURPOSE,
            )
        )
        assert outside.reason == "NOT_AVAILABLE"


def _row(answer: landbridge.Answer, key: str) -> object:
    return next(round(float(str(row[1]))) for row in answer.rows() if row[0] == key)


def test_a_gateway_that_was_taken_over_can_lose_a_ballot_and_nothing_else(
    town: Federation,
) -> None:
    """It neither reads one nor doubles one, nor makes anybody believe that theirs was taken."""
    with lying(town, "r-10", "double") as (client, gateway):
        assert not client.group(GROUP).vote("playground", "keep").repeated
        assert gateway.carried == 2
    with lying(town, "r-11", "swallow") as (client, _):
        lost = refused(lambda: client.group(GROUP).vote("playground", "keep"))
        assert lost.reason in ("DEADLINE", "GATEWAY_UNREACHABLE")
    with lying(town, "r-12", "pretend") as (client, _):
        lied = refused(lambda: client.group(GROUP).vote("playground", "keep"))
        assert lied.reason == "ANSWER_REJECTED"
    for name, voted in (("r-10", True), ("r-11", False), ("r-12", False)):
        with resident(town, name) as client:
            group = client.group(GROUP)
            if voted:
                again = refused(lambda: group.vote("playground", "keep"))  # noqa: B023
                assert again.rule == "ALREADY_REPORTED"
            else:
                assert not group.vote("playground", "keep").repeated


def test_a_ballot_is_its_voters_own(town: Federation) -> None:
    """Replayed it has no effect, sent by another it is forged, with a voter in it it is none."""
    mine, theirs = Hand.of(town, "resident", **BALLOTS_OF), town.token("resident", subject="r-14")
    collection, token = mine.collection(), town.token("resident", subject="r-13")
    ballot = batch([row(["keep"])], collection, token)
    first, second = mine.send([ballot, ballot], token)
    assert (fates(first), fates(second)) == (["ACCEPTED"], ["DUPLICATE"])
    (forged,) = mine.send([ballot], theirs)
    assert forged.refused == "FORGED"
    smuggled = batch([row(["r-00", "keep"])], collection, token)
    (result,) = mine.send([smuggled], token)
    assert fates(result) == ["MALFORMED"]
    unknown = batch([row(["zoo"])], collection, theirs)
    (result,) = mine.send([unknown], theirs)
    assert fates(result) == ["OUT_OF_DOMAIN"]


def test_everybody_has_one_ballot_and_nobody_hears_how_it_stands(town: Federation) -> None:
    """A second ballot, another's ballot, a look at a poll that is open: all refused, none counted.

    When it is over the result comes under the contract's disclosure: what few chose is withheld.
    """
    for number, name in enumerate(MEMBERS[:10]):
        with resident(town, name) as client:
            group = client.group(GROUP)
            choice = "keep" if number < 5 else "garden" if number < 9 else "parking"
            ballot = group.vote("playground", choice)
            assert (ballot.repeated, len(ballot.receipts)) == (False, 1)
            second = refused(lambda: group.vote("playground", "parking"))  # noqa: B023
            assert (second.reason, second.rule) == ("BALLOT_REFUSED", "ALREADY_REPORTED")
            assert refused(lambda: group.vote("playground", "a zoo")).reason == "INVALID_ARGUMENT"  # noqa: B023
    with resident(town, "nobody") as neighbour:
        other = refused(
            lambda: neighbour.submit("north.ballots", [{"choice": "keep"}], purpose=PURPOSE)
        )
        assert other.reason == "NOT_AVAILABLE"
    with resident(town, "r-00") as client, town.client("analyst") as office:
        group = client.group(GROUP)
        poll = next(each for each in group.polls() if each.name == "playground")
        assert (poll.options, poll.second) == (("keep", "garden", "parking"), "")
        sql = "SELECT choice, count(*) AS ballots FROM north.ballots GROUP BY choice"
        assert refused(lambda: group.result("playground")).reason == "POLL_OPEN"
        assert refused(lambda: office.query(sql, purpose=PURPOSE)).reason == "POLL_OPEN"
        _close(town)
        eventually(lambda: _counted(group))
        rows = {row[0]: row[1] for row in group.result("playground").rows()}
        # Of 9, 4 and 1 ballots: what one chose is withheld, and another with it.
        assert rows["parking"] is None
        told = {choice: count for choice, count in rows.items() if count is not None}
        assert told in ({"keep": 9}, {"garden": 4})
        assert refused(lambda: group.vote("playground", "keep")).rule in (
            "LATE",
            "ALREADY_REPORTED",
        )
    _nobody_is_named(town)


def _close(town: Federation) -> None:
    contract = town.folder.path / "north" / "contracts" / "ballots.odcs.yaml"
    beside = contract.with_name("new")
    beside.write_text(playground(OVER))
    beside.replace(contract)
    os.kill(town.process_id("north"), signal.SIGHUP)


def _counted(group: landbridge.Group) -> bool:
    with suppress(PollOpen, ContractChanged, DepartmentMissing):
        group.result("playground")
        return True
    return False


def _nobody_is_named(town: Federation) -> None:
    """The key by which the department knew its voters is gone, and no entry says what was voted."""
    intake = town.log("north").parent / "intake" / "ballots"
    eventually(lambda: not (intake / "contributors.key").exists())
    assert (intake / "records.duckdb").exists()
    for name in ("north", None):
        submitted = entries(town.log(name), "submit")
        assert submitted
        assert not any(word in json.dumps(submitted) for word in ("keep", "garden", "r-00"))


def test_a_poll_of_two_departments_is_read_by_neither(town: Federation) -> None:
    """Each ballot in two shares; a second of the same person is refused by both."""
    for number, name in enumerate(MEMBERS[:12]):
        with resident(town, name) as client:
            group = client.group(GROUP)
            group.vote("market", number % 3 != 0)
            if number == 0:
                again = refused(lambda: group.vote("market", True))  # noqa: B023
                assert (again.reason, again.rule) == ("BALLOT_REFUSED", "REPORTS_EXHAUSTED")
    with resident(town, "nobody") as neighbour:
        other = refused(lambda: neighbour.contribute("market", "wanted", True, purpose=PURPOSE))
        assert other.reason == "NOT_AVAILABLE"
    with town.client("analyst") as office:
        answer = office.collect("market", "wanted", purpose=PURPOSE, epsilon=4)
        reports, count = (float(str(each)) for each in answer.rows()[0][:2])
        assert reports == 12
        assert -10 < count < 25


def test_whoever_leaves_hears_nothing_more_on_an_open_stream_neither(town: Federation) -> None:
    """The registry is policy: what is published after somebody has left does not reach them."""
    heard: list[Notice] = []
    ended: list[LandbridgeError] = []
    with resident(town, "r-19") as client:
        group = client.group(GROUP)

        def listen() -> None:
            try:
                heard.extend(group.follow(60, after=group.notices()[-1].token))
            except LandbridgeError as failure:
                ended.append(failure)

        listener = threading.Thread(target=listen)
        listener.start()
        register(town.folder.path, MEMBERS[:-1])
        os.kill(town.process_id("north"), signal.SIGHUP)
        with town.publisher("north", "officer") as officer, resident(town, "r-18") as other:
            eventually(lambda: bool(ended))
            officer.notice("grid", "secret", "for members")
            assert other.group(GROUP).notices()[-1].title == "secret"
        listener.join(30)
        assert [each.reason for each in ended] == ["NOT_AVAILABLE"]
        assert "secret" not in {each.title for each in heard}
        assert refused(lambda: group.vote("playground", "keep")).reason == "NOT_AVAILABLE"
        assert refused(group.notices).reason == "NOT_AVAILABLE"
        assert client.groups().groups == ()


def test_nobody_but_the_groups_officer_publishes(town: Federation) -> None:
    """A clerk of the same office, and a member on the department's own machine, find no group."""
    for caller in ("clerk", "resident", "analyst"):
        with town.publisher("north", caller) as somebody:
            assert somebody.groups() == ()
            refusal = refused(lambda: somebody.notice("grid", "Free", "Go home."))
            assert refusal.reason == "NOT_AVAILABLE"
    with resident(town, "r-05") as client:
        assert "Free" not in {each.title for each in client.group(GROUP).notices()}
    with town.publisher("south", "officer") as officer:
        elsewhere = refused(lambda: officer.notice("grid", "Free", "Go home."))
    assert elsewhere.reason == "NOT_AVAILABLE"


def test_the_same_is_awaited(town: Federation) -> None:
    """One implementation, two ways of calling it."""

    async def asked() -> tuple[int, list[str]]:
        token = town.token("resident", subject="r-06")
        async with landbridge.aconnect(town.address, token=token, ca=town.ca) as client:
            group = await client.group(GROUP)
            read = await group.notices()
            heard = [each.title async for each in group.follow(2)]
            return len(read), heard

    count, heard = asyncio.run(asked())
    assert len(heard) == count > 0


def test_every_entry_keeps_to_the_schema_and_names_nobody(town: Federation) -> None:
    """Who read what is a matter for the log, by digest; what was said is not in it."""
    for name in ("north", None):
        found = entries(town.log(name), "group")
        assert found
        for each in found:
            assert problems(json.dumps(each).encode()) == []
        assert not any(word in json.dumps(found) for word in ("r-01", "Boil", "secret"))
    published = [
        each
        for each in entries(town.log("north"), "group")
        if each.get("note", "").startswith("published")
    ]
    assert published
    assert all(each["answer_digest"] for each in published)

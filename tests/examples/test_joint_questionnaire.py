"""The example `joint_questionnaire`: its story, and the same by hand on the command line."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import landbridge
import landbridge.testing
from landbridge.client import Client
from landbridge.consultation.callers import Consultation
from landbridge.errors import Refused, Unavailable
from landbridge.evidence.audit import verify_folder
from landbridge.federation.running import Federation
from tests.cli.commands import run_apart
from tests.evidence.schema import problems

FOLDER = Path(__file__).parents[2] / "examples" / "joint_questionnaire"
PURPOSE = "dpv:ServiceProvision"
BASIS = "Act on the Relief of Energy Costs, section 4."
SQL = "SELECT arrears, count(*) AS n FROM hilltop.household GROUP BY arrears"

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def province() -> Iterator[Federation]:
    """Gateway and five cities, real processes."""
    with landbridge.testing.federation(FOLDER) as running:
        yield running
        for name in (None, "harbour", "hilltop"):
            for _, entry in verify_folder(running.log(name)).entries():
                assert problems(entry) == []


def test_the_script_tells_its_story(
    province: Federation, capsys: pytest.CaptureFixture[str]
) -> None:
    """One total over five cities, a refusal, a narrower offer, one answer and no second one."""
    assert len((FOLDER / "run.py").read_text().splitlines()) < 80
    runpy.run_path(str(FOLDER / "run.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert "One total of 5 cities: harbour, hilltop, lakeside, oldtown, riverside" in told
    assert "Refused by policy: There is no column 'household.arrears'" in told
    assert "The city narrowed it" in told
    assert "date_trunc('month', answered)" in told
    assert "A second time: Department harbour: The grant was used before." in told
    counts = [int(each) for each in re.findall(r"│ *(-?\d+) ± \d+ │\n", told.split("Approved:")[1])]
    assert 1_150 < sum(counts) < 1_650  # 1,400 households in nine cells, within 8 deviations
    wanted = ["opened", "listed 1", "viewed", "narrowed", "accepted", "used"]
    for _ in range(100):  # what is durable is published a moment later
        if (notes := consulted(province.log("harbour"))) == wanted:
            break
        time.sleep(0.2)
    assert notes == wanted


def consulted(folder: Path) -> list[str]:
    """What the published log says of consultations."""
    entries = [json.loads(entry) for _, entry in verify_folder(folder).entries()]
    return [each["note"] for each in entries if each["kind"] == "consult"]


def client(province: Federation) -> Client:
    """The province's planner."""
    return province.client("planner")


def test_only_the_node_s_own_user_reaches_the_officers_socket(province: Federation) -> None:
    """No port, no other user: the folder and the socket say so."""
    folder = province.state / "hilltop" / "review"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "review.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder.parent / "consultations.sqlite").stat().st_mode) == 0o600


def test_another_city_s_officer_finds_nothing_here(province: Federation) -> None:
    """An officer sees the own department only; who is no officer sees nothing either."""
    with client(province) as caller:
        opened = caller.consult(SQL, purpose=PURPOSE, basis=BASIS, epsilon=0.3)
        for name in ("officer_harbour", "clerk_hilltop", "planner"):
            with province.reviewer("hilltop", name) as stranger:
                assert stranger.list() == ()
                with pytest.raises(Refused, match="NOT_AVAILABLE"):
                    stranger.show(opened.id)
        opened.withdraw()


def test_the_same_for_asyncio(province: Federation) -> None:
    """Opened, followed, found again and withdrawn, awaited."""

    async def story() -> list[str]:
        token = province.token("planner")
        async with landbridge.aconnect(province.address, token=token, ca=province.ca) as caller:
            opened = await caller.consult(SQL, purpose=PURPOSE, basis=BASIS, epsilon=0.4)
            again = await caller.consultation(opened.id)
            assert [event async for event in again.follow(0)] == []
            await again.withdraw()
            with pytest.raises(Refused):
                await again.answer()
            return [event.kind async for event in opened.follow(30)]

    assert asyncio.run(story()) == ["withdrawn"]


def test_following_goes_on_over_restarts(province: Federation) -> None:
    """The node is killed and comes back; nothing is left out or told twice, on both sides."""
    with client(province) as caller, province.reviewer("hilltop", "officer_hilltop") as officer:
        opened = caller.consult(SQL, purpose=PURPOSE, basis=BASIS, epsilon=0.5)
        with ThreadPoolExecutor(2) as pool:
            told = pool.submit(lambda: [each.kind for each in opened.follow(60)])
            watched = officer.follow(60)
            number = next(each for each in watched if each.consultation == opened.id[8:]).number
            officer.ask(officer.show(opened.id), "Which fund?")
            province.kill("hilltop")
            province.restart("hilltop")
            again = found_again(caller, opened.id)
            again.reply("The relief fund.")
            officer2 = province.reviewer("hilltop", "officer_hilltop")
            officer2.decline(officer2.show(opened.id), "The fund is closed.")
            kinds = []
            for event in officer2.follow(30, after=number):
                kinds.append(event.kind)
                if event.kind == "declined":
                    break
            officer2.close()
            assert kinds == ["asked", "replied", "declined"]
            assert told.result(timeout=90) == ["asked", "replied", "declined"]


def found_again(caller: Client, identifier: str) -> Consultation:
    """The consultation, once the gateway has found the restarted node."""
    for _ in range(100):
        try:
            return caller.consultation(identifier)
        except Unavailable:
            time.sleep(0.2)
    raise AssertionError("the node does not answer after its restart")


def test_the_same_by_hand(province: Federation, tmp_path: Path) -> None:
    """`landbridge consult` and `landbridge review`, each its own process."""
    files = {}
    for name in ("planner", "officer_hilltop"):
        files[name] = tmp_path / name
        files[name].write_text(province.token(name))
    asking = ["--address", province.address, "--ca", str(province.ca),
              "--token-file", str(files["planner"])]  # fmt: skip
    officer = ["--socket", str(province.state / "hilltop" / "review"),
               "--token-file", str(files["officer_hilltop"])]  # fmt: skip
    opened = run_apart("consult", "open", SQL, "--purpose", PURPOSE, "--basis", BASIS,
                       "--epsilon", "0.7", "--format", "json", *asking)  # fmt: skip
    assert opened.status == 0, opened.err
    identifier = json.loads(opened.out)["id"]
    listed = run_apart("review", "list", *officer)
    assert identifier[8:] in listed.out
    shown = run_apart("review", "show", identifier, *officer)
    assert f"basis:      {BASIS}" in shown.out
    assert "it takes:   level restricted, access" in shown.out
    stale = run_apart("review", "approve", identifier, "--turn", "9", *officer)
    assert "CONSULTATION_CHANGED" in stale.err
    approved = run_apart("review", "approve", identifier, "--turn", "1", *officer)
    assert "approved, turn 2" in approved.out
    answered = run_apart("consult", "answer", identifier, *asking)
    assert answered.status == 0, answered.err
    assert "often" in answered.out
    again = run_apart("consult", "answer", identifier, *asking)
    assert "GRANT_SPENT" in again.err

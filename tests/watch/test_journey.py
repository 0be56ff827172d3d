"""The example `flood_season`: its story, and what becomes of watches when everything is killed."""

from __future__ import annotations

import asyncio
import json
import random
import re
import runpy
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import landbridge
import landbridge.testing
from landbridge.client import Client
from landbridge.errors import LandbridgeError, Refused
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.federation.running import Federation
from landbridge.watch import WatchEvent
from landbridge.watch_handle import Watch
from tests.cli.commands import run_apart
from tests.evidence.schema import problems

FOLDER = Path(__file__).parents[2] / "examples" / "flood_season"
PURPOSE = "dpv:PublicSafety"
HIGH = "SELECT gauge, count(*) AS hours FROM water.levels WHERE level_cm >= 100 GROUP BY gauge"
SEED = 20_261_127

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def valley() -> Iterator[Federation]:
    """Gateway and five offices, real processes."""
    with landbridge.testing.federation(FOLDER) as running:
        yield running
        for name in (None, "water", "hotline"):
            for _, entry in verify_folder(running.log(name)).entries():
                if json.loads(entry)["kind"] in ("watch", "alert"):
                    assert problems(entry) == []


def entries(folder: Path, kind: str, watch: str) -> list[Entry]:
    """What the published log says of a watch."""
    found = (Entry.from_bytes(entry) for _, entry in verify_folder(folder).entries())
    return [entry for entry in found if entry.kind == kind and entry.watch == watch]


def wait(ready: Callable[[], bool]) -> None:
    """Returns when it is so; what is durable is published a moment later."""
    for _ in range(200):
        if ready():
            return
        time.sleep(0.1)
    assert ready()


def always(client: Client, **terms: object) -> Watch:
    """A watch that tells every second."""
    given: dict[str, object] = {"when": "hours >= 1", "every": 1, "rest": 0, **terms}
    return client.watch(HIGH, purpose=PURPOSE, **given)  # type: ignore[arg-type]


def take(watch: Watch, count: int, after: str = "") -> list[WatchEvent]:
    """The next events."""
    found = []
    for event in watch.follow(timeout=90, after=after):
        found.append(event)
        if len(found) == count:
            break
    return found


@pytest.mark.usefixtures("valley")
def test_the_script_tells_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    """An alert without a person, one about persons without a number, a team, a refusal."""
    assert len((FOLDER / "run.py").read_text().splitlines()) < 80
    runpy.run_path(str(FOLDER / "run.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert "Watching: hours >= 1 by unprotected, n >= 300 (+- 34) by dp" in told
    assert "Alert of the rain: 13 mm in the upper valley" in told
    assert "Alert 1 of the river: {'bridge': 2.0, 'weir': 1.0}" in told
    assert "Alert of the hotline: riverside, number None" in told
    assert "Response for riverside: approved" in told
    assert "Response for harbour: refused, because NO_BOAT" in told
    assert "The hotline's watch: 1 alert, state ended: stopped" in told


def test_an_alert_survives_the_death_of_gateway_node_and_subscriber(valley: Federation) -> None:
    """Killed at random moments, by a seed: every alert once or more, in order, none left out."""
    chance = random.Random(SEED)
    print("seed", SEED)  # noqa: T201 - a failure can then be repeated
    with valley.client("operations") as client:
        watch = always(client)
        heard: list[WatchEvent] = []
        token = ""
        for victim in ("gateway", "water", "gateway"):
            for event in take(watch, chance.randint(1, 2), token):
                heard.append(event)
                token = event.token
            time.sleep(chance.random())
            if victim == "gateway":
                valley.kill_gateway()
                valley.start_gateway()
            else:
                valley.kill(victim)
                valley.restart(victim)
            # A subscriber that died with it, and did not keep its last token.
            token = heard[-2].token if len(heard) > 1 else ""
            client.close()
            client = valley.client("operations")
            watch = client.watching(watch.id)
        heard += take(watch, 2, token)
        numbers = [event.number for event in heard]
        last = max(numbers)
        assert sorted(set(numbers)) == list(range(1, last + 1))
        same = {event.number: event for event in heard}
        assert all(same[event.number].cells == event.cells for event in heard)
        view = watch.refresh()
        assert view.alerts >= last
        assert view.state == "standing"
        watch.stop()
        client.close()
    known = {f"event {number}: alert" for number in numbers}
    wait(lambda: known <= {each.note for each in entries(valley.log(), "alert", watch.id)})
    gateway = entries(valley.log(), "alert", watch.id)
    assert len({each.note for each in gateway}) == len(gateway)  # each alert singly, and once
    node = {each.question_id for each in entries(valley.log("water"), "alert", watch.id)}
    assert {each.question_id for each in gateway} <= node
    for event in heard:
        event.receipt.verify((valley.log() / "vkey").read_text().strip())


def test_a_watch_tells_its_organisation_and_nobody_else(valley: Federation) -> None:
    """Who may query may not watch, and cannot see that there is a watch."""
    with valley.client("operations") as centre, valley.client("newspaper") as paper:
        watch = always(centre)
        assert watch.id in {view.id for view in centre.watches()}
        assert paper.watches(ended=True) == ()
        for act in (
            lambda: paper.watching(watch.id),
            lambda: list(Watch(paper._driver, watch.view).follow(timeout=5)),
            lambda: Watch(paper._driver, watch.view).stop(),
        ):
            with pytest.raises(Refused) as refused:
                act()
            assert refused.value.reason == "NOT_AVAILABLE"
        with pytest.raises(Refused) as denied:
            always(paper)
        assert denied.value.reason == "ACCESS_DENIED"
        with pytest.raises(LandbridgeError) as foreign:
            next(watch.follow(timeout=5, after=f"{'0' * 32}:1"))
        assert foreign.value.reason == "INVALID_ARGUMENT"
        watch.stop()


def test_following_ends_with_the_watch_and_begins_where_it_is_told(valley: Federation) -> None:
    """With threads and with asyncio the same."""
    with valley.client("operations") as client:
        watch = always(client)
        first = take(watch, 2)
        watch.stop()
        rest = list(watch.follow(timeout=60, after=first[0].token))
        assert rest[-1].kind == "ended"
        assert rest[-1].reason == "stopped"
        assert [event.number for event in rest] == list(range(2, rest[-1].number + 1))
        assert list(watch.follow(timeout=60, after=rest[-1].token)) == []

        async def later() -> list[WatchEvent]:
            async with landbridge.aconnect(
                valley.address, token=valley.token("operations"), ca=valley.ca
            ) as aclient:
                found = await aclient.watching(watch.id)
                assert (await found.refresh()).state == "ended"
                return [event async for event in found.follow(timeout=60, after=first[1].token)]

        assert asyncio.run(later()) == rest[1:]


def test_the_page_s_example_runs(valley: Federation) -> None:
    """As docs/watch.md has it, following for a moment only; a trend is in tests/submission."""
    page = (FOLDER.parents[1] / "docs" / "watch.md").read_text()
    block, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with valley.client("operations") as client:
        text = block.replace("follow(after=token)", "follow(1, after=token)")
        assert text != block
        exec(compile(text, "watch.md", "exec"), {"client": client, "token": ""})  # noqa: S102


@pytest.mark.parametrize(
    ("sql", "when", "reason"),
    [
        ("SELECT count(*) AS n FROM water.levels", "m >= 1", "INVALID_ARGUMENT"),
        ("SELECT count(*) AS n FROM water.levels", "n = 1", "INVALID_ARGUMENT"),
        ("SELECT count(*) AS n FROM water.levels", "n >= 1; n > 2", "INVALID_ARGUMENT"),
        ("SELECT avg(level_cm) AS n FROM water.levels", "n >= 1", "INVALID_ARGUMENT"),
        (
            "SELECT count(*) AS n FROM water.levels HAVING count(*) > 3",
            "n >= 1",
            "INVALID_QUESTION",
        ),
        ("SELECT gauge FROM water.levels", "gauge >= 1", "INVALID_QUESTION"),
    ],
)
def test_what_cannot_stand_is_refused_with_what_would(
    valley: Federation, sql: str, when: str, reason: str
) -> None:
    """Before any department is asked."""
    with valley.client("operations") as client, pytest.raises(LandbridgeError) as refused:
        client.watch(sql, when=when, purpose=PURPOSE)
    assert refused.value.reason == reason


def test_the_command_line_makes_follows_and_stops_watches(
    valley: Federation, tmp_path: Path
) -> None:
    """With a file that keeps the resume token between two runs."""
    token = tmp_path / "token"
    token.write_text(valley.token("operations"))
    to = ["--address", valley.address, "--ca", str(valley.ca), "--token-file", str(token)]
    made = run_apart(
        "watch", "create", HIGH, "--when", "hours >= 1", "--every", "1", "--rest", "0",
        "--purpose", PURPOSE, "--format", "json", *to,
    )  # fmt: skip
    watch = json.loads(made.out)["id"]
    keep = tmp_path / "resume"
    follow = ["watch", "follow", watch, "--keep", str(keep), "--format", "json", *to]
    first = run_apart(*follow, "--timeout", "4").out.splitlines()
    numbers = [json.loads(line)["number"] for line in first]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers
    assert keep.read_text().strip() == f"{watch}:{numbers[-1]}"
    assert watch in run_apart("watch", "list", *to).out
    assert "state:        ended: stopped" in run_apart("watch", "stop", watch, *to).out
    rest = run_apart(*follow, "--timeout", "20").out.splitlines()
    later = [json.loads(line) for line in rest]
    assert later[0]["number"] == numbers[-1] + 1
    assert later[-1]["kind"] == "ended"
    shown = run_apart("watch", "show", watch, *to).out
    assert "tells when:   hours >= 1" in shown

"""A federation whose members watch one another's logs: what a restored backup meets."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import landbridge
import landbridge.testing
from landbridge.cli import init
from landbridge.evidence import verify_folder
from landbridge.evidence.cosignature import Cosigner
from landbridge.federation.running import Federation
from tests.cli.commands import run_apart

pytestmark = pytest.mark.journey
PURPOSE = "dpv:ServiceOptimisation"
WAIT_SECONDS = 60.0


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Federation]:
    """Three processes: a gateway and one department, whose state outlives them."""
    assert run_apart("init", "federation", str(tmp_path / "town")).status == 0
    state = tmp_path / "state"
    with landbridge.testing.federation(tmp_path / "town", state=state) as running:
        yield running


def ask(town: Federation) -> None:
    """One question that is answered."""
    with town.client("planner") as client:
        assert client.query(init.QUESTION, purpose=PURPOSE).receipt is not None


def answered(town: Federation) -> bool:
    """Whether it is: a department that came back is found again within seconds."""
    try:
        ask(town)
    except landbridge.LandbridgeError:
        return False
    return True


def cosigners(town: Federation, department: str | None, witness: str) -> list[str]:
    """Who cosigned the published checkpoint."""
    key = Cosigner.load(town.state / witness / "witness.key").vkey
    return [found.witness for found in verify_folder(town.log(department), None, [key]).witnesses]


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for what happens off a question's path."""
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def put_back(state: Path, backup: Path) -> None:
    """As an operator does who has lost today's disk."""
    shutil.rmtree(state)
    shutil.copytree(backup, state)


def words(town: Federation, name: str) -> str:
    """What the operator of that server was told."""
    return (town.state / name / "stderr.log").read_text()


def test_members_cosign_one_anothers_logs(town: Federation) -> None:
    """The published checkpoints show it, and anybody can check it with the witness's key."""
    ask(town)
    gateway, node = f"{town.folder.name}/gateway", f"{town.folder.name}/library"
    eventually(lambda: cosigners(town, None, "library") == [f"{node}/witness"])
    eventually(lambda: cosigners(town, "library", "gateway") == [f"{gateway}/witness"])


def test_a_gateway_on_yesterdays_backup_answers_nothing_and_says_why(town: Federation) -> None:
    """F13: the copy agrees with itself in every byte; the node remembers more."""
    ask(town)
    state = town.state / "gateway"
    town.stop_gateway()
    backup = town.state / "yesterday"
    shutil.copytree(state, backup)
    town.start_gateway()
    ask(town)
    eventually(lambda: cosigners(town, None, "library") != [])
    town.stop_gateway()
    newest = town.state / "newest"
    shutil.copytree(state, newest)
    put_back(state, backup)
    town.start_gateway()
    size = verify_folder(town.log()).size
    with town.client("planner") as client:
        with pytest.raises(landbridge.Unavailable) as refused:
            client.query(init.QUESTION, purpose=PURPOSE)
        assert refused.value.reason == "LOG_CONTRADICTED"
        with pytest.raises(landbridge.Unavailable, match="LOG_CONTRADICTED"):
            client.explain(init.QUESTION, purpose=PURPOSE)
    assert verify_folder(town.log()).size == size, "it signed nothing more"
    assert "it was put back to an older copy" in words(town, "gateway")
    town.stop_gateway()
    put_back(state, newest)
    town.start_gateway()
    ask(town)


def test_a_node_on_yesterdays_backup_is_stopped_by_the_gateway(town: Federation) -> None:
    """Its ledger is yesterday's too: the budget that was spent since would be spent again."""
    ask(town)
    eventually(lambda: cosigners(town, "library", "gateway") != [])
    state = town.state / "library"
    town.stop("library")
    backup = town.state / "yesterday"
    shutil.copytree(state, backup)
    town.restart("library")
    before = verify_folder(town.log("library")).size
    eventually(lambda: answered(town))
    eventually(
        lambda: (
            verify_folder(town.log("library")).size > before
            and cosigners(town, "library", "gateway") != []
        )
    )
    town.stop("library")
    put_back(state, backup)
    restored = (town.log("library") / "checkpoint").read_text()
    town.restart("library")
    eventually(lambda: "put back to an older copy" in words(town, "library"))
    with town.client("planner") as client, pytest.raises(landbridge.Unavailable) as refused:
        client.query(init.QUESTION, purpose=PURPOSE)
    assert refused.value.missing == ("library",)
    # Not even its start was signed over what it had lost.
    now = (town.log("library") / "checkpoint").read_text()
    assert now.split("\n")[:3] == restored.split("\n")[:3]


def test_a_gateway_with_a_quorum_waits_for_its_witness_and_goes_on_by_itself(
    town: Federation,
) -> None:
    """F24: unknown means no, after a start most of all; and nobody has to mend anything."""
    ask(town)
    town.stop_gateway()
    town.stop("library")
    with (town.state / "gateway" / "gateway.toml").open("a") as settings:
        settings.write("quorum = 1\n")  # its last table is [log]
    town.start_gateway()
    with town.client("planner") as client, pytest.raises(landbridge.Unavailable) as refused:
        client.query(init.QUESTION, purpose=PURPOSE)
    assert refused.value.reason == "LOG_UNWITNESSED"
    town.restart("library")

    eventually(lambda: answered(town))

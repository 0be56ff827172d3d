"""The example `census_two_server` over real processes: its story, and an office killed in it."""

from __future__ import annotations

import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import landbridge.testing
from landbridge.errors import LandbridgeError, Unavailable
from landbridge.evidence.audit import verify_folder
from landbridge.federation.running import Federation
from tests.cli.commands import PROGRAM, run_apart
from tests.evidence.schema import problems

FOLDER = Path(__file__).parents[2] / "examples" / "census_two_server"
PURPOSE = "dpv:ServiceProvision"

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def offices() -> Iterator[Federation]:
    """Gateway and two offices, real processes; afterwards every entry fits its schema."""
    with landbridge.testing.federation(FOLDER) as running:
        yield running
        for name in (None, "registry", "statistics"):
            for _, entry in verify_folder(running.log(name)).entries():
                assert problems(entry) == []


def test_both_offices_hold_the_same_contract() -> None:
    """A byte of difference, and nothing opens."""
    texts = [
        (FOLDER / name / "contracts" / "household.odcs.yaml").read_bytes()
        for name in ("registry", "statistics")
    ]
    assert texts[0] == texts[1]


@pytest.mark.usefixtures("offices")
def test_the_script_tells_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    """Too few, three totals, and none of them twice."""
    assert len((FOLDER / "run.py").read_text().splitlines()) < 80
    runpy.run_path(str(FOLDER / "run.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert "arrears: both offices hold their share of 30 answers" in told
    assert "Refused: BATCH_TOO_SMALL" in told
    assert "Not sent: The value is none that household.persons can have." in told
    assert "of 60 reports, which are in no other." in told
    assert "Collected once: BATCH_TOO_SMALL" in told


@pytest.mark.parametrize("victim", ["registry", "statistics"])
def test_an_office_that_is_killed_between_the_rounds_has_lost_nothing(
    offices: Federation, victim: str
) -> None:
    """Kill -9 after the shares came; the total is of all of them, and charged once."""
    column = "heating" if victim == "registry" else "persons"
    value = "wood" if victim == "registry" else 8
    caller = "north" if victim == "registry" else "south"
    with offices.client(caller) as north, offices.client("planner") as planner:
        assert north.contribute("household", column, *[value] * 20, purpose=PURPOSE).accepted == 20
        offices.kill(victim)
        with pytest.raises(LandbridgeError) as lost:
            planner.collect("household", column, purpose=PURPOSE)
        assert isinstance(lost.value, Unavailable)
        offices.restart(victim)
        other = "south" if caller == "north" else "north"
        with offices.client(other) as more:
            more.contribute("household", column, *[value] * 20, purpose=PURPOSE)
        answer = planner.collect("household", column, purpose=PURPOSE, epsilon=4)
        rows = {row[0]: row[1] for row in answer.rows()}
        width = answer.accuracy["count" if column == "heating" else "sum"][-1] or 0
        total, truth = (rows["wood"], 40) if column == "heating" else (rows[40], 320)
        # Five times the 95 % half-width is ten deviations: a false alarm in 10^22.
        assert abs(int(str(total)) - truth) <= 5 * width


def test_a_person_can_do_it_by_hand(offices: Federation, tmp_path: Path) -> None:
    """On the command line: a word for a value, and a batch that is too small."""

    def asking(caller: str) -> list[str]:
        token = tmp_path / caller
        token.write_text(offices.token(caller))
        return [
            "--purpose", PURPOSE, "--address", offices.address, "--ca", str(offices.ca),
            "--token-file", str(token),
        ]  # fmt: skip

    def typing(column: str, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, "contribute", "household", column, *asking("north")],
            input=line, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    took = typing("arrears", "true\n")
    assert (took.returncode, took.stdout) == (0, "Both departments hold their share.\n")
    wrong = typing("persons", "many\n")
    assert wrong.returncode != 0
    assert "It is a whole number from 1 to 8." in wrong.stderr
    small = run_apart("collect", "household", "arrears", *asking("planner"))
    assert small.status != 0
    assert "BATCH_TOO_SMALL" in small.err

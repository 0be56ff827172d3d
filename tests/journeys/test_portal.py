"""An aircraft's owner asks who looked at it, over real gRPC, real logs and the command line."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

import landbridge
from landbridge.evidence.audit import verify_folder
from landbridge.federation.running import Federation
from tests.cli.commands import PROGRAM, environment

pytestmark = pytest.mark.journey

LAW = "dpv:LegalCompliance"
RIGHTS = "dpv:RightsFulfilment"
AIRCRAFT = "N10156"


def command(nyc: Federation, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """The portal's command line."""
    variables = environment(
        LANDBRIDGE_ADDRESS=nyc.address,
        LANDBRIDGE_CA=str(nyc.ca),
        LANDBRIDGE_TOKEN=nyc.token("owners-portal"),
    )
    return subprocess.run(
        [*PROGRAM, *words], env=variables, input=said, capture_output=True, text=True, check=False
    )


def test_who_looked_is_told_and_the_looking_up_is_logged(nyc: Federation) -> None:
    """The register's log answers by itself; the aircraft's number stands in no log."""
    with nyc.client("carol") as client:
        client.call("faa.airworthiness_band", purpose=LAW, tailnum=AIRCRAFT)
    with nyc.client("owners-portal") as client:
        for _ in range(50):
            found = client.about(AIRCRAFT, purpose=RIGHTS)
            if found.accesses:
                break
            time.sleep(0.1)  # a log is published twice a second
    access = found.accesses[0]
    assert (access.department, access.organisation) == ("faa", "safety-authority")
    assert (access.purpose, access.what) == (LAW, "faa.airworthiness_band")
    assert found.whole
    assert found.receipt is not None
    found.receipt.verify((nyc.log() / "vkey").read_text().strip())
    for name in (None, "faa", "ewr"):
        for path in (path for path in Path(nyc.log(name)).rglob("*") if path.is_file()):
            assert AIRCRAFT.encode() not in path.read_bytes()
    kinds = [json.loads(entry)["kind"] for _, entry in verify_folder(nyc.log("faa")).entries()]
    assert "call" in kinds


def test_the_command_reads_the_subject_where_nobody_can_list_it(nyc: Federation) -> None:
    """`-` is standard input; the list is a table, or JSON for a portal's own page."""
    ended = command(
        nyc, "about", "-", "--purpose", RIGHTS, "--format", "json", said=AIRCRAFT + "\n"
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {access["organisation"] for access in json.loads(ended.stdout)["accesses"]} == {
        "safety-authority"
    }
    assert "safety-authority" in command(nyc, "about", AIRCRAFT, "--purpose", RIGHTS).stdout


def test_nobody_but_the_portal_may_look(nyc: Federation) -> None:
    """Whoever looks at aircraft by law may not read who else did."""
    with (
        nyc.client("carol") as client,
        pytest.raises(landbridge.Refused, match="ACCESS_DENIED"),
    ):
        client.about(AIRCRAFT, purpose=LAW)

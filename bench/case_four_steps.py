"""`case_four_steps`: a case whose four steps run at once, from open_case to the decision."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from bench import offices
from bench.row import Aim, Row, RowFailed, Say
from bench.samples import in_turn, seconds
from landbridge.client import Client
from landbridge.testing import federation

ROUNDS: Final = 15
SUBJECT: Final = "R-100"
ALLOWED: Final = 20.0
"""Milliseconds above twice the slowest step."""


def measure(say: Say) -> Row:
    """Milliseconds for one case, one applicant."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        place = offices.lay(Path(folder) / "offices")
        with federation(place, progress=say) as running, running.client("desk") as client:
            say(f"opening {ROUNDS} cases of four steps")
            ours, floor = in_turn(
                lambda: 1e3 * seconds(lambda: _case(client)),
                lambda: 1e3 * max(_calls(client)),
                rounds=ROUNDS,
                warm_up=2,
            )  # fmt: skip
    return Row.of(
        "case_four_steps",
        ours,
        floor,
        better="lower",
        aim=Aim("value", 2 * median(floor) + ALLOWED),
        note="milliseconds; open_case and wait, four steps of two departments at once, each "
        f"{offices.MILLISECONDS} ms of work; floor: the slowest of the four called by itself",
    )


def _case(client: Client) -> None:
    case = client.open_case(offices.PROCEDURE, purpose=offices.PURPOSE, company=SUBJECT)
    if case.wait(30).state != "approved":
        raise RowFailed(f"The case ended as {case.state}.")


def _calls(client: Client) -> list[float]:
    """Seconds for each of the four, called by itself."""

    def call(handler: str) -> None:
        client.call(handler, purpose=offices.PURPOSE, company_id=SUBJECT)

    return [seconds(partial(call, each)) for each in offices.HANDLERS]

"""`startup`: from spawn to the line that says that a server listens."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from bench.demo import FOLDER
from bench.floor import echo, running
from bench.row import Row, Say
from bench.samples import in_turn
from landbridge.federation.process import spawn
from landbridge.testing import federation

NODE: Final = "ewr"
ROUNDS: Final = 5


def measure(say: Say) -> Row:
    """Seconds until the demo's `ewr` node listens with its data open; the gateway's in the note."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        state = Path(folder) / "state"
        with federation(FOLDER, state=state, progress=say):
            say(f"starting a gateway of its own {ROUNDS} times beside the nodes")
            settings = _second_gateway(state, Path(folder) / "second")
            gateway, beside = in_turn(
                lambda: _start("gateway", "gateway", settings), _start_floor, rounds=ROUNDS
            )
        say(f"starting node {NODE} {ROUNDS} times")
        node, floor = in_turn(
            lambda: _start(NODE, "nodes", state / NODE / "node.toml"), _start_floor, rounds=ROUNDS
        )
    return Row.of(
        "startup",
        node,
        floor,
        better="lower",
        note=f"seconds; spawn to ready line, node {NODE} with loaded data and a warm worker; "
        f"gateway of five nodes {median(gateway):.2f} ({min(gateway):.2f} to {max(gateway):.2f}), "
        f"{median(gateway) / median(beside):.1f} times its own floor; floor: a plain gRPC server",
    )


def _start(name: str, module: str, settings: Path) -> float:
    started = time.perf_counter()
    with running(spawn(name, module, settings)):
        return time.perf_counter() - started


def _start_floor() -> float:
    started = time.perf_counter()
    with echo():
        return time.perf_counter() - started


def _second_gateway(state: Path, place: Path) -> Path:
    """Settings of a gateway of the same members whose state is its own.

    The federation's own gateway keeps running, and with it the lock on its state.
    """
    place.mkdir()
    # The manifest is signed with this key; a gateway with another one does not start.
    shutil.copy2(state / "gateway" / "signing.key", place)
    text = (state / "gateway" / "gateway.toml").read_text("utf-8")
    own = f"state = {json.dumps(str(place))}"
    settings = place / "gateway.toml"
    settings.write_text(
        text.replace(f"state = {json.dumps(str(state / 'gateway'))}", own), encoding="utf-8"
    )
    return settings

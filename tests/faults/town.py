"""A town of two departments that hold loans: what the faults happen to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from landbridge.federation.ground import HOST
from landbridge.federation.running import Federation
from tests.faults.proxy import Line, line
from tests.operating import town
from tests.ports import free_port

PURPOSE = town.PURPOSE
DEPARTMENTS = ("archive", "library")
MEMBER = '\n[[members]]\ndepartment = "archive"\ntitle = "Town archive"\nport = 0\n'


def write(folder: Path) -> Path:
    """The federation's folder, with budgets for thousands of questions."""
    place = town.write(folder, capital=100_000)
    shutil.copytree(place / "library", place / "archive")
    shutil.rmtree(place / "archive" / "handlers")
    access = place / "archive" / "access.cedar"
    before, _, rest = access.read_text().partition("// The desk asks")
    access.write_text(before + rest[rest.index("// Nobody reads") :])
    with (place / "federation.toml").open("a") as description:
        description.write(MEMBER)
    return place


def fix_port(running: Federation) -> str:
    """Starts the gateway anew at a port that it keeps over restarts; gives its address."""
    running.stop_gateway()
    path = running.state / "gateway" / "gateway.toml"
    port = free_port()
    path.write_text(path.read_text().replace(':0"', f':{port}"', 1))
    running.start_gateway()
    assert running.address.endswith(f":{port}"), json.dumps(path.read_text())
    return running.address


@contextmanager
def lines(running: Federation) -> Iterator[dict[str, Line]]:
    """Lines between the gateway and each department, taken when the gateway starts again."""
    with ExitStack() as open_lines:
        found = {
            name: open_lines.enter_context(line(f"{HOST}:{running.node_port(name)}"))
            for name in DEPARTMENTS
        }
        running.stop_gateway()
        running.reach({name: each.address for name, each in found.items()})
        running.start_gateway()
        yield found


def folders(running: Federation) -> dict[str, Path]:
    """Every log of the town by its keeper's name; the gateway's is "gateway"."""
    return {
        "gateway": running.log(),
        **{department: running.log(department) for department in DEPARTMENTS},
    }

"""Takes the measurements that the costs are fitted to, in processor time, on this machine.

Each is the product's own code: the demo's handler through real processes, a crowd's rows through a
node's engine, fifty departments over gRPC in this process. A loaded machine makes the same work
dearer: the quietest of some rounds counts, and the file says when and how loaded it was.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bench import handler_rate
from bench.crowd import ask, crowd, engine
from bench.demo import FOLDER, LAW, RESEARCH
from bench.handler_path import HANDLER, SUBJECT
from bench.many import DEPARTMENTS, PLAIN, many
from bench.row import Say
from landbridge.evidence.audit import verify_folder
from landbridge.federation.running import Federation
from landbridge.protocols.masks import Exchanges, masked, to_words
from landbridge.testing import federation

CALLERS: Final = 16
SECONDS: Final = 3.0
ROUNDS: Final = 5
ROWS: Final = (100_000, 1_000_000, 4_000_000)
REMEMBERED: Final = "SELECT count(*) AS n FROM planes WHERE year > 1990"
LOCKED: Final = 0.77
"""By perf, 27 November 2026: the samples of a busy gateway that are neither the kernel's (14 %) nor
of gRPC's own threads (9 %)."""


def measured(say: Say) -> dict[str, Any]:
    """All of them, in the units of `bench.scale.costs.Costs.of`."""
    found: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "locked_share": LOCKED,
    }
    say("calls and remembered questions, through real processes")
    with federation(FOLDER) as running:
        found |= _calls(running)
    found["scan_ms"] = [[rows, round(_scan(rows, say), 2)] for rows in ROWS]
    say(f"{DEPARTMENTS} departments")
    found |= _many()
    found["mask_us"] = round(_mask(), 1)
    return found


def _used(running: Federation) -> dict[str, float]:
    node = running.process_id("faa")
    processes = {
        "gateway": [running.process_id()],
        "node": [node],
        "worker": handler_rate.children(node),
    }
    return {name: sum(map(handler_rate.seconds_of, pids)) for name, pids in processes.items()}


def _calls(running: Federation) -> dict[str, Any]:
    def call(client: Any) -> None:
        client.call(HANDLER, purpose=LAW, tailnum=SUBJECT)

    def question(client: Any) -> None:
        client.query(REMEMBERED, purpose=RESEARCH)

    calls = _quietest(running, "carol", call)
    questions = _quietest(running, "alice", question)
    sizes, spent = [], 0.0
    time.sleep(1.0)  # published twice a second
    for name in (None, "faa"):
        start = time.process_time()
        log = verify_folder(running.log(name))
        sizes += [len(content) for _, content in log.entries()]
        spent += time.process_time() - start
    return {
        "call_ms": {name: round(1e3 * each, 3) for name, each in calls.items()},
        "remembered_ms": round(1e3 * sum(questions.values()), 3),
        "entry_bytes": round(sum(sizes) / len(sizes)),
        "verify_us": round(1e6 * spent / len(sizes), 1),
        "sync_ms": round(1e3 * _sync(running.state), 3),
    }


def _quietest(
    running: Federation, caller: str, ask_once: Callable[[Any], None]
) -> dict[str, float]:
    """Seconds of each process for one of them, in the round in which they took the fewest.

    The first round is not counted: in it the node's second worker starts.
    """
    found = []
    for number in range(1 + ROUNDS):
        before = _used(running)
        count = _together(running, caller, ask_once, SECONDS)
        after = _used(running)
        if number:
            found.append({name: (after[name] - before[name]) / count for name in before})
    return min(found, key=lambda each: sum(each.values()))


def _together(
    running: Federation, caller: str, ask_once: Callable[[Any], None], seconds: float
) -> int:
    end = time.monotonic() + seconds
    counts = [0] * CALLERS

    def go_on(number: int) -> None:
        with running.client(caller) as client:
            while time.monotonic() < end:
                ask_once(client)
                counts[number] += 1

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _sync(folder: Path) -> float:
    """The median second of one appended and synced kilobyte."""
    path = folder / "sync"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(bytes(1_024))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    path.unlink()
    return sorted(taken)[len(taken) // 2]


def _scan(rows: int, say: Say) -> float:
    """Milliseconds of processor time for a fresh question over so many rows, the best of five."""
    with crowd(1, say, rows) as people:
        contract = people.contract()
        with engine(people.loaded(contract, "store")) as running:
            best = float("inf")
            for _ in range(5):
                before = time.process_time() + sum(map(handler_rate.seconds_of, running.pids))
                for _ in range(3):
                    ask(running, contract)
                used = time.process_time() + sum(map(handler_rate.seconds_of, running.pids))
                best = min(best, (used - before) / 3)
    return 1e3 * best


def _many() -> dict[str, float]:
    """Milliseconds of processor time, both ends together, for one department of fifty."""
    with many() as town:
        _wide(town, 0)
        part = min(_own(partial(_wide, town, number)) for number in range(1, 1 + ROUNDS))
        upkeep = min(_own(town.departments.refresh) for _ in range(ROUNDS))
    return {
        "part_ms": round(1e3 * part / DEPARTMENTS, 3),
        "upkeep_ms": round(1e3 * upkeep / DEPARTMENTS, 3),
    }


def _wide(town: Any, number: int) -> None:
    town.query(
        f"SELECT count(*) AS n FROM {PLAIN} WHERE income < {1_000 + number} GROUP BY district",
        seconds=120,
    )


def _own(work: Callable[[], object]) -> float:
    """Seconds of this process's time, user and system, that it took."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _mask() -> float:
    """Microseconds for one pair's masks over eight cells, at one of the two."""
    keys = {f"d{number:03}": X25519PrivateKey.generate() for number in range(201)}
    public = {name: key.public_key() for name, key in keys.items()}
    cells, exchanges = to_words([1] * 8), Exchanges(keys["d000"])
    best = float("inf")
    for _ in range(4):  # the first makes the exchanges, which a node remembers
        before = time.process_time()
        masked(cells, "d000", exchanges, public, secrets.token_bytes(32))
        best = min(best, time.process_time() - before)
    return 1e6 * best / 200


def write(path: Path, say: Say) -> None:
    """Measures, and writes the file."""
    path.write_text(json.dumps(measured(say), indent=1) + "\n", "utf-8")

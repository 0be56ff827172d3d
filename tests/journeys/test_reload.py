"""SIGHUP to real servers under load: the next policy counts, and nobody's request fails for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import landbridge.testing
from landbridge.cli import init
from landbridge.errors import LandbridgeError
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.federation.running import Federation

pytestmark = pytest.mark.journey
PURPOSE = "dpv:ServiceOptimisation"
CLOSED = '\n@id("closed") forbid (principal, action, resource);\n'


def changes(federation: Federation, department: str | None) -> list[Entry]:
    """The entries of kind policy_change in that log, as far as they are published."""
    found = verify_folder(federation.log(department)).entries()
    entries = [Entry.from_bytes(content) for _, content in found]
    return [entry for entry in entries if entry.kind == "policy_change"]


def hang_up(federation: Federation, department: str | None, count: int) -> None:
    """Sends SIGHUP and waits until that many changes were told to the operator."""
    os.kill(federation.process_id(department), signal.SIGHUP)
    said = federation.state / (department or "gateway") / "stderr.log"
    end = time.monotonic() + 20
    while said.read_text().count("policy") < count:
        assert time.monotonic() < end, f"{department} told of no change {count}"
        time.sleep(0.05)


def test_policies_are_replaced_under_load_without_one_failed_request(tmp_path: Path) -> None:
    """At node and gateway in turn; a contract's new terms, a broken contract, and a closing one."""
    folder = tmp_path / "town"
    init._write(folder, {"federation": ".", "department": "library", "rows": "library"})
    policies: dict[str | None, Path] = {
        None: folder / "gateway/access.cedar",
        "library": folder / "library/access.cedar",
    }
    contract = next((folder / "library/contracts").iterdir())
    with landbridge.testing.federation(folder) as federation:
        stopping, failures, asked = threading.Event(), list[str](), list[int]()

        def load() -> None:
            count = 0
            with federation.client("planner") as client:
                while not stopping.is_set():
                    try:
                        client.query(init.QUESTION, purpose=PURPOSE)
                        count += 1
                    except LandbridgeError as refusal:
                        failures.append(str(refusal))
            asked.append(count)

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for number in (1, 2):
                for department, path in policies.items():
                    path.write_text(path.read_text() + f"// {number}\n")
                    hang_up(federation, department, number)
            good = contract.read_bytes()
            contract.write_bytes(good.replace(b"kind: DataContract", b"kind: Nothing"))
            hang_up(federation, "library", 3)
            contract.write_bytes(good)
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert min(asked) > 0
        with federation.client("planner") as client:
            policies["library"].write_text(policies["library"].read_text() + CLOSED)
            hang_up(federation, "library", 4)
            with pytest.raises(LandbridgeError) as closed:
                client.query(init.QUESTION, purpose=PURPOSE)
            assert closed.value.reason == "NOT_AVAILABLE"
        federation.stop("library")
        assert len(changes(federation, "library")) == 4
        refused = next(each for each in changes(federation, "library") if each.outcome)
        assert (refused.outcome, refused.reason) == ("refused", "POLICY_INVALID")
        assert contract.name in refused.note

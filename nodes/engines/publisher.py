"""The process that makes a table of what was collected, as a load of a file does.

Frames, as workers speak them: the set-up names the store's folder; then `{"contract", "document",
"source"}` loads the source, and without a source gives what is served a new version. A reply is
`{"version"}`, or `{"failed": true}`, which says nothing of why: the reasons can quote data.
"""

from __future__ import annotations

import os
import resource
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from nodes.engines import worker
from nodes.load import load
from nodes.store import Store
from policies import odcs
from policies.contract import Contract


def main() -> None:
    """Serves until the parent closes the pipe."""
    replies = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        setup = worker.receive(0)
        worker.die_with(setup["parent"])
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.umask(0o077)
        store = Store(Path(setup["store"]))
        known: dict[str, Contract] = {}
        worker.send(replies, {"ready": True})
        while True:
            frame = worker.receive(0)
            try:
                contract = known.get(frame["document"])
                if contract is None:
                    contract = odcs.read(frame["document"], frame["contract"])
                    known = {frame["document"]: contract}
                reply: dict[str, Any] = {"version": _renewed(store, contract, frame["source"])}
            except Exception:  # noqa: BLE001 - every failure looks the same; messages quote data
                reply = {"failed": True}
            worker.send(replies, reply)
    except (worker.ParentGone, BrokenPipeError):
        return


def _renewed(store: Store, contract: Contract, source: str) -> str:
    if source:
        report = load(contract, Path(source), store)
        assert report.loaded is not None
        if not report.unchanged:
            return report.loaded.version
    return renew(store, contract)


def renew(store: Store, contract: Contract) -> str:
    """The same table under another version; answers that were given are not given again."""
    current = store.current(contract.id)
    assert current is not None
    version = secrets.token_hex(16)
    with store.loading(contract.id) as folder:
        draft = folder / f"{version}.part"
        draft.hardlink_to(current.path)
        fresh = replace(current, version=version, path=folder / f"{version}.duckdb")
        store.publish(contract.id, fresh, draft)
    return version

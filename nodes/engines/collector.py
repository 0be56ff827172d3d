"""The process that holds one contract's collected records; it speaks frames, as workers do.

The first frame in is the set-up. Then `{"do": "stage"}` and so on, a reply each. After a failure it
ends: DuckDB's words could quote a record, so nobody hears them, and whoever asked starts another
one, which finds what was committed.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

from nodes.engines import database, worker
from nodes.engines.collected import Collected, OtherColumns
from nodes.engines.known import Known


def main() -> None:
    """Serves until the parent closes the pipe."""
    # Nothing but frames may reach the parent: whatever prints to descriptor 1 prints to nowhere.
    replies = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        setup = worker.receive(0)
        worker.die_with(setup["parent"])
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.umask(0o077)
        try:
            connection = database.open_for_collecting(
                setup["path"], spill=setup["spill"], memory_bytes=setup["memory_bytes"]
            )
            known = Known(Path(setup["path"]).with_name("known.sqlite"))
            collected = Collected(connection, [tuple(each) for each in setup["columns"]], known)
        except OtherColumns:
            worker.send(replies, {"broken": "columns"})
            return
        except database.Error:
            worker.send(replies, {"broken": "file"})
            return
        worker.send(replies, {"ready": True, **collected.standing()})
        while True:
            frame = worker.receive(0)
            try:
                reply = _done(collected, frame)
            except Exception:  # noqa: BLE001 - every failure looks the same; messages quote data
                worker.send(replies, {"failed": True})
                return
            worker.send(replies, reply)
    except (worker.ParentGone, BrokenPipeError):
        return


def _done(collected: Collected, frame: dict[str, Any]) -> dict[str, Any]:
    match frame["do"]:
        case "stage":
            return {"fates": collected.stage(frame)}
        case "commit":
            collected.commit()
        case "rollback":
            collected.rollback()
        case "export":
            return collected.export(frame["path"], frame["unit"], frame["least"])
        case "shown":
            collected.shown(frame["seq"], frame["at"])
        case "standing":
            return collected.standing()
        case _:
            raise ValueError
    return {"done": True}

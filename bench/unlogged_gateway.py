"""The gateway without a log: `python -m bench.unlogged_gateway serve SETTINGS --with-parent`."""

from __future__ import annotations

import sys

from bench.unlogged import NoLog, NoRecorder
from gateway import parts
from gateway.catalogue import Catalogue
from gateway.parts import part_of
from landbridge.v1 import evidence_pb2


def part(
    department: str,
    receipt: evidence_pb2.Receipt,
    question_id: str,
    known: Catalogue,
    seen: int,
) -> dict[str, object]:
    """As `part_of`, but for a department without a log, which has nothing to prove."""
    if not receipt.proof:
        return {"department": department}
    return part_of(department, receipt, question_id, known, seen)


def compose() -> None:
    """Before any other part of the gateway is there, which would have taken the real ones."""
    vars(parts).update(part_of=part)
    import gateway.app

    vars(gateway.app).update(Log=NoLog, Recorder=NoRecorder)


if __name__ == "__main__":
    compose()
    from gateway.__main__ import main

    sys.exit(main(sys.argv[1:]))

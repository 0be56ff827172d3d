"""The gateway without a log: `python -m bench.unlogged_gateway serve SETTINGS --with-parent`."""

from __future__ import annotations

import sys

import gateway.app
import gateway.asking
from bench.unlogged import NoLog, NoRecorder
from gateway.__main__ import main
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


if __name__ == "__main__":
    vars(gateway.app).update(Log=NoLog, Recorder=NoRecorder)
    vars(gateway.asking).update(part_of=part)
    sys.exit(main(sys.argv[1:]))

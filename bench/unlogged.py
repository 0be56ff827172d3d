"""Our own gateway and node without a log, put together by the benchmark and by nothing else.

The product has no switch for this: its composition roots name two classes, and `unlogged_gateway`
and `unlogged_node` put these in their place. What a service without a log would not do either is
left out with it: making entries, and checking that a department without a log has logged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from landbridge.edge.record import Draft, Recorder
from landbridge.evidence.gathering import Coming
from landbridge.evidence.receipt import Receipt
from landbridge.evidence.signer import Signer
from landbridge.evidence.witness_memory import Reply

NOTHING: Final = Receipt(b"", 0, b"", "")


class NoLog:
    """In a log's place: keeps nothing, proves nothing, never fails."""

    size: Final = 0
    coming = Coming()

    @classmethod
    def open(cls, folder: Path, state: Path, signer: Signer, **_: object) -> NoLog:
        """Reads and writes no file."""
        del folder, state, signer
        return cls()

    def require(self) -> None:
        """Nothing can be missing."""

    def append(self, entry: bytes) -> Receipt:
        """Forgets it."""
        del entry
        return NOTHING

    def next_request(self, witness: str, reply: Reply | None = None) -> bytes:
        """Asks nothing of a witness that comes by itself."""
        del witness, reply
        return b""

    def close(self) -> None:
        """Holds nothing."""


class NoRecorder(Recorder):
    """In a recorder's place: a request is served as ever and makes no entry."""

    def append(self, draft: Draft, **fields: Any) -> Receipt:
        """Makes none."""
        del draft, fields
        return NOTHING

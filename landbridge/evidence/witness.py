"""What a witness decides: whether a log's new checkpoint extends the one that it saw last.

Pure: a request, the logs that the witness knows and what it remembers of them go in, a verdict
comes out. Source: C2SP tlog-witness, add-checkpoint (https://c2sp.org/tlog-witness); the statuses
are that protocol's, over HTTP and gRPC alike.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from landbridge.evidence.checkpoint import Checkpoint, parse_count
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import EMPTY_ROOT, HASH_SIZE, check_consistency
from landbridge.evidence.note import Line, read_note, verified_lines
from landbridge.evidence.signer import Verifier, decode_base64

MOST_HASHES: Final = 63
LONGEST_REQUEST: Final = 64 * 1024
"""In bytes. A proof takes under 3 KiB; the rest is room for signatures."""

OK: Final = 200
MALFORMED: Final = 400
UNTRUSTED: Final = 403
UNKNOWN: Final = 404
STALE: Final = 409
INCONSISTENT: Final = 422

Logs = Mapping[str, Sequence[Verifier]]
"""The keys that a witness trusts, by the origin of their log."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A log's request: the checkpoint in `note` extends the tree of `old` entries, by `proof`."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    @property
    def body(self) -> bytes:
        """The request body of the protocol."""
        proof = "".join([base64.b64encode(part).decode() + "\n" for part in self.proof])
        return f"old {self.old}\n{proof}\n{self.note}".encode()

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        """The request in a body; nothing is verified yet. EvidenceError says what is malformed."""
        if len(body) > LONGEST_REQUEST:
            raise EvidenceError("request", f"it is longer than {LONGEST_REQUEST} bytes")
        try:
            head, gap, note = body.decode().partition("\n\n")
        except UnicodeDecodeError:
            raise EvidenceError("request", "it is not valid UTF-8") from None
        lines = head.split("\n")
        if not gap or not lines[0].startswith("old "):
            raise EvidenceError(
                "request", "it must be a line with the old size, a proof, an empty line and a note"
            )
        old = parse_count(lines[0].removeprefix("old "), "request, old size")
        if len(lines) - 1 > MOST_HASHES:
            raise EvidenceError("request", f"its proof has more than {MOST_HASHES} hashes")
        proof = tuple(decode_base64(line, "request, hash of the proof") for line in lines[1:])
        if any(len(part) != HASH_SIZE for part in proof):
            raise EvidenceError("request, hash of the proof", f"it must be {HASH_SIZE} bytes")
        return cls(old, proof, note)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The checkpoint may be cosigned once it is remembered; `lines`: the log's own, one a key."""

    checkpoint: Checkpoint
    lines: tuple[Line, ...]

    @property
    def note(self) -> str:
        """The checkpoint with the log's own signatures, and nobody else's."""
        return self.checkpoint.text + "\n" + "".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class Declined:
    """The checkpoint is not cosigned; `origin` where the log is known and signed the request."""

    status: int
    body: str
    origin: str = ""


Verdict = Accepted | Declined


def consider(body: bytes, logs: Logs, seen: Mapping[str, Checkpoint]) -> Verdict:
    """The verdict on a request, where `seen` is the last cosigned checkpoint of each log.

    A log that is not in `seen` counts as one of no entries. The checks come in the order that the
    protocol gives them, so that nobody learns a size without a key of the log.
    """
    try:
        request = AddCheckpoint.parse(body)
        text, lines = read_note(request.note)
        checkpoint = Checkpoint.parse(text)
    except EvidenceError as problem:
        return _declined(MALFORMED, str(problem))
    origin = checkpoint.origin
    verifiers = logs.get(origin)
    if not verifiers:
        return _declined(UNKNOWN, "No log of this origin is known here.")
    try:
        own = verified_lines(text, lines, verifiers)
    except EvidenceError:
        own = ()
    if not own:
        return _declined(UNTRUSTED, "No trusted key of this log signed the checkpoint.")
    if request.old > checkpoint.size:
        return Declined(MALFORMED, "The old size is above the checkpoint's.\n", origin)
    before = seen.get(origin) or Checkpoint(origin, 0, EMPTY_ROOT)
    if request.old != before.size:
        return Declined(STALE, f"{before.size}\n", origin)
    try:
        _extends(before, checkpoint, request.proof)
    except EvidenceError as problem:
        return Declined(INCONSISTENT, f"{problem}\n", origin)
    # One line of each key: whoever signs a hundred times must not make a note that is too long.
    once = {(line.name, line.key): line for line in reversed(own)}
    return Accepted(checkpoint, tuple(reversed(once.values())))


def _extends(before: Checkpoint, checkpoint: Checkpoint, proof: Sequence[bytes]) -> None:
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise EvidenceError("checkpoint", "a log of no entries has the root of the empty tree")
    check_consistency(before.size, checkpoint.size, proof, before.root, checkpoint.root)


def _declined(status: int, sentence: str) -> Declined:
    return Declined(status, f"{sentence}\n")

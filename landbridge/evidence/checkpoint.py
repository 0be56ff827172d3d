"""Checkpoints: a log's name, size and root, as the text of a signed note.

Source: C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import HASH_SIZE
from landbridge.evidence.note import open_note, sign_note
from landbridge.evidence.signer import Signer, Verifier, decode_base64


def parse_count(text: str, where: str) -> int:
    """An ASCII decimal without leading zeros, below 2^63; EvidenceError otherwise."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or text != str(int(text)):
        raise EvidenceError(where, "it must be a decimal number without leading zeros")
    if int(text) >= 1 << 63:
        raise EvidenceError(where, "it must be below 2^63")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of the log `origin`: `root` is the 32 bytes over its first `size` entries."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note text."""
        root = base64.b64encode(self.root).decode()
        return "\n".join((self.origin, str(self.size), root, *self.extensions, ""))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint of a note text; trust it only when the note was opened."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise EvidenceError("checkpoint", "it must be three or more lines, none of them empty")
        root = decode_base64(lines[2], "checkpoint, root hash")
        if len(root) != HASH_SIZE:
            raise EvidenceError("checkpoint, root hash", f"it must be {HASH_SIZE} bytes")
        size = parse_count(lines[1], "checkpoint, tree size")
        return cls(lines[0], size, root, tuple(lines[3:]))

    def sign(self, signer: Signer) -> str:
        """The signed note of this checkpoint."""
        return sign_note(self.text, signer)


def open_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """The checkpoint in a signed note, once the log's own key has signed it under its own name."""
    checkpoint = Checkpoint.parse(open_note(note, [verifier]).text)
    if checkpoint.origin != verifier.name:
        raise EvidenceError("checkpoint", "its origin is not the name of the key that signed it")
    return checkpoint

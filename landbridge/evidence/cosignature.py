"""Cosignatures: what a witness signs once it has seen that a log only grew, and when.

Source: C2SP tlog-cosignature, Ed25519 (https://c2sp.org/tlog-cosignature). The line stands under a
checkpoint like any signature of a note; its blob is `u64 seconds || 64 bytes of Ed25519`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key, write_key
from landbridge.evidence.note import Line, read_note, verified_lines
from landbridge.evidence.signer import check_name, key_id, parse_key

_COSIGNATURE: Final = b"\x04"
_PREFIX: Final = "PRIVATE+KEY+"
_LENGTH: Final = 8 + 64


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A cosignature that holds: whose, and at which time, in seconds since 1970."""

    witness: str
    time: int


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The public key of one witness: checks its cosignatures, and no other signature of its."""

    name: str
    id: bytes
    public: Ed25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def parse(cls, vkey: str) -> WitnessKey:
        """The key of a line `<name>+<hex id>+<base64(0x04 || 32 bytes)>`."""
        name, public = parse_key(vkey, "witness key", _COSIGNATURE)
        expected = key_id(name, public, _COSIGNATURE)
        if vkey.split("+", 2)[1] != expected.hex():
            raise EvidenceError("witness key", "the key id does not belong to this name and key")
        return cls(name, expected, Ed25519PublicKey.from_public_bytes(public))

    def check(self, signature: bytes, text: bytes) -> None:
        """Raise unless `signature` is this witness's over the checkpoint `text`."""
        where = f"cosignature of {self.name}"
        if len(signature) != _LENGTH:
            raise EvidenceError(where, f"it must be {_LENGTH} bytes")
        moment = timestamp(signature)
        if not 0 < moment < 1 << 63:
            raise EvidenceError(where, "its time must be above 0 and below 2^63")
        try:
            self.public.verify(signature[8:], _message(text, moment))
        except InvalidSignature:
            raise EvidenceError(where, "it does not belong to this checkpoint") from None


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's private key under its name; used for cosignatures and for nothing else."""

    name: str
    id: bytes
    vkey: str
    """The public line that verifies this witness."""
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def _of(cls, name: str, private: Ed25519PrivateKey) -> Cosigner:
        check_name(name)
        public = private.public_key().public_bytes_raw()
        ident = key_id(name, public, _COSIGNATURE)
        line = f"{name}+{ident.hex()}+{base64.b64encode(_COSIGNATURE + public).decode()}"
        return cls(name, ident, line, private)

    @classmethod
    def create(cls, name: str) -> Cosigner:
        """A new random key under that name."""
        return cls._of(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Cosigner:
        """The key of a file that `save` wrote; EvidenceError when others can read it."""
        try:
            text = read_key(path).decode().removesuffix("\n")
        except UnicodeDecodeError:
            text = ""
        if not text.startswith(_PREFIX):
            raise EvidenceError(str(path), "it is not the key of a witness")
        name, seed = parse_key(text.removeprefix(_PREFIX), str(path), _COSIGNATURE)
        cosigner = cls._of(name, Ed25519PrivateKey.from_private_bytes(seed))
        if text.split("+", 4)[3] != cosigner.id.hex():
            raise EvidenceError(str(path), "the key is damaged: its id does not belong to it")
        return cosigner

    def save(self, path: Path) -> None:
        """Write the key with mode 0600, in the form of a log's key with type 4."""
        material = base64.b64encode(_COSIGNATURE + self._private.private_bytes_raw()).decode()
        write_key(path, f"{_PREFIX}{self.name}+{self.id.hex()}+{material}\n".encode())

    def cosign(self, text: str, time: int) -> Line:
        """The line under the checkpoint `text`; `time` in seconds since 1970."""
        signature = self._private.sign(_message(text.encode(), time))
        return Line(self.name, self.id, time.to_bytes(8, "big") + signature)


def timestamp(signature: bytes) -> int:
    """The seconds since 1970 that a cosignature begins with."""
    return int.from_bytes(signature[:8], "big")


def cosignatures(note: str, witnesses: Iterable[WitnessKey]) -> tuple[Cosigned, ...]:
    """Which of these witnesses cosigned the checkpoint in `note`, each once, its latest.

    EvidenceError when one of theirs does not hold: such a note is malformed (signed-note).
    """
    text, lines = read_note(note)
    latest: dict[str, int] = {}
    for line in verified_lines(text, lines, witnesses):
        latest[line.name] = max(timestamp(line.signature), latest.get(line.name, 0))
    return tuple(Cosigned(name, time) for name, time in latest.items())


def _message(text: bytes, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n".encode() + text

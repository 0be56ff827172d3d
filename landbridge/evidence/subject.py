"""How persons appear in a log: as keyed digests that only the key's holder can relate."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key, write_key

_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """The key under which the subjects and callers of one log are digested; 32 bytes."""

    _key: bytes = field(repr=False)
    _keyed: hmac.HMAC = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keyed", hmac.new(self._key, digestmod="sha256"))

    @classmethod
    def create(cls) -> SubjectKey:
        """A new random key."""
        return cls(secrets.token_bytes(_SIZE))

    @classmethod
    def load(cls, path: Path) -> SubjectKey:
        """The key of a file that `save` wrote; EvidenceError when others can read it."""
        try:
            key = bytes.fromhex(read_key(path).decode())
        except ValueError:
            key = b""
        if len(key) != _SIZE:
            raise EvidenceError(str(path), f"a subject key is {_SIZE} bytes in hexadecimal")
        return cls(key)

    def save(self, path: Path) -> None:
        """Write the key with mode 0600; an existing file is never overwritten."""
        write_key(path, f"{self._key.hex()}\n".encode())

    def derived(self, label: str) -> SubjectKey:
        """Another key for another use, so that digests of two uses cannot be compared (HKDF-Expand
        with SHA-256, RFC 5869 section 2.3).
        """
        info = f"landbridge/{label}".encode()
        return SubjectKey(HKDFExpand(SHA256(), _SIZE, info).derive(self._key))

    def digest(self, identifier: str) -> str:
        """HMAC-SHA256 of the identifier's UTF-8, in hexadecimal (RFC 2104)."""
        try:
            text = identifier.encode()
        except UnicodeEncodeError:
            raise EvidenceError("subject identifier", "it is not valid Unicode") from None
        # A copy of the keyed state, not `hmac.digest`: that one lets go of the interpreter's lock
        # for a microsecond's work, and where many threads want it, waits long to have it back.
        made = self._keyed.copy()
        made.update(text)
        return made.hexdigest()

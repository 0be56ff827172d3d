"""Who signs a log: an Ed25519 key under the log's name."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key, write_key

_ED25519: Final = b"\x01"
_PREFIX: Final = "PRIVATE+KEY+"


def check_name(name: str) -> None:
    """Raise unless `name` can name a key: not empty, no space, no plus, no control character."""
    if not name or "+" in name or any(c.isspace() or not c.isprintable() for c in name):
        raise EvidenceError(
            "key name", "it must not be empty nor contain spaces, plus signs or control characters"
        )


def key_id(name: str, public: bytes, kind: bytes = _ED25519) -> bytes:
    """The four bytes that identify an Ed25519 key of that kind (C2SP signed-note)."""
    return sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def decode_base64(text: str, where: str) -> bytes:
    """Standard base64 in its one canonical spelling (RFC 4648, 4); EvidenceError otherwise."""
    try:
        content = binascii.a2b_base64(text, strict_mode=True)
    except (ValueError, binascii.Error):
        content = b""
    if base64.b64encode(content).decode() != text:
        raise EvidenceError(where, "it is not base64 as RFC 4648 section 4 spells it")
    return content


def parse_key(text: str, where: str, kind: bytes = _ED25519) -> tuple[str, bytes]:
    """Name and 32 key bytes of `<name>+<hex id>+<base64(kind || 32 bytes)>`, id unchecked."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise EvidenceError(where, "it must read <name>+<key id>+<base64 key>")
    check_name(parts[0])
    material = decode_base64(parts[2], where)
    if len(material) != 33 or material[:1] != kind:
        raise EvidenceError(where, f"only Ed25519 keys are known here (type {kind[0]}, 32 bytes)")
    return parts[0], material[1:]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A verifier key: checks the signatures of one named key (C2SP signed-note)."""

    name: str
    id: bytes
    public: Ed25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """The key of a line `<name>+<hex id>+<base64 key>`; remembered, as it says it all."""
        return _parsed(vkey)

    def check(self, signature: bytes, text: bytes) -> None:
        """Raise unless `signature` is this key's over `text`."""
        try:
            self.public.verify(signature, text)
        except InvalidSignature:
            raise EvidenceError(
                f"signature of {self.name}", "it does not belong to this text"
            ) from None


@lru_cache(256)
def _parsed(vkey: str) -> Verifier:
    name, public = parse_key(vkey, "verifier key")
    expected = key_id(name, public)
    if vkey.split("+", 2)[1] != expected.hex():
        raise EvidenceError("verifier key", "the key id does not belong to this name and key")
    return Verifier(name, expected, Ed25519PublicKey.from_public_bytes(public))


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key under the log's name, its origin, for example "nyc.example/gateway"."""

    name: str
    id: bytes
    vkey: str
    """The public line that verifies this signer (C2SP signed-note, verifier keys)."""
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def _of(cls, name: str, private: Ed25519PrivateKey) -> Signer:
        check_name(name)
        public = private.public_key().public_bytes_raw()
        ident = key_id(name, public)
        line = f"{name}+{ident.hex()}+{base64.b64encode(_ED25519 + public).decode()}"
        return cls(name, ident, line, private)

    @classmethod
    def create(cls, name: str) -> Signer:
        """A new random key under that name."""
        return cls._of(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Signer:
        """The key of a file that `save` wrote; EvidenceError when others can read it."""
        try:
            text = read_key(path).decode().removesuffix("\n")
        except UnicodeDecodeError:
            text = ""
        if not text.startswith(_PREFIX):
            raise EvidenceError(str(path), "it is not the key of a log")
        name, seed = parse_key(text.removeprefix(_PREFIX), str(path))
        signer = cls._of(name, Ed25519PrivateKey.from_private_bytes(seed))
        if text.split("+", 4)[3] != signer.id.hex():
            raise EvidenceError(str(path), "the key is damaged: its id does not belong to it")
        return signer

    def save(self, path: Path) -> None:
        """Write the key with mode 0600, in the line that Go's note package has for private keys."""
        material = base64.b64encode(_ED25519 + self._private.private_bytes_raw()).decode()
        write_key(path, f"{_PREFIX}{self.name}+{self.id.hex()}+{material}\n".encode())

    def sign(self, text: bytes) -> bytes:
        """The Ed25519 signature over `text`, 64 bytes (RFC 8032)."""
        return self._private.sign(text)

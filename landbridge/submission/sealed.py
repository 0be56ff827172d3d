"""A batch as it travels: records for one department alone, and what came of each, for one
contributor alone.

HPKE (RFC 9180, base mode) with the suite of `landbridge.protocols.envelope`. What is sealed is a
line of JSON about the batch and one for each record, so that one that is spoilt spoils no other. It
holds the digest of the token that it is sent with: whoever carries it cannot hand it in for
somebody else. It holds a key, too, under which the department seals what came of it (AES-256-GCM;
RFC 9458, section 4.4, uses a response key so).
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from landbridge.membership.canonical import parts
from landbridge.protocols.sealing import OpeningKey, SealingKey
from landbridge.submission.check import Plain
from landbridge.submission.fate import Fate

_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_NONCE: Final = 12
MOST_SEALED: Final = 7 * 512 * 1024
"""Bytes of a sealed batch."""
ID_BYTES: Final = 16

Correcting = bool | str
"""False: a new record; True: corrects the one of the same subject and period; else the id, in hex,
of the record that it corrects."""


class NotOpened(Exception):
    """A batch, or what came of one, cannot be read; `fate` says why."""

    def __init__(self, fate: Fate) -> None:
        super().__init__(str(fate))
        self.fate = fate


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `id` is 32 hex digits, `captured` milliseconds since 1970, on the device."""

    id: str
    captured: int
    corrects: Correcting
    values: Sequence[Plain]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a batch goes."""

    federation: str
    department: str
    contract: str

    def info(self, batch: bytes) -> bytes:
        """What its seal is bound to."""
        names = (self.federation, self.department, self.contract)
        return parts((b"submission", *(each.encode() for each in names), batch))


@dataclass(frozen=True, slots=True)
class Head:
    """The first line. `form` and `token` are SHA-256 in hex; `key` opens what comes back."""

    form: str
    token: str
    key: bytes = field(repr=False)


def token_digest(token: str) -> str:
    """SHA-256 of a token, hex."""
    return sha256(token.encode()).hexdigest()


def key_id(key: SealingKey) -> bytes:
    """What a batch says of the key that it is sealed to."""
    return sha256(key.to_bytes()).digest()[:8]


def lines(head: Head, records: Sequence[Record]) -> bytes:
    """What is sealed."""
    first = {"form": head.form, "token": head.token, "key": b64encode(head.key).decode()}
    rows = [[each.id, each.captured, each.corrects, list(each.values)] for each in records]
    text = "\n".join(
        json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in (first, *rows)
    )
    return text.encode()


def seal(content: bytes, target: Target, batch: bytes, key: SealingKey) -> bytes:
    """For the department alone; a new ciphertext at every call."""
    return bytes(_SUITE.encrypt(content, key.for_hpke(), target.info(batch)))


def open_(
    sealed: bytes, target: Target, batch: bytes, named: bytes, key: OpeningKey
) -> tuple[Head, list[bytes]]:
    """The head and the records' lines; raises NotOpened."""
    if len(batch) != ID_BYTES:
        raise NotOpened(Fate.MALFORMED)
    if len(sealed) > MOST_SEALED:
        raise NotOpened(Fate.OVERSIZED)
    if named != key_id(key.sealing):
        raise NotOpened(Fate.WRONG_KEY)
    try:
        content = bytes(_SUITE.decrypt(sealed, key.for_hpke(), target.info(batch)))
    except (InvalidTag, ValueError):
        raise NotOpened(Fate.FORGED) from None
    first, *rows = content.split(b"\n")
    try:
        head = _json(first)
        return Head(_text(head, "form"), _text(head, "token"), _key(_text(head, "key"))), rows
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NotOpened(Fate.MALFORMED) from None


def read_record(line: bytes, longest: int) -> Record:
    """One record; raises NotOpened. Its values are as yet held against nothing."""
    if len(line) > longest:
        raise NotOpened(Fate.OVERSIZED)
    try:
        ident, captured, corrects, values = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        raise NotOpened(Fate.MALFORMED) from None
    named = is_id(ident) and (type(corrects) is bool or is_id(corrects))
    if not named or type(captured) is not int or type(values) is not list:
        raise NotOpened(Fate.MALFORMED)
    return Record(ident, captured, corrects, values)


def is_id(text: object) -> bool:
    """32 lower-case hexadecimal digits."""
    return (
        type(text) is str
        and len(text) == 2 * ID_BYTES
        and text.isascii()
        and not text.strip("0123456789abcdef")
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a batch's records: of each that was not simply accepted its place and fate."""

    records: int
    others: Mapping[int, Fate]

    def fates(self) -> list[Fate]:
        """One for each record, in order."""
        return [self.others.get(place, Fate.ACCEPTED) for place in range(self.records)]

    def to_bytes(self) -> bytes:
        """What the department's log commits to."""
        others = [[place, str(fate)] for place, fate in sorted(self.others.items())]
        return json.dumps([self.records, others], separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Outcome:
        """Raises ValueError."""
        records, others = json.loads(content)
        if type(records) is not int or not all(type(place) is int for place, _ in others):
            raise ValueError
        return cls(records, {place: Fate(fate) for place, fate in others})


def seal_outcome(outcome: bytes, salt: bytes, batch: bytes, key: bytes) -> bytes:
    """The outcome and the salt of its entry, for whoever made the key."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, salt + outcome, _about(batch))


def open_outcome(sealed: bytes, batch: bytes, key: bytes) -> tuple[bytes, bytes]:
    """The outcome's bytes and the salt; raises NotOpened."""
    try:
        content = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _about(batch))
    except (InvalidTag, ValueError):
        raise NotOpened(Fate.FORGED) from None
    if len(content) < 32:
        raise NotOpened(Fate.MALFORMED)
    return content[32:], content[:32]


def _about(batch: bytes) -> bytes:
    return parts((b"landbridge submission outcome v1", batch))


def _json(line: bytes) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise TypeError
    return found


def _text(found: dict[str, Any], name: str) -> str:
    value = found[name]
    if not isinstance(value, str):
        raise TypeError
    return value


def _key(text: str) -> bytes:
    key = b64decode(text, validate=True)
    if len(key) != 32:
        raise ValueError
    return key

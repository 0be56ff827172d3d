"""The join code: one string that lets one department apply once, within minutes.

It carries the whole certificate of the gateway's authority, since gRPC trusts certificates and not
fingerprints. Its secret (128 bits) is the seed of an Ed25519 key by HKDF (RFC 5869): the joiner
signs with it and the gateway stores the public half, from which nobody can apply.
"""

from __future__ import annotations

import json
import secrets
import zlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from landbridge.identity.json_object import base64url, json_object

_PREFIX: Final = "LB1."
_INFO: Final = b"landbridge join code v1"
_SECRET: Final = 16
LIFETIME: Final = 15 * 60
"""Seconds, the longest that a code may be good for."""


class CodeInvalid(Exception):
    """The text is no join code; it quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class JoinCode:
    """Where to apply, as which department, until when. `authority` is a DER certificate."""

    federation: str
    gateway: str
    department: str
    address: str
    expires: int
    authority: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def create(
        cls, federation: str, gateway: str, department: str, address: str, expires: int,
        authority: bytes,
    ) -> JoinCode:  # fmt: skip
        """A new one."""
        secret = secrets.token_bytes(_SECRET)
        return cls(federation, gateway, department, address, expires, authority, secret)

    @classmethod
    def read(cls, text: str) -> JoinCode:
        """The code that `text` spells; raises CodeInvalid."""
        try:
            if not text.startswith(_PREFIX):
                raise CodeInvalid("This is no join code; it begins with LB1.")
            whole = base64url(text.removeprefix(_PREFIX))
            body, secret, check = whole[: -_SECRET - 4], whole[-_SECRET - 4 : -4], whole[-4:]
            if zlib.crc32(whole[:-4]).to_bytes(4, "big") != check:
                raise CodeInvalid("The join code is not complete; copy it once more.")
            head, _, authority = body.partition(b"\0")
            names = json_object(head)
            federation, gateway, department, address = (
                str(names[each]) for each in ("federation", "gateway", "department", "address")
            )
            return cls(
                federation, gateway, department, address, int(str(names["expires"])), authority,
                secret,
            )  # fmt: skip
        except (ValueError, KeyError):
            raise CodeInvalid("This is no join code.") from None

    def text(self) -> str:
        """The code; who knows it can apply."""
        names = {
            "federation": self.federation,
            "gateway": self.gateway,
            "department": self.department,
            "address": self.address,
            "expires": self.expires,
        }
        head = json.dumps(names, separators=(",", ":")).encode()
        whole = head + b"\0" + self.authority + self.secret
        whole += zlib.crc32(whole).to_bytes(4, "big")  # against a lost character, nothing else
        return _PREFIX + urlsafe_b64encode(whole).decode().rstrip("=")

    @property
    def key(self) -> Ed25519PrivateKey:
        """What the secret becomes."""
        seed = HKDF(SHA256(), 32, salt=None, info=_INFO).derive(self.secret)
        return Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's certificate, which two operators compare."""
        return sha256(self.authority).hexdigest()

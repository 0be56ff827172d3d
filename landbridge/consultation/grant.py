"""What an officer let through, signed by the node: one matter, one caller, one purpose, one price.

The signature is Ed25519 (RFC 8032) by the member's signing key, which the manifest pins, over a
label and the statement's bytes as they travel. So the gateway can see that a grant is the owner's
and cannot make one, and the node knows its own again without trusting whoever brings it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from google.protobuf.message import DecodeError

from landbridge.errors import LandbridgeError, error
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from landbridge.membership.canonical import NotCanonical, canonical_bytes, parts
from landbridge.v1 import consult_pb2

_LABEL: Final = b"landbridge grant v1"
_ID: Final = re.compile(r"[0-9a-f]{32}")
LONGEST: Final = 8 * 1024
"""Bytes of a statement."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant. `subject` is empty where it is for the whole organisation.

    `terms` are names and digests of what the owner's rules were: contracts, and the handler.
    `level`, `lifts_purpose`, `lifts_access` and `micro_rho` are all that it lifts. Times are
    milliseconds since 1970.
    """

    federation: str
    department: str
    id: str
    consultation: str
    organisation: str
    subject: str
    purpose: str
    matter_hash: bytes
    terms: tuple[tuple[str, str], ...]
    micro_epsilon: int
    level: Level | None
    lifts_purpose: bool
    lifts_access: bool
    micro_rho: int
    single_use: bool
    issued_at_ms: int
    expires_at_ms: int

    def signed(self, key: Ed25519PrivateKey) -> consult_pb2.Grant:
        """The wire form."""
        statement = consult_pb2.GrantStatement(
            federation=self.federation,
            department=self.department,
            id=self.id,
            consultation=self.consultation,
            organisation=self.organisation,
            subject=self.subject,
            purpose=self.purpose,
            matter_hash=self.matter_hash,
            terms=[
                consult_pb2.GrantedTerms(name=name, digest=digest) for name, digest in self.terms
            ],
            micro_epsilon=self.micro_epsilon,
            level="" if self.level is None else self.level.label,
            lifts_purpose=self.lifts_purpose,
            lifts_access=self.lifts_access,
            micro_rho=self.micro_rho,
            single_use=self.single_use,
            issued_at_ms=self.issued_at_ms,
            expires_at_ms=self.expires_at_ms,
        ).SerializeToString(deterministic=True)
        return consult_pb2.Grant(statement=statement, signature=key.sign(_signed_bytes(statement)))

    def require(
        self, caller: Caller, purpose: str, matter: bytes, micro_epsilon: int, now: float
    ) -> None:
        """Returns for the very request that was granted; `matter` is its hash, `now` in seconds.

        Raises GRANT_INVALID, which does not say what differs from what was granted, or
        GRANT_EXPIRED.
        """
        same = (
            self.organisation == caller.organisation
            and self.subject in ("", caller.subject)
            and self.purpose == purpose
            and self.matter_hash == matter
            and self.micro_epsilon == micro_epsilon
        )
        if not same:
            raise invalid()
        if now * 1000 >= self.expires_at_ms:
            raise error("GRANT_EXPIRED", hint="Open another consultation.")


def invalid() -> LandbridgeError:
    """The one refusal of a grant that is not for this request, or is none."""
    return error(
        "GRANT_INVALID",
        rule="grant",
        hint="A grant is for one question, caller, purpose and price, and one version of the "
        "owner's contract.",
    )


def read_grant(
    message: consult_pb2.Grant, key: Ed25519PublicKey, federation: str, department: str
) -> Grant:
    """The grant that this department signed; raises GRANT_INVALID for anything else."""
    if len(message.statement) > LONGEST:
        raise invalid()
    try:
        key.verify(message.signature, _signed_bytes(message.statement))
        found = consult_pb2.GrantStatement.FromString(message.statement)
        canonical_bytes(found)  # refuses fields that this version does not know
        grant = Grant(
            found.federation,
            found.department,
            found.id,
            found.consultation,
            found.organisation,
            found.subject,
            found.purpose,
            found.matter_hash,
            tuple((each.name, each.digest) for each in found.terms),
            found.micro_epsilon,
            Level.named(found.level) if found.level else None,
            found.lifts_purpose,
            found.lifts_access,
            found.micro_rho,
            found.single_use,
            found.issued_at_ms,
            found.expires_at_ms,
        )
    except (InvalidSignature, DecodeError, NotCanonical, ValueError):
        raise invalid() from None
    if (grant.federation, grant.department) != (federation, department) or not _ID.fullmatch(
        grant.id
    ):
        raise invalid()
    return grant


def matter_hash(matter: consult_pb2.Matter) -> bytes:
    """SHA-256 of the matter's canonical bytes; raises INVALID_ARGUMENT where it has none."""
    try:
        return sha256(canonical_bytes(matter)).digest()
    except (NotCanonical, ValueError):
        raise error("INVALID_ARGUMENT", "The request cannot be put into one spelling.") from None


def _signed_bytes(statement: bytes) -> bytes:
    return parts((_LABEL, statement))

"""The three key pairs of a member, and the files in which it keeps the private halves.

Each is for one use: signing (Ed25519, RFC 8032), sealing (HPKE, RFC 9180, ML-KEM-768 with X25519)
and pairwise masks (X25519, RFC 7748). The files have mode 0600 and others are refused.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key, write_key
from landbridge.membership.canonical import parts
from landbridge.protocols.sealing import OpeningKey, SealingKey

_SIGNING: Final = "signing.key"
_MASKING: Final = "masking.key"
_OPENING: Final = "opening.key"
_ROTATION: Final = b"landbridge rotation v1"


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What the manifest says of a member: 32, 1,216 and 32 bytes."""

    signing: Ed25519PublicKey
    sealing: SealingKey
    masking: X25519PublicKey

    @classmethod
    def from_texts(cls, signing: str, sealing: str, masking: str) -> PublicKeys:
        """From base64 (RFC 4648, section 4); raises ValueError."""
        return cls(
            Ed25519PublicKey.from_public_bytes(_bytes(signing)),
            SealingKey.from_bytes(_bytes(sealing)),
            X25519PublicKey.from_public_bytes(_bytes(masking)),
        )

    def texts(self) -> tuple[str, str, str]:
        """Signing, sealing and masking key in base64."""
        signing, sealing, masking = (b64encode(raw).decode() for raw in self.raw())
        return signing, sealing, masking

    def raw(self) -> tuple[bytes, bytes, bytes]:
        """Signing, sealing and masking key in bytes."""
        return (
            self.signing.public_bytes_raw(),
            self.sealing.to_bytes(),
            self.masking.public_bytes_raw(),
        )

    def rotation(self, federation: str, department: str) -> bytes:
        """What the member's earlier signing key signs, so that these keys may take over."""
        return parts((_ROTATION, federation.encode(), department.encode(), *self.raw()))


@dataclass(frozen=True, slots=True)
class MemberKeys:
    """The private keys of a member, which never leave it."""

    signing: Ed25519PrivateKey = field(repr=False)
    opening: OpeningKey = field(repr=False)
    masking: X25519PrivateKey = field(repr=False)

    @classmethod
    def create(cls) -> MemberKeys:
        """New ones."""
        return cls(Ed25519PrivateKey.generate(), OpeningKey.create(), X25519PrivateKey.generate())

    @classmethod
    def in_folder(cls, state: Path) -> MemberKeys:
        """Those of that state folder; made where there are none yet.

        Raises EvidenceError for a file that others can read, and for one that is no key.
        """
        try:
            return cls(
                signing_key(state),
                OpeningKey.from_bytes(
                    _file(state / _OPENING, lambda: OpeningKey.create().to_bytes())
                ),
                X25519PrivateKey.from_private_bytes(
                    _file(state / _MASKING, lambda: X25519PrivateKey.generate().private_bytes_raw())
                ),
            )
        except ValueError:
            raise EvidenceError(str(state), "one of the member's key files holds no key") from None

    @property
    def public(self) -> PublicKeys:
        """What others may know."""
        return PublicKeys(
            self.signing.public_key(), self.opening.sealing, self.masking.public_key()
        )


def signing_key(state: Path) -> Ed25519PrivateKey:
    """The signing key alone, which is all that a gateway has; made where there is none yet."""
    raw = _file(state / _SIGNING, lambda: Ed25519PrivateKey.generate().private_bytes_raw())
    try:
        return Ed25519PrivateKey.from_private_bytes(raw)
    except ValueError:
        raise EvidenceError(str(state / _SIGNING), "it holds no Ed25519 key") from None


def _file(path: Path, make: Callable[[], bytes]) -> bytes:
    if not path.exists():
        write_key(path, make())
    return read_key(path)


def _bytes(text: str) -> bytes:
    raw = b64decode(text, validate=True)
    if b64encode(raw).decode() != text:
        raise ValueError("This is not base64 as RFC 4648, section 4, spells it.")
    return raw

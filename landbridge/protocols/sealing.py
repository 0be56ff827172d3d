"""The keys that messages between members are sealed to: ML-KEM-768 and X25519 together.

Whoever breaks one of the two, by a quantum computer or by a flaw that is found, opens nothing.
In bytes the ML-KEM part comes first, as in X-Wing (draft-connolly-cfrg-xwing-kem).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey

_SEED: Final = 64
_LATTICE: Final = 1184
_CURVE: Final = 32


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The public key of a member, as the manifest has it."""

    lattice: MLKEM768PublicKey
    curve: X25519PublicKey

    @classmethod
    def from_bytes(cls, raw: bytes) -> SealingKey:
        """From its 1,216 bytes; raises ValueError."""
        if len(raw) != _LATTICE + _CURVE:
            raise ValueError(f"A sealing key has {_LATTICE + _CURVE} bytes.")
        return cls(
            MLKEM768PublicKey.from_public_bytes(raw[:_LATTICE]),
            X25519PublicKey.from_public_bytes(raw[_LATTICE:]),
        )

    def to_bytes(self) -> bytes:
        """Its 1,216 bytes."""
        return self.lattice.public_bytes_raw() + self.curve.public_bytes_raw()

    def for_hpke(self) -> MLKEM768X25519PublicKey:
        """As HPKE takes it."""
        return MLKEM768X25519PublicKey(self.lattice, self.curve)


@dataclass(frozen=True, slots=True)
class OpeningKey:
    """The private key of a member, which never leaves it."""

    lattice: MLKEM768PrivateKey
    curve: X25519PrivateKey

    @classmethod
    def create(cls) -> OpeningKey:
        """A new one."""
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, raw: bytes) -> OpeningKey:
        """From its 96 bytes; raises ValueError."""
        if len(raw) != _SEED + _CURVE:
            raise ValueError(f"An opening key has {_SEED + _CURVE} bytes.")
        return cls(
            MLKEM768PrivateKey.from_seed_bytes(raw[:_SEED]),
            X25519PrivateKey.from_private_bytes(raw[_SEED:]),
        )

    def to_bytes(self) -> bytes:
        """Its 96 bytes, for a file that nobody else can read."""
        return self.lattice.private_bytes_raw() + self.curve.private_bytes_raw()

    @property
    def sealing(self) -> SealingKey:
        """The public key that belongs to it."""
        return SealingKey(self.lattice.public_key(), self.curve.public_key())

    def for_hpke(self) -> MLKEM768X25519PrivateKey:
        """As HPKE takes it."""
        return MLKEM768X25519PrivateKey(self.lattice, self.curve)

"""One measurement, as everybody who takes part in it must mean it: its terms, and what is bound to
them.

The task is SHA-256 over the canonical bytes of the terms. It is in the context of every proof, in
what every share and message is sealed for, and in the key that the two departments verify with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from landbridge.errors import error
from landbridge.literals import Value, from_literal
from landbridge.membership.canonical import canonical_bytes, parts
from landbridge.protocols.derivation import derived
from landbridge.protocols.masks import Exchanges
from landbridge.protocols.prio3.aggregation import Prio3
from landbridge.protocols.prio3.circuit import Circuit, Count, Histogram, Sum
from landbridge.v1.census_pb2 import CensusTerms

_TERMS: Final = b"landbridge census terms v1"
_TASK: Final = b"landbridge census v1"
_SHARE: Final = b"landbridge census share v1"
_KEYS: Final = b"landbridge census keys v1"
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
ID_BYTES: Final = 16
OWNER, SECOND = 0, 1
"""The departments' numbers in the protocol."""


@dataclass(frozen=True, slots=True)
class Task:
    """A measurement's terms with their digest, and the protocol's instance for them."""

    terms: CensusTerms
    digest: bytes
    prio3: Prio3

    @classmethod
    def of(cls, terms: CensusTerms) -> Task:
        """Raises ValueError for terms that describe no measurement."""
        digest = sha256(parts((_TASK, canonical_bytes(terms)))).digest()
        return cls(terms, digest, Prio3(_circuit(terms), _TASK + digest))

    @property
    def statement(self) -> bytes:
        """What both departments sign of the terms."""
        return parts((_TERMS, self.digest))

    def share_info(self, report: bytes, public: bytes, number: int) -> bytes:
        """What a share is sealed for: nothing of it fits another report, role or measurement."""
        return parts((_SHARE, self.digest, report, bytes((number,)), sha256(public).digest()))

    def message_info(self, kind: str) -> bytes:
        """What a message between the two departments is sealed for."""
        return parts((b"landbridge census message v1", kind.encode(), self.digest))

    def measurement(self, value: Value) -> int:
        """The value as the protocol counts it; raises INVALID_ARGUMENT for one outside."""
        terms = self.terms
        match terms.kind:
            case CensusTerms.KIND_COUNT if isinstance(value, bool):
                return int(value)
            case CensusTerms.KIND_SUM if type(value) is int:
                if terms.low <= value <= terms.high:
                    return value - terms.low
            case CensusTerms.KIND_HISTOGRAM:
                for place, label in enumerate(terms.labels):
                    known = from_literal(label)
                    if type(known) is type(value) and known == value:
                        return place
        raise error(
            "INVALID_ARGUMENT",
            f"The value is none that {terms.contract}.{terms.column} can have.",
            hint=self.range,
        )

    def typed(self, text: str) -> Value:
        """A text, as a person types it, in the type that the column has; as it is where none fits.

        `measurement` refuses what is none of its values.
        """
        match self.terms.kind:
            case CensusTerms.KIND_COUNT:
                return {"true": True, "false": False}.get(text.lower(), text)
            case CensusTerms.KIND_SUM:
                return int(text) if _WHOLE.fullmatch(text) else text
            case _:
                labels = map(from_literal, self.terms.labels)
                return next((label for label in labels if str(label) == text), text)

    @property
    def range(self) -> str:
        """The values that there are, for people."""
        match self.terms.kind:
            case CensusTerms.KIND_COUNT:
                return "It is True or False."
            case CensusTerms.KIND_SUM:
                return f"It is a whole number from {self.terms.low} to {self.terms.high}."
            case _:
                labels = [str(from_literal(label)) for label in self.terms.labels]
                more = "" if len(labels) <= 20 else ", ..."
                return f"It is one of {', '.join(labels[:20])}{more}."

    def verify_key(self, exchanges: Exchanges, other: X25519PublicKey) -> bytes:
        """The key that both departments verify with, and nobody else can make (X25519, HKDF).

        Nobody chooses it, so it cannot be made to fit a report. Raises ValueError for a key of low
        order.
        """
        return derived(exchanges.shared(other), _TASK + self.digest)


def masking_digest(first: X25519PublicKey, second: X25519PublicKey) -> bytes:
    """Of the two keys that the verification key is made of, whoever's stands first."""
    raw = sorted((first.public_bytes_raw(), second.public_bytes_raw()))
    return sha256(parts((_KEYS, *raw))).digest()


def _circuit(terms: CensusTerms) -> Circuit:
    match terms.kind:
        case CensusTerms.KIND_COUNT:
            return Count()
        case CensusTerms.KIND_SUM:
            return Sum(terms.high - terms.low)
        case CensusTerms.KIND_HISTOGRAM:
            return Histogram(len(terms.labels), terms.chunk)
        case _:
            raise ValueError("These terms are of no measurement that is known here.")

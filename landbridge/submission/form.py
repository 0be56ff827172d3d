"""What a record of a contract holds, as its owner describes and signs it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from landbridge.errors import error
from landbridge.literals import Value, from_literal, to_literal
from landbridge.membership.canonical import NotCanonical, canonical_bytes, parts
from landbridge.submission.randomised import (
    LEAST_EPSILON,
    MOST_CATEGORIES,
    MOST_EPSILON,
    Randomised,
    Response,
    clamped,
)
from landbridge.v1 import submission_pb2

_LABEL: Final = b"landbridge collection v1"
MOST_RECORDS: Final = 1_000
"""Of a batch."""
MOST_BYTES: Final = 64 * 1024
"""Of a record, as it is sealed."""
KINDS: Final = ("integer", "number", "string", "boolean", "date", "timestamp")


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a record. `bounds` is a closed interval, `domain` what it may be at all.

    `epsilon` where it is randomised before it is sent (0: it is not), numbers on a grid of `step`.
    """

    name: str
    kind: str
    nullable: bool = False
    bounds: tuple[float, float] | None = None
    domain: tuple[Value, ...] = ()
    description: str = ""
    epsilon: float = 0.0
    step: float = 0.0

    @property
    def randomised(self) -> Randomised | None:
        """How; None where it is sent as it is. Raises ValueError for what cannot be."""
        if not self.epsilon:
            return None
        if self.nullable or not LEAST_EPSILON <= self.epsilon <= MOST_EPSILON:
            raise ValueError
        categories = 2 if self.kind == "boolean" else len(self.domain)
        if categories:
            if not 2 <= categories <= MOST_CATEGORIES:
                raise ValueError
            return Response(self.epsilon, categories)
        if self.kind not in ("integer", "number") or self.bounds is None or not self.step > 0:
            raise ValueError
        return clamped(self.epsilon, *self.bounds, self.step)


@dataclass(frozen=True, slots=True)
class Form:
    """The owner's description; moments are ISO 8601, UTC, empty where there is none.

    `digest` is the SHA-256 of the contract's text, hex.
    """

    federation: str
    department: str
    contract: str
    digest: str
    title: str
    fields: tuple[Field, ...]
    opens: str = ""
    closes: str = ""
    grace_hours: int = 0
    correctable: bool = False
    correct_until: str = ""
    subject: tuple[str, ...] = ()
    period: str = ""
    most_records: int = MOST_RECORDS
    most_bytes: int = MOST_BYTES

    @property
    def randomised(self) -> bool:
        """Whether any value is randomised before it is sent."""
        return any(field.epsilon for field in self.fields)

    def message(self) -> submission_pb2.CollectionForm:
        """The wire form."""
        return submission_pb2.CollectionForm(
            federation=self.federation,
            department=self.department,
            contract=self.contract,
            digest=bytes.fromhex(self.digest),
            title=self.title,
            fields=[_field_to(each) for each in self.fields],
            opens=self.opens,
            closes=self.closes,
            grace_hours=self.grace_hours,
            correctable=self.correctable,
            correct_until=self.correct_until,
            subject=self.subject,
            period=self.period,
            most_records=self.most_records,
            most_bytes=self.most_bytes,
        )

    def signed(self, key: Ed25519PrivateKey) -> submission_pb2.SignedForm:
        """As its department gives it out."""
        message = self.message()
        signature = key.sign(parts((_LABEL, canonical_bytes(message))))
        return submission_pb2.SignedForm(form=message, signature=signature)


def read_form(signed: submission_pb2.SignedForm, key: Ed25519PublicKey) -> Form:
    """The form that the department with that signing key described; ANSWER_REJECTED otherwise."""
    try:
        key.verify(signed.signature, parts((_LABEL, canonical_bytes(signed.form))))
    except (InvalidSignature, NotCanonical):
        raise error(
            "ANSWER_REJECTED",
            "The description of what is collected is not signed by the department that owns it.",
            hint="Nothing was sent.",
        ) from None
    form = signed.form
    return Form(
        federation=form.federation,
        department=form.department,
        contract=form.contract,
        digest=form.digest.hex(),
        title=form.title,
        fields=tuple(_field_from(each) for each in form.fields),
        opens=form.opens,
        closes=form.closes,
        grace_hours=form.grace_hours,
        correctable=form.correctable,
        correct_until=form.correct_until,
        subject=tuple(form.subject),
        period=form.period,
        most_records=form.most_records,
        most_bytes=form.most_bytes,
    )


def _field_to(field: Field) -> submission_pb2.CollectedField:
    low, high = field.bounds or (0.0, 0.0)
    return submission_pb2.CollectedField(
        name=field.name,
        type=field.kind,
        nullable=field.nullable,
        bounded=field.bounds is not None,
        minimum=low,
        maximum=high,
        domain=[to_literal(each) for each in field.domain],
        description=field.description,
        epsilon=field.epsilon,
        step=field.step,
    )


def _field_from(message: submission_pb2.CollectedField) -> Field:
    if message.type not in KINDS:
        raise error(
            "ANSWER_REJECTED",
            "The department collects a kind of value that this version does not know.",
        )
    found = Field(
        message.name,
        message.type,
        message.nullable,
        (message.minimum, message.maximum) if message.bounded else None,
        tuple(from_literal(each) for each in message.domain),
        message.description,
        message.epsilon,
        message.step,
    )
    try:
        found.randomised  # noqa: B018 - raises for terms that cannot be kept
    except (ValueError, OverflowError):
        raise error(
            "ANSWER_REJECTED",
            f"The department randomises {found.name} in a way that this version does not know.",
            hint="Nothing was sent.",
        ) from None
    return found


def spelt(value: date | datetime) -> str:
    """As records hold dates and moments: 2026-05-01, 2026-05-01T08:00:00."""
    return value.isoformat()

"""Everything that can go wrong, drawn once.

    LandbridgeError
    ├── Refused            an answer: a rule said no (which rule, what would pass)
    ├── InvalidQuestion    the text is outside the question algebra (where, what is accepted)
    ├── Unauthenticated    nobody knows who asks
    ├── Unavailable        a department, or the service, cannot answer now (who is missing)
    ├── DeadlineExceeded   time ran out
    └── Fault              a defect of ours; says nothing about the data

`CATALOGUE` maps each stable `reason` to its gRPC status and exception, and is read in both
directions: a server turns an exception into a status, a client turns the status back. Below the six
there is one class per reason, in `landbridge.reasons`, for an `except` of that reason alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Position:
    """A 1-based place in the question's text."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class Passing:
    """The nearest question that would pass: its text, and the epsilon to ask it with.

    `epsilon` is None where the refused one's, or the contract's own, is right already.
    """

    sql: str
    epsilon: float | None = None


@dataclass(eq=False)
class LandbridgeError(Exception):
    """What every exception of Landbridge is.

    `reason` is a stable upper-case word of `CATALOGUE`; `message` is one sentence for a person and
    never holds a value from the data; `rule` names the policy or built-in rule that decided;
    `hint` says what would pass, and `passing`, which `explain` finds, is the nearest question that
    would; `receipt` is the serialized `landbridge.v1.Receipt` of the log
    entry that the refusal left, empty where there is none. `retry_after` is how many seconds later
    asking again can help; None where it cannot, whatever the time.
    """

    reason: str
    message: str
    rule: str = ""
    hint: str = ""
    position: Position | None = None
    missing: tuple[str, ...] = ()
    receipt: bytes = field(default=b"", repr=False)
    passing: Passing | None = None
    retry_after: float | None = None

    def __post_init__(self) -> None:
        if self.reason not in CATALOGUE:
            raise KeyError(f"reason {self.reason!r} is not in landbridge.errors.CATALOGUE")
        Exception.__init__(self, self.message)

    @property
    def status(self) -> str:
        """The gRPC status name that belongs to the reason."""
        return CATALOGUE[self.reason].status

    def __str__(self) -> str:
        where = f" at {self.position}" if self.position else ""
        rule = f" [{self.rule}]" if self.rule else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.reason}{where}: {self.message}{rule}{hint}"


class Refused(LandbridgeError):
    """A rule said no. The refusal does not depend on the data."""


class InvalidQuestion(LandbridgeError):
    """The text is not a question of the algebra; `position` says where."""


class Unauthenticated(LandbridgeError):
    """The caller, or the peer, could not be identified."""


class Unavailable(LandbridgeError):
    """Nobody can answer now; `missing` names the departments that did not."""


class DeadlineExceeded(LandbridgeError):
    """Time ran out before an answer was complete."""


class Fault(LandbridgeError):
    """A defect or an outage inside; the message is the same whatever the data."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One row of the catalogue: the gRPC status name, the exception, the public sentence."""

    status: str
    exception: type[LandbridgeError]
    sentence: str


CATALOGUE: Final[dict[str, Reason]] = {
    # who asks
    "TOKEN_MISSING": Reason(
        "UNAUTHENTICATED", Unauthenticated, "The request carries no bearer token."
    ),
    "TOKEN_INVALID": Reason("UNAUTHENTICATED", Unauthenticated, "The bearer token is not valid."),
    "TOKEN_EXPIRED": Reason(
        "UNAUTHENTICATED", Unauthenticated, "The bearer token is outside its period of validity."
    ),
    "TOKEN_AUDIENCE": Reason(
        "UNAUTHENTICATED", Unauthenticated, "The bearer token was issued for somebody else."
    ),
    "TOKEN_REVOKED": Reason("UNAUTHENTICATED", Unauthenticated, "The bearer token was revoked."),
    "TOKEN_BOUND": Reason(
        "UNAUTHENTICATED",
        Unauthenticated,
        "The bearer token is bound to a client certificate, which this connection does not show.",
    ),
    "TOKEN_UNBOUND": Reason(
        "UNAUTHENTICATED",
        Unauthenticated,
        "The bearer token is not bound to a client certificate, which is required here.",
    ),
    "FORM_INVALID": Reason(
        "PERMISSION_DENIED", Refused, "This form is not one that was made for your session."
    ),
    "SIGN_IN_UNAVAILABLE": Reason(
        "UNAVAILABLE", Unavailable, "The provider that people sign in at cannot be used now."
    ),
    "PEER_UNKNOWN": Reason(
        "UNAUTHENTICATED", Unauthenticated, "The certificate of the peer is not the gateway's."
    ),
    "CERTIFICATE_REVOKED": Reason(
        "UNAUTHENTICATED", Unauthenticated, "The certificate of the peer was revoked."
    ),
    "CERTIFICATE_ENDED": Reason(
        "UNAUTHENTICATED",
        Unauthenticated,
        "The certificate of the peer has ended since the connection was opened.",
    ),
    "SIGNATURE_INVALID": Reason(
        "UNAUTHENTICATED",
        Unauthenticated,
        "The gateway did not sign this request for this department.",
    ),
    "SIGNATURE_EXPIRED": Reason(
        "UNAUTHENTICATED",
        Unauthenticated,
        "The gateway signed this request too long ago, or its clock differs.",
    ),
    "JOIN_REFUSED": Reason(
        "PERMISSION_DENIED", Refused, "The join code is not valid, or not any more."
    ),
    "RENEWAL_REFUSED": Reason(
        "PERMISSION_DENIED", Refused, "The certificate cannot take the place of the present one."
    ),
    "MANIFEST_REFUSED": Reason(
        "PERMISSION_DENIED", Refused, "The offered manifest cannot follow the pinned one."
    ),
    # what is asked
    "INVALID_QUESTION": Reason(
        "INVALID_ARGUMENT", InvalidQuestion, "The text is outside the question algebra."
    ),
    "UNBOUNDED_EXPRESSION": Reason(
        "INVALID_ARGUMENT", InvalidQuestion, "An aggregated expression has no finite bounds."
    ),
    "UNDECLARED_DOMAIN": Reason(
        "INVALID_ARGUMENT", InvalidQuestion, "A grouping column has no declared domain."
    ),
    "TOO_MANY_CELLS": Reason(
        "INVALID_ARGUMENT", InvalidQuestion, "The answer would have too many cells."
    ),
    "INVALID_ARGUMENT": Reason(
        "INVALID_ARGUMENT", InvalidQuestion, "An argument of the request is not usable."
    ),
    "NOT_SUPPORTED": Reason(
        "UNIMPLEMENTED", InvalidQuestion, "This gateway does not do what was asked of it."
    ),
    # whether it may be answered
    "PURPOSE_MISSING": Reason("PERMISSION_DENIED", Refused, "The request states no purpose."),
    "PURPOSE_NOT_ALLOWED": Reason(
        "PERMISSION_DENIED", Refused, "The purpose is not allowed for this caller or this data."
    ),
    "NOT_AVAILABLE": Reason(
        "PERMISSION_DENIED", Refused, "No such thing exists that this caller may use."
    ),
    "ACCESS_DENIED": Reason(
        "PERMISSION_DENIED", Refused, "No policy permits this, or one forbids."
    ),
    "LEVEL_FORBIDS": Reason(
        "PERMISSION_DENIED", Refused, "The level of a column forbids this use of it."
    ),
    "EPSILON_OUT_OF_RANGE": Reason(
        "PERMISSION_DENIED", Refused, "The contract does not allow this epsilon for one question."
    ),
    "BUDGET_EXHAUSTED": Reason(
        "RESOURCE_EXHAUSTED", Refused, "The owner's budget does not cover this question."
    ),
    "SUBJECTS_EXHAUSTED": Reason(
        "RESOURCE_EXHAUSTED", Refused, "The caller's quota of distinct subjects is used up."
    ),
    "CALLS_EXHAUSTED": Reason(
        "RESOURCE_EXHAUSTED", Refused, "The handler is called more often than its owner allows."
    ),
    "TOO_MANY_AT_ONCE": Reason(
        "RESOURCE_EXHAUSTED",
        Refused,
        "Too many requests of this caller, or of this organisation, are under way at once.",
    ),
    "CONSENT_MISSING": Reason(
        "PERMISSION_DENIED", Refused, "The handler replies with the subject's consent only."
    ),
    "STEP_NOT_ADMITTED": Reason(
        "PERMISSION_DENIED", Refused, "This step was not admitted for a caller who showed a token."
    ),
    "CASE_ID_REUSED": Reason(
        "PERMISSION_DENIED", Refused, "This case id was used for another application."
    ),
    "CASE_CLOSED": Reason("PERMISSION_DENIED", Refused, "The case is closed."),
    "QUESTION_ID_REUSED": Reason(
        "PERMISSION_DENIED", Refused, "This question id was used for another question."
    ),
    "PARTS_WITHHELD": Reason(
        "PERMISSION_DENIED", Refused, "The owner gives out no part of this department alone."
    ),
    "DATES_DIFFER": Reason(
        "PERMISSION_DENIED", Refused, "The data that the question needs are of different days."
    ),
    "DIFFERENCING": Reason(
        "PERMISSION_DENIED", Refused, "The difference to an earlier answer could be about one unit."
    ),
    # what an officer decides
    "CONSULTATION_NEEDLESS": Reason(
        "PERMISSION_DENIED", Refused, "Policy answers this by itself; no officer has to be asked."
    ),
    "CONSULTATION_CHANGED": Reason(
        "PERMISSION_DENIED", Refused, "The consultation is not any more as it was when it was seen."
    ),
    "CONSULTATION_CLOSED": Reason(
        "PERMISSION_DENIED", Refused, "The consultation is closed; nobody can move it any more."
    ),
    "CONSULTATIONS_EXHAUSTED": Reason(
        "RESOURCE_EXHAUSTED", Refused, "Too many consultations of this organisation are open."
    ),
    "GRANT_INVALID": Reason(
        "PERMISSION_DENIED", Refused, "The grant is none for this request of this caller."
    ),
    "GRANT_EXPIRED": Reason("PERMISSION_DENIED", Refused, "The grant has expired."),
    "GRANT_SPENT": Reason("PERMISSION_DENIED", Refused, "The grant was used before."),
    # what stands for long
    "WATCHES_EXHAUSTED": Reason(
        "RESOURCE_EXHAUSTED", Refused, "Too many watches of this organisation stand."
    ),
    # what a group votes on
    "POLL_OPEN": Reason("PERMISSION_DENIED", Refused, "The poll is counted when it is over."),
    "BALLOT_REFUSED": Reason("PERMISSION_DENIED", Refused, "The ballot was not taken."),
    # whether the server's own files can be used; stands in its log alone
    "POLICY_INVALID": Reason(
        "UNAVAILABLE", Unavailable, "The changed policy cannot be used; the earlier one goes on."
    ),
    # whether anybody can answer
    "DEPARTMENT_MISSING": Reason("UNAVAILABLE", Unavailable, "A department did not answer."),
    "LINK_LOST": Reason(
        "UNAVAILABLE",
        Unavailable,
        "The department does not hold this linked question, or it is not at this round.",
    ),
    "REPORT_UNREADABLE": Reason(
        "PERMISSION_DENIED",
        Refused,
        "A share of the report is not sealed to this department for it.",
    ),
    "REPORT_INVALID": Reason(
        "PERMISSION_DENIED", Refused, "The report does not prove that its value is in range."
    ),
    "REPORT_ID_REUSED": Reason(
        "PERMISSION_DENIED", Refused, "That report id was used for another report."
    ),
    "REPORTS_EXHAUSTED": Reason(
        "RESOURCE_EXHAUSTED",
        Refused,
        "The caller has handed in as many reports as the owner takes.",
    ),
    "REPORTS_FULL": Reason(
        "RESOURCE_EXHAUSTED",
        Refused,
        "A department holds as many reports that nobody has collected as it keeps.",
    ),
    "BATCH_TOO_SMALL": Reason(
        "PERMISSION_DENIED", Refused, "Too few reports are valid and not collected yet."
    ),
    "BATCH_UNDER_WAY": Reason(
        "RESOURCE_EXHAUSTED", Refused, "A batch is being collected by somebody else."
    ),
    "BATCH_DIFFERS": Reason(
        "PERMISSION_DENIED",
        Refused,
        "The two departments do not hold the same reports of this batch.",
    ),
    "MEMBERS_DIFFER": Reason(
        "UNAVAILABLE", Unavailable, "A department has pinned other members than the gateway names."
    ),
    "ROUND_FORGOTTEN": Reason(
        "UNAVAILABLE", Unavailable, "A department cannot repeat that round of a pooled question."
    ),
    "CONTRACT_CHANGED": Reason(
        "UNAVAILABLE",
        Unavailable,
        "The department's contract is another than the one that the question was planned by.",
    ),
    "DATE_CHANGED": Reason(
        "UNAVAILABLE",
        Unavailable,
        "The department's data are of another day than the one that the question was planned for.",
    ),
    "GATEWAY_UNREACHABLE": Reason("UNAVAILABLE", Unavailable, "The gateway cannot be reached."),
    "SHUTTING_DOWN": Reason("UNAVAILABLE", Unavailable, "The service is shutting down."),
    "LOG_UNAVAILABLE": Reason(
        "UNAVAILABLE", Unavailable, "The log cannot be written, so nothing may be answered."
    ),
    "LOG_UNWITNESSED": Reason(
        "UNAVAILABLE",
        Unavailable,
        "Too few witnesses have cosigned the log for too long, so nothing may be answered.",
    ),
    "LOG_CONTRADICTED": Reason(
        "UNAVAILABLE",
        Unavailable,
        "A witness holds a checkpoint that this log does not extend, so nothing may be answered.",
    ),
    "CASES_UNAVAILABLE": Reason(
        "UNAVAILABLE", Unavailable, "The store of cases cannot be written, so nothing may begin."
    ),
    "LEDGER_UNAVAILABLE": Reason(
        "UNAVAILABLE", Unavailable, "The budget ledger cannot be written, so nothing may be read."
    ),
    "INTAKE_UNAVAILABLE": Reason(
        "UNAVAILABLE", Unavailable, "The department cannot take records now; none was taken."
    ),
    "QUEUE_UNAVAILABLE": Reason(
        "UNAVAILABLE", Unavailable, "The queue of consultations cannot be written."
    ),
    "TOO_BUSY": Reason("UNAVAILABLE", Unavailable, "The service takes no more requests just now."),
    "DEADLINE": Reason("DEADLINE_EXCEEDED", DeadlineExceeded, "Time ran out before the answer."),
    # what went wrong inside
    "RUN_FAILED": Reason("INTERNAL", Fault, "The question could not be computed; it was charged."),
    "ANSWER_REJECTED": Reason(
        "INTERNAL", Fault, "A department sent an answer that does not fit the question."
    ),
    "FAULT": Reason("INTERNAL", Fault, "The service failed; the operator's log says where."),
}


RETRY_AFTER: Final[dict[str, float]] = {
    "SHUTTING_DOWN": 0.25,
    "TOO_BUSY": 1.0,
    "TOO_MANY_AT_ONCE": 1.0,
    "GATEWAY_UNREACHABLE": 1.0,
    "DEPARTMENT_MISSING": 5.0,
    "MEMBERS_DIFFER": 60.0,
    "CONTRACT_CHANGED": 1.0,
    "DATE_CHANGED": 1.0,
    "LOG_UNAVAILABLE": 10.0,
    "LOG_UNWITNESSED": 10.0,
    "LEDGER_UNAVAILABLE": 10.0,
    "CASES_UNAVAILABLE": 10.0,
    "INTAKE_UNAVAILABLE": 1.0,
    "SIGNATURE_EXPIRED": 1.0,
}
"""Reason -> seconds after which the same question may be asked again. Where a reason does not stand
here, asking again changes nothing, or needs somebody to mend something first."""


def error(
    reason: str,
    message: str = "",
    *,
    rule: str = "",
    hint: str = "",
    position: Position | None = None,
    missing: Iterable[str] = (),
    receipt: bytes = b"",
) -> LandbridgeError:
    """The exception that belongs to `reason`; without a message, the catalogue's sentence."""
    from landbridge.reasons import BY_REASON  # its classes are of those above

    return BY_REASON[reason](
        reason,
        message or CATALOGUE[reason].sentence,
        rule,
        hint,
        position,
        tuple(missing),
        receipt,
        retry_after=RETRY_AFTER.get(reason),
    )

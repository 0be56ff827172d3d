"""The exceptions of PEP 249, and which of them each of ours becomes.

Warning
Error
├── InterfaceError          this module was used wrongly: closed, no result
└── DatabaseError
    ├── ProgrammingError    InvalidQuestion, Refused, Unauthenticated
    ├── OperationalError    Unavailable, DeadlineExceeded
    ├── InternalError       Fault
    ├── NotSupportedError   what a read-only interface has not
    └── DataError, IntegrityError   never raised
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from landbridge.errors import (
    DeadlineExceeded,
    Fault,
    LandbridgeError,
    Unavailable,
)


class Warning(Exception):  # noqa: A001 - the name is PEP 249's
    """Never raised."""


class Error(Exception):
    """What every exception of this interface is.

    `refusal` is ours, with reason, rule, hint, position and receipt; None for wrong use.
    """

    refusal: LandbridgeError | None = None


class InterfaceError(Error):
    """This module was used wrongly."""


class DatabaseError(Error):
    """The gateway did not answer with an answer."""


class DataError(DatabaseError):
    """Never raised: no question fails on data."""


class OperationalError(DatabaseError):
    """Nobody can answer now, or time ran out."""


class IntegrityError(DatabaseError):
    """Never raised: nothing is written."""


class InternalError(DatabaseError):
    """A defect inside."""


class ProgrammingError(DatabaseError):
    """The question was refused, or is none."""


class NotSupportedError(DatabaseError):
    """A read-only interface has not got this."""


@contextmanager
def raised_as_pep_249() -> Iterator[None]:
    """Turns our exceptions into those of PEP 249; ours stays as `refusal` and as the cause."""
    try:
        yield
    except LandbridgeError as refusal:
        raised = _kind(refusal)(str(refusal))
        raised.refusal = refusal
        raise raised from refusal


def _kind(refusal: LandbridgeError) -> type[DatabaseError]:
    match refusal:
        case Unavailable() | DeadlineExceeded():
            return OperationalError
        case Fault():
            return InternalError
        case _:
            return ProgrammingError

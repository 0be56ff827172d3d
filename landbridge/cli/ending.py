"""How a run of the command line ends: the exit status, and one sentence where it fell short."""

from __future__ import annotations

import errno
from enum import IntEnum

from landbridge.errors import DeadlineExceeded, Fault, LandbridgeError, Unavailable


class Status(IntEnum):
    """Exit statuses, the same for every command."""

    DONE = 0
    NOT_VERIFIED = 1
    """Evidence does not hold, or the tour fell short."""
    OPERATOR = 2
    """Usage, settings, files, ports: the person at the keyboard can mend it."""
    REFUSED = 3
    """A rule said no, the question is invalid, or nobody knows who asks."""
    UNAVAILABLE = 4
    """Nobody can answer now, or time ran out."""
    FAULT = 5
    """A defect of ours."""
    INTERRUPTED = 130


class OperatorError(Exception):
    """Something that the person at the keyboard can mend; one sentence."""


def status_of(refusal: LandbridgeError) -> Status:
    """The exit status that belongs to an error of the SDK."""
    match refusal:
        case Unavailable() | DeadlineExceeded():
            return Status.UNAVAILABLE
        case Fault():
            return Status.FAULT
        case _:
            return Status.REFUSED


def sentence(problem: OSError) -> str:
    """What the system refused, where it says where."""
    where = f" at {problem.filename}" if problem.filename else ""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{where}: free some space, or use a folder on another disk."
    said = problem.strerror or str(problem) or type(problem).__name__
    return f"{problem.filename}: {said}." if problem.filename else f"{said.rstrip('.')}."

"""What the sealed values of a case are bound to: procedure, case and the step that they are for."""

from __future__ import annotations

from hashlib import sha256

from landbridge.membership.canonical import parts


def step_info(procedure: str, case: str, step: str) -> bytes:
    """`info` of a value that a department hands over to `step`."""
    return parts((b"step", procedure.encode(), case.encode(), step.encode()))


def form_info(procedure: str, case: str, step: str) -> bytes:
    """`info` of the part of an application form that is for `step`."""
    return parts((b"form", procedure.encode(), case.encode(), step.encode()))


def step_question(procedure: str, case: str, step: str) -> str:
    """The question id of a step: 32 hex digits, the same whenever it is asked again."""
    return sha256(step_info(procedure, case, step)).hexdigest()[:32]

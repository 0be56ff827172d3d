"""Cases as they travel to callers."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.cases.case import Case, Change
from gateway.catalogue import Catalogue
from landbridge.evidence.entry import instant
from landbridge.v1 import case_pb2
from policies.procedure import Procedure


def case_to(procedure: Procedure, case: Case) -> case_pb2.CaseState:
    """The case as it stands; its steps in the procedure's order."""
    rows = {row.step: row for row in case.steps}
    return case_pb2.CaseState(
        case_id=case.opened.id,
        procedure=procedure.name,
        title=procedure.title,
        state=case.state.value,
        opened_at=_time(case.opened.opened_at),
        closed_at=_time(case.closed_at),
        sequence=case.sequence,
        steps=[
            case_pb2.StepState(
                step=step.name,
                title=step.title,
                department=step.department,
                state=rows[step.name].state.value,
                code=rows[step.name].code,
                reasons=rows[step.name].reasons,
                due_at=_time(rows[step.name].due_at),
                escalated_to=rows[step.name].escalated_to,
            )
            for step in procedure.steps
        ],
    )


def change_to(change: Change) -> case_pb2.CaseChange:
    """A change."""
    return case_pb2.CaseChange(
        sequence=change.sequence,
        time=_time(change.time),
        step=change.step,
        state=change.state,
        code=change.code,
        reasons=change.reasons,
        role=change.role,
    )


def procedure_to(
    procedure: Procedure, known: Catalogue, manifest: bytes
) -> case_pb2.DescribeProcedureResponse:
    """What a client has to know to seal a form."""
    return case_pb2.DescribeProcedureResponse(
        procedure=procedure.name,
        title=procedure.title,
        digest=procedure.digest,
        fields=[
            case_pb2.FormField(name=each.name, type=each.type, title=each.title)
            for each in procedure.form
        ],
        steps=[
            case_pb2.DeclaredStep(
                step=step.name,
                title=step.title,
                department=step.department,
                handler=step.handler,
                after=step.after,
                fields=step.form,
                consent=known.offers[step.department].handlers[step.handler_name].consent,
            )
            for step in procedure.steps
        ],
        manifest=manifest,
    )


def _time(seconds: float | None) -> str:
    return "" if seconds is None else instant(datetime.fromtimestamp(seconds, UTC))

"""From the gateway's values to the messages that callers read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from gateway import link_notes
from gateway.answered import Answered, Explained
from gateway.combine import Combined, expected_noise, suppressed
from gateway.notes import Note, answer_notes, day_notes, plan_notes
from gateway.planning import Plan
from gateway.presentation import Key, Output
from gateway.scalar import Number, is_whole
from gateway.table import Cell, half_width
from gateway.unbiased import is_randomised
from landbridge.edge.record import Logged
from landbridge.levels import Level
from landbridge.literals import to_literal
from landbridge.v1 import gateway_pb2, node_pb2, release_pb2
from policies.accounting import shown
from policies.contract import Disclosure, Method, Type
from policies.question import Bucketed, GroupKey, Truncated, Whole

_BYTES = 8
"""A number's."""
_TYPES = {
    Type.INTEGER: gateway_pb2.ResultColumn.TYPE_INTEGER,
    Type.NUMBER: gateway_pb2.ResultColumn.TYPE_REAL,
    Type.TEXT: gateway_pb2.ResultColumn.TYPE_TEXT,
    Type.BOOLEAN: gateway_pb2.ResultColumn.TYPE_BOOLEAN,
    Type.DATE: gateway_pb2.ResultColumn.TYPE_DATE,
    Type.TIMESTAMP: gateway_pb2.ResultColumn.TYPE_TIMESTAMP,
}


def columns_of(plan: Plan) -> tuple[gateway_pb2.ResultColumn, ...]:
    """The columns that the answer will have, told before anybody is asked."""
    return tuple(_column(plan, output) for output in plan.presentation.outputs)


def query_response(answered: Answered) -> gateway_pb2.QueryResponse:
    """An answer, still without its receipt."""
    plan, replies = answered.plan, answered.replies
    remembered = all(reply.release.remembered for reply in replies.values())
    charged = max(reply.charged_micro_rho for reply in replies.values())
    columns = columns_of(plan)
    return gateway_pb2.QueryResponse(
        columns=columns,
        rows=[
            gateway_pb2.ResultRow(
                values=[
                    _value(cell, column.type) for cell, column in zip(row, columns, strict=True)
                ]
            )
            for row in answered.rows
        ],
        notes=_notes(
            answer_notes(
                plan,
                answered.missing,
                answered.untold,
                withheld=suppressed(answered.combined),
                remembered=remembered,
                rounds=answered.rounds,
            )
        ),
        missing=answered.missing,
        departments=list(replies),
        cost=gateway_pb2.Cost(
            epsilon=_spent(plan, charged),
            delta=plan.release.delta,
            budgets=_budgets(plan, replies),
        ),
        as_of=_told(plan, answered.missing),
    )


def _told(plan: Plan, missing: Sequence[str]) -> dict[str, str]:
    """The days that were said, of those who answered."""
    return {
        name: day
        for name, day in plan.as_of.items()
        if day and not ("." in name and name.split(".")[0] in missing)
    }


def call_response(reply: node_pb2.ReplyResponse, logged: Logged) -> gateway_pb2.CallResponse:
    """A handler's reply, with the gateway's receipt in the place of the node's."""
    return gateway_pb2.CallResponse(
        code=reply.code,
        reasons=reply.reasons,
        number=reply.number if reply.HasField("number") else None,
        version=reply.version,
        receipt=logged.message(),
    )


def explain_response(explained: Explained) -> gateway_pb2.ExplainResponse:
    """A plan."""
    plan = explained.plan
    notes = [*plan_notes(plan), *day_notes(plan)]
    if explained.missing:
        notes.insert(0, Note("missing", f"No answer came from {', '.join(explained.missing)}."))
    budgets = {
        name: node_pb2.AnswerResponse(
            recipient_budget=estimate.recipient_budget, overall_budget=estimate.overall_budget
        )
        for name, estimate in explained.estimates.items()
    }
    return gateway_pb2.ExplainResponse(
        mode=plan.way.mode.value,
        why=plan.way.why,
        departments=plan.departments,
        contract=plan.contract.id,
        columns=[
            gateway_pb2.UsedColumn(
                name=use.column,
                level=plan.contract.by_name[use.column].level.label,
                clause=use.clause,
            )
            for use in plan.usage.uses
        ]
        + [
            gateway_pb2.UsedColumn(
                name=f"{part.id}.{part.unit}", level=Level.SEALED.label, clause="join"
            )
            for part in (() if plan.link is not None else plan.contract.parts)
        ]
        + [
            gateway_pb2.UsedColumn(
                name=f"{side.department}.{side.contract.id}.{name}",
                level=side.contract.by_name[name].level.label,
                clause="join",
            )
            for side in (() if plan.link is None else plan.link.sides)
            for name in (() if plan.link is None else plan.link.question.key)
        ],
        cells=plan.release.cells * (len(plan.departments) if plan.way.grouped else 1),
        epsilon=plan.release.epsilon,
        delta=plan.release.delta,
        accuracy=[
            _accuracy(plan, output)
            for output in plan.presentation.outputs
            if not isinstance(output.source, Key)
        ],
        budgets=_budgets(plan, budgets),
        notes=_notes(notes),
        question=plan.words,
        rounds=1 if plan.link is None else plan.link.rounds,
        bytes=plan.link.bytes
        if plan.link is not None
        else _BYTES * plan.release.cells * sum(m.numbers for m in plan.release.mechanisms),
        as_of=_told(plan, explained.missing),
    )


def _spent(plan: Plan, charged: int) -> float:
    """The epsilon of what one department was charged at the most, over all rounds."""
    if charged <= plan.release.cost_micro_rho:
        return plan.release.epsilon if charged else 0.0
    return shown(charged, plan.contract.disclosure.recipient.converting)


def _notes(notes: Iterable[Note]) -> list[gateway_pb2.Note]:
    return [gateway_pb2.Note(kind=note.kind, text=note.text) for note in notes]


def _column(plan: Plan, output: Output) -> gateway_pb2.ResultColumn:
    if isinstance(output.source, Key):
        kind = _key_type(plan, output.source.key)
    else:
        steps = {m.measure: m.step for m in plan.release.mechanisms}
        # Estimates from reports are on no grid.
        whole = is_whole(output.source, steps) and not any(
            axis.randomised for axis in plan.release.axes
        )
        kind = (
            gateway_pb2.ResultColumn.TYPE_INTEGER if whole else gateway_pb2.ResultColumn.TYPE_REAL
        )
    return gateway_pb2.ResultColumn(
        name=output.name, type=kind, released=not isinstance(output.source, Key)
    )


def type_of(kind: Type) -> gateway_pb2.ResultColumn.Type.ValueType:
    """A contract's type, as results name it."""
    return _TYPES[kind]


def _key_type(plan: Plan, key: GroupKey) -> gateway_pb2.ResultColumn.Type.ValueType:
    match key:
        case Whole(column):
            return _TYPES[plan.contract.by_name[column].type]
        case Truncated():
            return gateway_pb2.ResultColumn.TYPE_DATE
        case Bucketed():
            return gateway_pb2.ResultColumn.TYPE_INTEGER
        case _:
            assert_never(key)


def _value(cell: Cell, kind: gateway_pb2.ResultColumn.Type.ValueType) -> gateway_pb2.ResultValue:
    message = gateway_pb2.ResultValue()
    value = cell.value
    if value is not None:
        if kind == gateway_pb2.ResultColumn.TYPE_REAL and isinstance(value, int):
            value = float(value)  # a column has one type
        message.value.CopyFrom(to_literal(value))
    if cell.half_width is not None:
        message.half_width = cell.half_width
    return message


def _accuracy(plan: Plan, output: Output) -> gateway_pb2.ExpectedAccuracy:
    """Known beforehand for counts and sums; that of a ratio depends on the numbers.

    So does that of estimates from randomised reports: on how many there are.
    """
    found = gateway_pb2.ExpectedAccuracy(column=output.name)
    if isinstance(output.source, Number) and not is_randomised(plan.release):
        mechanism = next(m for m in plan.release.mechanisms if m.measure == output.source.measure)
        if plan.link is not None and mechanism.counted is None:
            width = link_notes.accuracy(plan.link, mechanism)
            if width is not None:
                found.half_width = width
        elif mechanism.counted is None:
            noise = expected_noise(mechanism, plan.draws)
            width = half_width(Combined(mechanism, (), *noise))
            if width is not None:
                found.half_width = width
    return found


def _budgets(
    plan: Plan, replies: Mapping[str, node_pb2.AnswerResponse]
) -> list[gateway_pb2.DepartmentBudget]:
    terms = plan.contract.disclosure
    if terms.method is not Method.DP:
        return []
    return [
        department_budget(
            terms, name, reply.recipient_budget, reply.overall_budget, reply.charged_micro_rho
        )
        for name, reply in replies.items()
        if plan.link is None or reply.overall_budget.limit_micro_rho  # it protects somebody
    ]


def department_budget(
    terms: Disclosure,
    department: str,
    recipient: release_pb2.Budget,
    overall: release_pb2.Budget,
    charged: int,
) -> gateway_pb2.DepartmentBudget:
    """The tighter of the two, which is the one that will end first."""
    tighter = min(recipient, overall, key=_left)
    # The whole delta is what is shown; part of it may be kept for selections.
    delta = replace(terms.recipient, delta=tighter.delta).converting
    return gateway_pb2.DepartmentBudget(
        department=department,
        spent_epsilon=shown(tighter.spent_micro_rho, delta),
        limit_epsilon=shown(tighter.limit_micro_rho, delta),
        left_share=_left(tighter) / tighter.limit_micro_rho if tighter.limit_micro_rho else 0.0,
        renews=tighter.renews,
        charged_micro_rho=charged,
    )


def _left(budget: release_pb2.Budget) -> int:
    return max(0, int(budget.limit_micro_rho) - int(budget.spent_micro_rho))

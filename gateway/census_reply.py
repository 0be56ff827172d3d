"""The total of a measurement as callers read it, of what both departments gave. Step (11)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.combine import Combined, expected_noise, is_budget
from gateway.reply import department_budget, type_of
from gateway.table import half_width
from landbridge.errors import error
from landbridge.literals import Value, to_literal
from landbridge.protocols.prio3.aggregation import Prio3
from landbridge.protocols.prio3.circuit import Circuit, Count, Histogram, Sum
from landbridge.v1 import census_pb2, gateway_pb2
from policies.measurement import MeasurementPlan, chunk_of

Given = census_pb2.TallyCloseResponse | census_pb2.TallyTotalResponse
_INTEGER = gateway_pb2.ResultColumn.TYPE_INTEGER
_REAL = gateway_pb2.ResultColumn.TYPE_REAL


@dataclass(frozen=True, slots=True)
class Collected:
    """What the owner and the second gave, by department, in this order."""

    plan: MeasurementPlan
    owner: census_pb2.TallyCloseResponse
    second: census_pb2.TallyTotalResponse

    @property
    def by_department(self) -> Mapping[str, Given]:
        """Both, by name."""
        measurement = self.plan.measurement
        return {measurement.owner: self.owner, measurement.second: self.second}

    @property
    def charged(self) -> int:
        """The most that one department was charged now."""
        return max(self.owner.charged_micro_rho, self.second.charged_micro_rho)


def require_fitting(collected: Collected) -> None:
    """Raises ANSWER_REJECTED for what cannot be the two parts of one batch."""
    plan, owner = collected.plan, collected.owner
    for name, given in collected.by_department.items():
        good = (
            (given.batch, given.reports) == (owner.batch, owner.reports)
            and given.reports >= plan.measurement.minimum
            and is_budget(given.recipient_budget)
            and is_budget(given.overall_budget)
            and given.charged_micro_rho == (0 if given.remembered else plan.cost_micro_rho)
        )
        if not good:
            raise _rejected(name)


def answer(collected: Collected) -> gateway_pb2.QueryResponse:
    """The answer, still without its receipt; raises ANSWER_REJECTED."""
    plan, owner = collected.plan, collected.owner
    try:
        total = Prio3(_circuit(plan), b"").unshard([owner.share, collected.second.share])
    except ValueError:
        raise _rejected(plan.measurement.second) from None
    width = half_width(Combined(plan.mechanism, (), *expected_noise(plan.mechanism, 2)))
    columns, rows = _table(plan, total, owner.reports, 0.0 if width is None else width)
    return gateway_pb2.QueryResponse(
        columns=columns,
        rows=rows,
        notes=_notes(collected),
        departments=list(collected.by_department),
        cost=gateway_pb2.Cost(
            epsilon=plan.epsilon if collected.charged else 0.0,
            delta=plan.delta,
            budgets=[
                department_budget(
                    plan.contract.disclosure,
                    name,
                    given.recipient_budget,
                    given.overall_budget,
                    given.charged_micro_rho,
                )
                for name, given in collected.by_department.items()
            ],
        ),
    )


def _table(
    plan: MeasurementPlan, total: list[int], reports: int, width: float
) -> tuple[list[gateway_pb2.ResultColumn], list[gateway_pb2.ResultRow]]:
    counted = _column("reports", _INTEGER, released=False)
    match plan.kind:
        case "histogram":
            kind = type_of(plan.contract.by_name[plan.measurement.column].type)
            columns = [
                _column(plan.measurement.column, kind, released=False),
                _column("count", _INTEGER),
            ]
            rows = [
                _row(_value(label), _value(number, width))
                for label, number in zip(plan.labels, total, strict=True)
            ]
        case "count":
            columns = [counted, _column("count", _INTEGER), _column("share", _REAL)]
            rows = [
                _row(
                    _value(reports),
                    _value(total[0], width),
                    _value(total[0] / reports, width / reports),
                )
            ]
        case "sum":
            whole = total[0] + plan.low * reports
            columns = [counted, _column("sum", _INTEGER), _column("avg", _REAL)]
            rows = [
                _row(
                    _value(reports),
                    _value(whole, width),
                    _value(whole / reports, width / reports),
                )
            ]
    return columns, rows


def _notes(collected: Collected) -> list[gateway_pb2.Note]:
    plan, owner = collected.plan, collected.owner
    first, second = plan.measurement.departments
    found = [
        ("batch", f"Batch {owner.batch} of {owner.reports} reports, which are in no other."),
        (
            "two_servers",
            f"{first} and {second} each hold one share of every report; neither has seen a value, "
            "and each added noise of its own.",
        ),
        ("participation", "How many took part is exact; what they said is protected."),
    ]
    if owner.refused:
        found.append(("refused", f"{owner.refused} reports were refused as invalid."))
    if not collected.charged:
        found.append(("remembered", "The same batch again, free of charge."))
    return [gateway_pb2.Note(kind=kind, text=text) for kind, text in found]


def _circuit(plan: MeasurementPlan) -> Circuit:
    match plan.kind:
        case "count":
            return Count()
        case "sum":
            return Sum(plan.high - plan.low)
        case "histogram":
            return Histogram(len(plan.labels), chunk_of(len(plan.labels)))


def _column(
    name: str, kind: gateway_pb2.ResultColumn.Type.ValueType, *, released: bool = True
) -> gateway_pb2.ResultColumn:
    return gateway_pb2.ResultColumn(name=name, type=kind, released=released)


def _row(*values: gateway_pb2.ResultValue) -> gateway_pb2.ResultRow:
    return gateway_pb2.ResultRow(values=values)


def _value(value: Value, width: float | None = None) -> gateway_pb2.ResultValue:
    found = gateway_pb2.ResultValue(value=to_literal(value))
    if width is not None and math.isfinite(width):
        found.half_width = width
    return found


def _rejected(department: str) -> Exception:
    return error(
        "ANSWER_REJECTED",
        f"Department {department} sent a part that does not fit the batch.",
        missing=(department,),
    )

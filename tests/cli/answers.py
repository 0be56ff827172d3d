"""Replies of a gateway, as messages."""

from __future__ import annotations

from landbridge.literals import to_literal
from landbridge.v1 import evidence_pb2, gateway_pb2

SQL = "SELECT district, count(*) AS n FROM people GROUP BY district"
PURPOSE = "dpv:ResearchAndDevelopment"

COLUMN = gateway_pb2.ResultColumn


def value(
    content: str | int | float | None, half_width: float | None = None
) -> gateway_pb2.ResultValue:
    """A cell."""
    message = gateway_pb2.ResultValue()
    if content is not None:
        message.value.CopyFrom(to_literal(content))
    if half_width is not None:
        message.half_width = half_width
    return message


def budget(department: str, left: float = 0.5) -> gateway_pb2.DepartmentBudget:
    """A department's budget."""
    return gateway_pb2.DepartmentBudget(
        department=department,
        spent_epsilon=4.0,
        limit_epsilon=8.0,
        left_share=left,
        renews="2027-01-01",
        charged_micro_rho=17,
    )


def answer(*districts: str, receipt: bool = True) -> gateway_pb2.QueryResponse:
    """Districts with 100, 101, ... people, plus or minus 9.5; the last row is all NULL."""
    rows = [
        gateway_pb2.ResultRow(values=[value(name), value(100 + place, 9.5)])
        for place, name in enumerate(districts)
    ]
    rows.append(gateway_pb2.ResultRow(values=[value(None), value(None, 9.5)]))
    return gateway_pb2.QueryResponse(
        columns=[
            COLUMN(name="district", type=COLUMN.TYPE_TEXT),
            COLUMN(name="n", type=COLUMN.TYPE_INTEGER, released=True),
        ],
        rows=rows,
        notes=[gateway_pb2.Note(kind="noise", text="Every number carries noise.")],
        departments=["east"],
        cost=gateway_pb2.Cost(epsilon=1.0, delta=1e-6, budgets=[budget("east")]),
        receipt=evidence_pb2.Receipt(entry=b'{"v":1}', proof="a proof", answer_salt=b"\x01\xff")
        if receipt
        else None,
    )


def plan() -> gateway_pb2.ExplainResponse:
    """What a question would do."""
    return gateway_pb2.ExplainResponse(
        mode="one department",
        why="people is asked of east alone.",
        question="SELECT count(*) FROM people GROUP BY district",
        contract="people",
        departments=["east"],
        columns=[gateway_pb2.UsedColumn(name="district", level="open", clause="group")],
        cells=3,
        epsilon=1.0,
        delta=1e-6,
        accuracy=[
            gateway_pb2.ExpectedAccuracy(column="n", half_width=9.5),
            gateway_pb2.ExpectedAccuracy(column="mean"),
        ],
        budgets=[budget("east")],
        notes=[gateway_pb2.Note(kind="noise", text="Every number carries noise.")],
    )


def directory(*arguments: str, title: str = "Eastern office") -> gateway_pb2.DirectoryResponse:
    """One member with a contract and a handler that takes these arguments."""
    return gateway_pb2.DirectoryResponse(
        members=[
            gateway_pb2.DirectoryMember(
                department="east",
                title=title,
                reachable=True,
                contracts=[
                    gateway_pb2.DirectoryContract(
                        id="people",
                        description="Who lives here",
                        method="dp",
                        unit="person_id",
                        purposes=[PURPOSE],
                        columns=[
                            gateway_pb2.DirectoryColumn(
                                name="district", type="string", level="open", grouping=True
                            )
                        ],
                    )
                ],
                handlers=[
                    gateway_pb2.DirectoryHandler(
                        name="east.band",
                        description="A band",
                        arguments=list(arguments),
                        codes=["LOW", "HIGH"],
                        purposes=[PURPOSE],
                    )
                ],
            )
        ]
    )

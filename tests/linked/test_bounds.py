"""What a linked question may take of a department: memory, time, and how often."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from landbridge.errors import DeadlineExceeded, LandbridgeError, Refused, Unavailable
from landbridge.protocols.pseudonyms import BLOCK
from landbridge.v1 import link_pb2
from nodes.link_dummies import BATCH, dummy_rows
from nodes.link_product import MOST_ROWS
from policies.link_plan import plan_link
from policies.linked import LinkedQuestion, Side
from policies.odcs import read
from policies.question import Count, Question, Whole
from tests.linked.world import Make, document
from tests.simulator import FederationSimulator

QUESTION = "SELECT sum(income) FROM tax.earners JOIN school.pupils USING (person)"


def dealing(federation: FederationSimulator, rows: int) -> list[link_pb2.LinkDealResponse]:
    """The gateway says that the owner has so many rows; what the dealer replied."""
    real = federation.nodes["school"].linking.Deal
    replied: list[link_pb2.LinkDealResponse] = []

    def deal(request: link_pb2.LinkDealRequest, context: Any) -> Any:
        changed = link_pb2.LinkDealRequest()
        changed.CopyFrom(request)
        changed.rows = rows
        replied.append(real(federation.link_signer.sign("school", changed), context))
        return replied[-1]

    federation.nodes["school"].linking.Deal = deal
    return replied


def test_a_dealer_is_not_told_of_rows_without_end(link: Make) -> None:
    """It makes a number for every row of the owner; nobody has so many, so nothing is begun."""
    federation = link("school", "tax")
    replied = dealing(federation, MOST_ROWS)
    with pytest.raises(Unavailable, match="LINK_LOST"):
        federation.query(QUESTION)
    assert not replied


def test_a_dealer_stops_when_time_is_up(link: Make) -> None:
    """The numbers of one sum are made in one call: it looks at its deadline between batches."""
    federation = link("school", "tax")
    dealing(federation, MOST_ROWS - 1)
    looks: list[float] = []
    real = federation.nodes["school"].linking.Dealt

    class Ending:
        """A call whose time is up at the fourth look."""

        def __getattr__(self, name: str) -> Any:
            return getattr(federation.node_context(), name)

        def time_remaining(self) -> float:
            looks.append(3.0 - len(looks))
            return looks[-1]

    federation.nodes["school"].linking.Dealt = lambda request, _: real(request, Ending())
    with pytest.raises(DeadlineExceeded):
        federation.query(QUESTION)
    assert 1 < len(looks) <= 5


def test_making_rows_looks_at_the_deadline(link: Make) -> None:
    """Between statements, batches of dummies and ranges, after the charge: it stays."""
    federation = link("school", "tax", count=lambda _, cells, *__: [BATCH] * cells)
    real = federation.nodes["tax"].linking.Begin
    looks: list[int] = []

    class Ending:
        def __getattr__(self, name: str) -> Any:
            return getattr(federation.node_context(), name)

        def time_remaining(self) -> float:
            looks.append(1)
            return 5.0 if len(looks) < 5 else 0.0

    federation.nodes["tax"].linking.Begin = lambda request, _: real(request, Ending())
    with pytest.raises(LandbridgeError) as caught:
        federation.query(QUESTION)
    assert caught.value.reason == "DEADLINE"
    assert len(looks) == 5
    assert not list(federation.nodes["tax"].underways._known)


def test_dummies_are_made_as_they_are_taken() -> None:
    """Millions of them cost no more memory than a batch and the largest entry."""
    sides = tuple(
        Side(name, read(document(table), table))
        for name, table in (("school", "pupils"), ("tax", "earners"))
    )
    asked = Question(
        "earners",
        (Count(),),
        joined=("pupils",),
        group_by=(Whole("earners.band"), Whole("pupils.grade")),
    )
    plan = plan_link(LinkedQuestion(asked, sides, ("person",), 900_000_000))
    side = plan.side("tax")
    each = 200_000
    tracemalloc.start()
    try:
        rows = 0
        for batch in dummy_rows(plan, side, bytes(32), lambda *args: [each] * args[1]):
            assert len(batch.codes) <= BATCH + each
            assert batch.pseudonyms.shape == (len(batch.codes), BLOCK)
            rows += len(batch.codes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == each * (sum(entry[1] is not None for entry in plan.entries) + side.codes)
    assert rows > 3_000_000
    assert peak < 100 * (BATCH + each), peak


def test_a_table_whose_owners_give_out_totals_only_is_not_linked(link: Make) -> None:
    """A link is about one department's part, which `alone: false` keeps back."""
    terms = {"earners": {"landbridgePooling": {"alone": False}}}
    federation = link("school", "tax", terms=terms)
    with pytest.raises(Refused, match="PARTS_WITHHELD") as refusal:
        federation.query(QUESTION)
    assert refusal.value.rule == "contract.pooling.alone"
    assert [node.runs for node in federation.nodes.values()] == [0, 0]
    assert not any(
        isinstance(message, link_pb2.LinkBeginRequest)
        for node in federation.nodes.values()
        for message in node.received
    )

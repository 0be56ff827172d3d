"""What each party saw of a linked question, recorded: nothing that it is not meant to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from landbridge.protocols.dummies import counts
from landbridge.protocols.pseudonyms import blocks, canonical
from landbridge.v1 import link_pb2
from policies.noise import draw
from tests.linked.world import Make, rows

QUESTION = (
    "SELECT band, grade, count(*), sum(income) FROM tax.earners "
    "JOIN school.pupils USING (person) GROUP BY band, grade"
)
MANY = [(person, "low", "A", 700 + person, None) for person in range(1, 3_001)]
PUPILS = [(person, 1, 50) for person in range(1, 3_001, 2)]


def of(messages: Sequence[Any], kind: type[Any]) -> list[Any]:
    """Those of one kind."""
    return [message for message in messages if isinstance(message, kind)]


def pseudonyms(messages: Sequence[Any]) -> set[bytes]:
    """Everything that was fetched."""
    whole = b"".join(each.pseudonyms for each in of(messages, link_pb2.LinkFetchResponse))
    return {whole[at : at + 16] for at in range(0, len(whole), 16)}


def test_the_gateway_gets_no_id_no_value_and_no_label(link: Make) -> None:
    """Everything that it received, as bytes: neither spelt out nor in the form of a block."""
    federation = link("school", "tax", terms={"earners": {"link": {"minimum": 40}}})
    federation.query(QUESTION)
    received = [
        message.SerializeToString()
        for node in federation.nodes.values()
        for message in node.sent
        if type(message).__module__.endswith("link_pb2")
    ]
    assert len(received) > 10
    whole = b"".join(received)
    people = {row[0] for table in ("earners", "pupils") for row in rows(table, 1)}
    for person in people:
        assert blocks([canonical(person)]).tobytes() not in whole
    incomes = {row[3] for row in rows("earners", 1) if row[3] is not None and abs(row[3]) > 300}
    values = b"".join(
        each.values
        for node in federation.nodes.values()
        for each in of(node.sent, link_pb2.LinkMultiplyResponse)
    )
    told = set(np.frombuffer(values, dtype="<i8").tolist())
    assert not told & incomes
    # Under the minimum of 40 linked keys no cell is shown, so no label came.
    for node in federation.nodes.values():
        assert [list(each.cells) for each in of(node.sent, link_pb2.LinkRevealResponse)] == [[]]
    for label in (b"low", b"middle", b"high"):
        assert label not in whole


def test_labels_come_for_released_cells_only(link: Make) -> None:
    """One band of three has enough linked persons; what the other codes mean stays untold."""
    earners = [(p, "low" if p < 40 else "high", "A", 1, None) for p in range(1, 44)]
    pupils = [(p, 1, 50) for p in range(1, 44)]
    federation = link(
        "school", "tax", contents={"earners": earners, "pupils": pupils},
        terms={"earners": {"link": {"minimum": 10}}},
    )  # fmt: skip
    answer = federation.query("SELECT band, count(*) FROM tax.earners "
                              "JOIN school.pupils USING (person) GROUP BY band")  # fmt: skip
    assert answer.rows() == [("low", 39), ("middle", None), ("high", None), (None, None)]
    (revealed,) = of(federation.nodes["tax"].sent, link_pb2.LinkRevealResponse)
    assert list(revealed.cells) == [0]


def uniform(numbers: np.ndarray) -> float:
    """The standard score of the number of ones among all bits; about normal where they are fair."""
    ones = int(np.unpackbits(np.ascontiguousarray(numbers).view(np.uint8)).sum())
    bits = numbers.size * 64
    return float((ones - bits / 2) / np.sqrt(bits / 4))


def test_what_gateway_and_owner_send_each_other_is_uniform(link: Make) -> None:
    """Bits and values alike, in every bit place; false alarm: under 10^-6 for each of 130 scores.

    The bits are nearly all 0 and the values small, so that an unhidden one fails at once.
    """
    federation = link("school", "tax", contents={"earners": MANY, "pupils": PUPILS})
    federation.query("SELECT sum(income) FROM tax.earners JOIN school.pupils USING (person)")
    node = federation.nodes["tax"]
    asked = b"".join(each.bits for each in of(node.received, link_pb2.LinkMultiplyRequest))
    answered = b"".join(each.values for each in of(node.sent, link_pb2.LinkMultiplyResponse))
    for said in (asked, answered):
        numbers = np.frombuffer(said, dtype="<u8")
        assert len(numbers) > 3_000
        assert abs(uniform(numbers)) < 5
        for place in range(64):
            ones = int(((numbers >> np.uint64(place)) & np.uint64(1)).sum())
            assert abs(ones - len(numbers) / 2) / np.sqrt(len(numbers) / 4) < 5.4, place
    hidden = np.frombuffer(np.arange(4_000, dtype="<u8").tobytes(), dtype="<u8")
    assert abs(uniform(hidden)) > 5, "the test cannot fail"


def test_two_questions_pseudonyms_are_unrelated(link: Make) -> None:
    """Attack 79: the same persons, asked twice, have no token in common, nor an order."""
    federation = link("school", "tax", contents={"earners": MANY, "pupils": PUPILS})
    text = "SELECT count(*) FROM tax.earners JOIN school.pupils USING (person)"
    node = federation.nodes["tax"]
    federation.query(text)
    first, node.sent[:] = pseudonyms(node.sent), []
    federation.query(text, epsilon=19)  # the same again would be answered from memory
    second = pseudonyms(node.sent)
    assert len(first) >= len(MANY) <= len(second)
    assert not first & second


def test_no_department_sees_anything_of_another(link: Make) -> None:
    """What a node receives beside its own question: sealed bytes, seeds, uniform numbers, codes."""
    federation = link("school", "tax", contents={"earners": MANY, "pupils": PUPILS})
    federation.query(QUESTION)
    for name, node in federation.nodes.items():
        kinds = {type(message).__name__ for message in node.received}
        assert kinds <= {
            "DescribeRequest", "LinkWeighRequest", "LinkOpenRequest", "LinkBeginRequest",
            "LinkFetchRequest", "LinkDealRequest", "LinkDealtRequest", "LinkTakeRequest",
            "LinkMultiplyRequest", "LinkTotalRequest", "LinkRevealRequest", "LinkKeepRequest",
        }  # fmt: skip
        others = federation.nodes["tax" if name == "school" else "school"]
        sent = pseudonyms(others.sent)
        whole = b"".join(message.SerializeToString() for message in node.received)
        assert not any(each in whole for each in list(sent)[:200])


def test_the_number_of_rows_is_noisy_even_for_who_knows_the_common_dummies(link: Make) -> None:
    """A dealer learns how many rows the owner has; the owner's own dummies stand between."""
    sizes = set()
    for _ in range(6):
        federation = link(
            "school", "tax", contents={"earners": MANY[:30], "pupils": PUPILS[:30]}, count=counts
        )
        federation.query("SELECT sum(income) FROM tax.earners JOIN school.pupils USING (person)",
                         epsilon=1)  # fmt: skip
        (deal,) = of(federation.nodes["school"].received, link_pb2.LinkDealRequest)
        sizes.add(deal.rows)
    # Six draws of Laplace noise of scale 8 and more; all alike with a probability under 10^-6.
    assert len(sizes) > 1


@pytest.mark.parametrize("epsilon", [20, 60])
def test_noise_is_as_large_as_the_answer_says(link: Make, epsilon: float) -> None:
    """Real dummies, both draws: at most 11 of 40 numbers outside 95 % (false alarm 4e-7)."""
    federation = link(
        "school", "tax", contents={"earners": MANY, "pupils": PUPILS}, draw=draw, count=counts
    )
    text = (
        "SELECT count(*) AS n, sum(income) AS s FROM tax.earners JOIN school.pupils USING (person)"
    )
    outside, errors = 0, set()
    truth = {"n": len(PUPILS), "s": sum(min(1_000, 700 + row[0]) for row in PUPILS)}
    for number in range(20):  # each at a price of its own, or it would be the first draw again
        answer = federation.query(text, epsilon=epsilon + number * 1e-6)
        for column, cell in zip(("n", "s"), answer.cells[0], strict=True):
            assert cell.half_width is not None
            assert isinstance(cell.value, int | float)
            error = cell.value - truth[column]
            errors.add(error)
            outside += abs(error) > cell.half_width
    assert outside <= 11
    assert len(errors) > 10

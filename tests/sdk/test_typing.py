"""What a type checker knows of the SDK: mypy reads this file with everything else.

`assert_type` fails where a type is another, and, since unused ignores are errors, each ignored line
fails where it stops being wrong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import assert_type

import landbridge
from landbridge import dbapi, testing
from landbridge.answers import Answer, Plan, Reply, Value
from landbridge.case import CaseChange, CaseView
from landbridge.case_handle import AsyncCase, Case
from landbridge.client import AsyncClient, Client
from landbridge.consultation.callers import AsyncConsultation, Consultation
from landbridge.consultation.view import ConsultationEvent, View
from landbridge.directory import Directory
from landbridge.reasons import BudgetExhausted
from tests.sdk.loopback import PEOPLE, PURPOSE


def synchronous(client: Client) -> None:
    """Every public method of the client for threads."""
    answer = client.query(PEOPLE, purpose=PURPOSE, parameters=["x", 1, 2.5, True])
    assert_type(answer, Answer)
    assert_type(answer.rows(), list[tuple[Value | None, ...]])
    assert_type(answer.accuracy, Mapping[str, list[float | None]])
    assert_type(client.explain(PEOPLE, purpose=PURPOSE), Plan)
    assert_type(client.call("a.b", purpose=PURPOSE, tailnum="N1"), Reply)
    assert_type(client.directory(), Directory)
    assert_type(client.call_many("a.b", ["N1", "N2"], purpose=PURPOSE), tuple[Reply, ...])
    assert_type(client.form_types("p", {"seats": "7"}), dict[str, int | str])
    assert_type(client.cases(overdue=True), tuple[CaseView, ...])
    case = client.open_case("p", purpose=PURPOSE, seats=7)
    assert_type(case, Case)
    assert_type(client.case("00"), Case)
    assert_type(case.refresh(), Case)
    assert_type(case.wait(5), Case)
    assert_type(case.changes(after=1), Iterator[CaseChange])
    matter = client.consult(PEOPLE, purpose=PURPOSE, basis="Art. 6")
    assert_type(matter, Consultation)
    assert_type(matter.reply("yes"), View)
    assert_type(matter.follow(1.0), Iterator[ConsultationEvent])
    assert_type(matter.answer(), Answer | Reply)
    case.wait("5")  # type: ignore[arg-type]
    client.case()  # type: ignore[call-arg]
    client.query(PEOPLE)  # type: ignore[call-arg] # a purpose must be stated
    client.query(PEOPLE, PURPOSE)  # type: ignore[call-arg] # by its name
    client.query(PEOPLE, purpose=PURPOSE, epsilon="1")  # type: ignore[arg-type]
    client.query(PEOPLE, purpose=PURPOSE, parameters=[None])  # type: ignore[list-item]
    client.call("a.b", purpose=PURPOSE, tailnum=[1])  # type: ignore[arg-type]


async def asynchronous(client: AsyncClient) -> None:
    """The same, awaited."""
    assert_type(await client.query(PEOPLE, purpose=PURPOSE), Answer)
    assert_type(await client.explain(PEOPLE, purpose=PURPOSE), Plan)
    assert_type(await client.directory(), Directory)
    case = await client.open_case("p", purpose=PURPOSE, seats=7)
    assert_type(case, AsyncCase)
    assert_type(await client.case("00"), AsyncCase)
    assert_type(await case.wait(), AsyncCase)
    assert_type(case.changes(), AsyncIterator[CaseChange])
    matter = await client.consult(PEOPLE, purpose=PURPOSE, basis="Art. 6")
    assert_type(matter, AsyncConsultation)
    assert_type(matter.follow(), AsyncIterator[ConsultationEvent])
    assert_type(await matter.answer(), Answer | Reply)
    client.query(PEOPLE, purpose=PURPOSE).rows()  # type: ignore[attr-defined] # not awaited
    await client.query(PEOPLE)  # type: ignore[call-arg]


def connected() -> None:
    """The ways to connect."""
    with landbridge.connect("g:1", token=Path("t"), ca=b"pem") as client:
        assert_type(client, Client)
    landbridge.connect("g:1", token=7)  # type: ignore[arg-type]
    assert_type(dbapi.connect("g:1", token=lambda: "t").cursor(), dbapi.Cursor)


def refused(client: Client) -> None:
    """An exception of one reason has what all have."""
    try:
        client.query(PEOPLE, purpose=PURPOSE)
    except BudgetExhausted as refusal:
        assert_type(refusal.hint, str)
        assert_type(refusal.retry_after, float | None)


def scripted() -> None:
    """The gateway of other people's tests."""
    with testing.gateway() as gateway:
        gateway.answers(None, {"a": ["x", None], "n": testing.released([1, 2], within=0.5)})
        gateway.answers(None, 7)  # type: ignore[arg-type]
        assert_type(gateway.client(), Client)


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    """Without the marker file everything above would be Any to its users (PEP 561)."""
    assert (Path(landbridge.__file__).parent / "py.typed").exists()

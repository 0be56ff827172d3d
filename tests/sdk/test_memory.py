"""The gateway in memory that other people's tests use: the real client, a scripted other end."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import landbridge
from landbridge import reasons, testing
from landbridge.answers import Plan
from landbridge.directory import Member, OfferedColumn, OfferedContract
from landbridge.errors import CATALOGUE, LandbridgeError
from landbridge.testing import Columns, MemoryGateway, released
from tests.sdk.loopback import PEOPLE, PURPOSE

Ask = Callable[..., Any]
COLUMNS: Columns = {"district": ["D1", None], "n": released([1_204, 18], within=12.5)}


def by_threads(gateway: MemoryGateway, method: str, *arguments: Any, **named: Any) -> Any:
    """One call by `Client`."""
    with gateway.client() as client:
        return getattr(client, method)(*arguments, **named)


def by_asyncio(gateway: MemoryGateway, method: str, *arguments: Any, **named: Any) -> Any:
    """One call by `AsyncClient`."""

    async def ask() -> Any:
        async with gateway.aclient() as client:
            return await getattr(client, method)(*arguments, **named)

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [by_threads, by_asyncio])


@both
def test_a_question_gets_what_the_test_wrote_down(ask: Ask) -> None:
    """As rows with error bars, whatever the white space of the question."""
    with testing.gateway() as gateway:
        gateway.answers(PEOPLE.replace(" ", "\n  "), COLUMNS)
        answer = ask(gateway, "query", PEOPLE, purpose=PURPOSE, epsilon=0.5)
    assert answer.rows() == [("D1", 1_204), (None, 18)]
    assert answer.accuracy == {"n": [12.5, 12.5]}
    (asked,) = gateway.asked
    assert (asked.sql, asked.purpose, asked.epsilon) == (PEOPLE, PURPOSE, 0.5)
    assert gateway.charged == 1


@both
@pytest.mark.parametrize("reason", CATALOGUE)
def test_every_reason_arrives_as_its_own_exception(ask: Ask, reason: str) -> None:
    """Who handles refusals can test each of them."""
    with testing.gateway() as gateway:
        gateway.refuses(reason, hint="Ask for less.")
        with pytest.raises(reasons.BY_REASON[reason]) as caught:
            ask(gateway, "query", PEOPLE, purpose=PURPOSE, timeout=1)
    assert caught.value.hint == "Ask for less."


@both
def test_a_lost_reply_is_fetched_again_and_charged_once(ask: Ask) -> None:
    """The client's own retry, with the same question id; the test writes down the loss alone."""
    with testing.gateway() as gateway:
        gateway.answers(None, COLUMNS)
        gateway.loses(1)
        assert ask(gateway, "query", PEOPLE, purpose=PURPOSE).rows()
    first, second = gateway.asked
    assert first == second
    assert gateway.charged == 1


@both
def test_an_outage_is_an_outage(ask: Ask) -> None:
    """Two lost replies in a row, a gateway that is down, one that hangs."""
    with testing.gateway() as gateway:
        gateway.answers(None, COLUMNS)
        gateway.loses(2)
        with pytest.raises(reasons.GatewayUnreachable):
            ask(gateway, "query", PEOPLE, purpose=PURPOSE)
        gateway.goes_down()
        with pytest.raises(reasons.GatewayUnreachable):
            ask(gateway, "query", PEOPLE, purpose=PURPOSE)
        gateway.comes_back()
        gateway.hangs()
        with pytest.raises(reasons.Deadline):
            ask(gateway, "query", PEOPLE, purpose=PURPOSE)
        assert ask(gateway, "query", PEOPLE, purpose=PURPOSE).rows()
    assert gateway.charged == 2


@both
def test_explain_call_and_directory_are_scripted_too(ask: Ask) -> None:
    """The rest of what a client can do."""
    plan = Plan("fan-out", "why", "q", "people", ("n",), (), 3, 0.5, 1e-6, {"n": 4.5}, (), ())
    columns = (OfferedColumn("district", "text", "open", "", grouping=True),)
    member = Member(
        "north", "North", True, (OfferedContract("people", "", "dp", "id", columns, ("p",)),), ()
    )
    with testing.gateway() as gateway:
        gateway.plans(re.compile("FROM people"), plan)
        gateway.replies("north.band", "OLD")
        gateway.offers(member)
        assert ask(gateway, "explain", PEOPLE, purpose=PURPOSE) == plan
        assert ask(gateway, "call", "north.band", purpose=PURPOSE, tailnum="N1").code == "OLD"
        assert ask(gateway, "directory").members == (member,)
    assert gateway.asked[1].arguments == {"tailnum": "N1"}


def test_what_nobody_wrote_down_is_refused_and_fails_the_test() -> None:
    """Code that swallows every refusal must not pass."""
    with (
        pytest.raises(AssertionError, match="does not write down"),
        testing.gateway() as gateway,
        pytest.raises(landbridge.Refused, match="Nothing is written down"),
    ):
        by_threads(gateway, "query", PEOPLE, purpose=PURPOSE)


def test_the_clients_own_checks_stand_before_the_script() -> None:
    """Nothing is sent, as nothing would be sent to a real gateway."""
    with testing.gateway() as gateway:
        gateway.answers(None, COLUMNS)
        with pytest.raises(reasons.PurposeMissing):
            by_threads(gateway, "query", PEOPLE, purpose="")
        client = gateway.client()
        client.close()
        with pytest.raises(LandbridgeError, match="closed"):
            client.query(PEOPLE, purpose=PURPOSE)
    assert gateway.asked == []


def test_columns_that_do_not_fit_together_are_refused() -> None:
    """A script that could never be an answer tests nothing."""
    with pytest.raises(LandbridgeError, match="length"):
        testing.answer({"a": ["x"], "n": released([1, 2])})
    with pytest.raises(LandbridgeError, match="type"):
        testing.answer({"a": ["x", 1]})


def test_it_needs_nothing_but_the_package() -> None:
    """Neither servers nor optional libraries are there where other people's tests run."""
    absent = "pyarrow pandas yaml duckdb gateway nodes policies sqlglot opentelemetry numpy"
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({absent.split()!r}))\n"
        "from landbridge import testing\n"
        "with testing.gateway() as g:\n"
        "    g.answers(None, {'n': testing.released([1], within=2)})\n"
        "    print(g.client().query('SELECT 1', purpose='p').rows())\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "[(1,)]\n", ran.stderr

"""Lines that are cut, silent or slow, and processes that stop and go on: real ones, over TLS."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import landbridge
from landbridge.answers import Answer
from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import Entry
from landbridge.evidence.lookup import Lookup
from landbridge.exchange import Exchange, attempts, query
from landbridge.federation.running import Federation
from landbridge.testing import federation
from landbridge.v1 import gateway_pb2
from tests.faults import town
from tests.faults.proxy import Line, line
from tests.faults.town import DEPARTMENTS, PURPOSE

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

SECONDS = 3.0
AWAY = frozenset({"GATEWAY_UNREACHABLE", "DEADLINE", "DEPARTMENT_MISSING"})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """The town of two departments."""
    folder = tmp_path_factory.mktemp("lines")
    with federation(town.write(folder / "town"), state=folder / "state") as up:
        yield up


@pytest.fixture
def wire(running: Federation) -> Iterator[Line]:
    """A line to the gateway."""
    with line(running.address) as found:
        yield found


@contextmanager
def caller(running: Federation, address: str) -> Iterator[landbridge.Client]:
    """A planner who comes by that address."""
    token = running.token("planner")
    with landbridge.connect(address, token=token, ca=running.ca) as client:
        yield client


def question(number: int) -> Exchange[Answer]:
    """One that nobody asked before, by its number."""
    sql = f"SELECT topic, count(*) AS n FROM loans WHERE days < {number} GROUP BY topic"
    return query(sql, purpose=PURPOSE, epsilon=0.5, partial=False)


def send(client: landbridge.Client, asked: Exchange[Answer], seconds: float = 60.0) -> Answer:
    """Its answer; a second time it is the same question id that goes out."""
    return client._driver.carry(attempts(asked, seconds, time.monotonic))


def away(client: landbridge.Client, asked: Exchange[Answer], seconds: float) -> LandbridgeError:
    """How it failed, which must be in its time; SLACK for a machine that is busy."""
    with pytest.raises(LandbridgeError) as caught:
        send(client, asked, seconds)
    assert caught.value.reason in AWAY
    return caught.value


def charges(running: Federation, asked: Exchange[Answer]) -> dict[str, int]:
    """How often each department charged for the question id, by its own published log."""
    assert isinstance(asked.request, gateway_pb2.QueryRequest)
    found = {}
    for department in DEPARTMENTS:
        for _ in range(100):
            entries = [
                entry
                for _, content in Lookup.of(running.log(department)).entries(0)
                if (entry := Entry.from_bytes(content)).question_id == asked.request.question_id
            ]
            if entries:
                break
            time.sleep(0.1)  # it is published soon
        found[department] = sum(entry.charged_micro_rho > 0 for entry in entries)
    return found


ONCE = dict.fromkeys(DEPARTMENTS, 1)


def test_a_lost_reply_is_the_same_answer_and_one_charge(running: Federation, wire: Line) -> None:
    """F18, I5: departments did the work and were charged; only the last hop was lost."""
    asked = question(3)
    with caller(running, wire.address) as client:
        send(client, question(1))
        wire.valve.silence()
        away(client, asked, SECONDS)
    wire.valve.open()
    with caller(running, wire.address) as client:
        first, second = send(client, asked), send(client, asked)
    assert first.rows() == second.rows()
    assert first.half_widths() == second.half_widths()
    assert charges(running, asked) == ONCE


def test_a_reply_cut_anywhere_is_whole_or_no_answer(running: Federation, wire: Line) -> None:
    """F20, I3: after any number of bytes of the reply the line ends; a part is never shown."""
    asked = question(5)
    with caller(running, wire.address) as client:
        whole = send(client, asked)
        wire.valve.open()
        assert send(client, asked).rows() == whole.rows()
        length = wire.valve.passed
    answered = 0
    for at in range(0, length + 1_500, max(1, length // 12)):
        with caller(running, wire.address) as client:
            wire.valve.open()
            client.directory()  # it is connected
            wire.valve.cut(at)
            answer = send(client, asked)  # its second attempt comes through
            assert (answer.rows(), answer.departments) == (whole.rows(), DEPARTMENTS)
            answered += 1
    assert answered >= 12
    assert charges(running, asked) == ONCE


@pytest.mark.parametrize("how", ["silence", "trickle"])
def test_a_call_over_such_a_line_ends_with_the_callers_time(
    running: Federation, wire: Line, how: str
) -> None:
    """F16, F17, I9: nobody is held longer than they said, and others do not notice."""
    with caller(running, wire.address) as client, caller(running, running.address) as other:
        client.directory()
        getattr(wire.valve, how)()
        began = time.monotonic()
        assert away(client, question(7), SECONDS).reason == "DEADLINE"
        assert time.monotonic() - began < 60  # far from the server's own minute and more
        assert send(other, question(7)).departments == DEPARTMENTS


def test_a_stopped_node_is_named_in_time_and_charges_once_when_it_goes_on(
    running: Federation,
) -> None:
    """F22, F17: SIGSTOP keeps every connection, so that nothing but time tells."""
    asked = question(11)
    process = running.process_id("archive")
    with caller(running, running.address) as client:
        send(client, question(9))
        os.kill(process, signal.SIGSTOP)
        try:
            failure = away(client, asked, SECONDS)
        finally:
            os.kill(process, signal.SIGCONT)
        assert "archive" in failure.missing or failure.reason == "DEADLINE"
        first, second = send(client, asked), send(client, asked)
    assert first.rows() == second.rows()
    assert first.departments == DEPARTMENTS
    assert charges(running, asked) == ONCE


def test_a_stopped_gateway_gives_no_second_draw_when_it_goes_on(running: Federation) -> None:
    """F22, I5: what it had taken it may still finish; the caller asks again under the same id."""
    asked = question(13)
    process = running.process_id()
    with caller(running, running.address) as client:
        send(client, question(9))
        os.kill(process, signal.SIGSTOP)
        try:
            assert away(client, asked, SECONDS).reason == "DEADLINE"
        finally:
            os.kill(process, signal.SIGCONT)
        first, second = send(client, asked), send(client, asked)
    assert first.rows() == second.rows()
    assert charges(running, asked) == ONCE


def test_a_gateway_without_descriptors_comes_back_when_it_has_some(running: Federation) -> None:
    """F26, I6: it takes no connection, answers nothing that it cannot publish, needs no restart."""
    process = running.process_id()
    soft, hard = resource.prlimit(process, resource.RLIMIT_NOFILE)
    with caller(running, running.address) as client:
        send(client, question(15))
        # Fewer than it has: whatever it closes, nothing can be opened in its place.
        resource.prlimit(process, resource.RLIMIT_NOFILE, (3, hard))
        try:
            with caller(running, running.address) as late:
                away(late, question(17), SECONDS)
            # Its own connection it keeps, but an entry that cannot be published is no entry.
            with pytest.raises(LandbridgeError, match="LOG_UNAVAILABLE"):
                for _ in range(50):
                    send(client, question(15))
        finally:
            resource.prlimit(process, resource.RLIMIT_NOFILE, (soft, hard))
        asked, answered = question(17), False
        for _ in range(200):
            with suppress(LandbridgeError), caller(running, running.address) as late:
                answered = send(late, asked).departments == DEPARTMENTS
                break
            time.sleep(0.1)
        assert answered


def test_a_second_gateway_on_the_same_state_does_not_start(
    running: Federation, tmp_path: Path
) -> None:
    """F14: two that write one log would fork it; the second one says so and ends."""
    settings = running.state / "gateway" / "gateway.toml"
    copy = tmp_path / "gateway.toml"
    copy.write_text(settings.read_text())
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", str(copy)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    with caller(running, running.address) as client:
        assert send(client, question(19)).departments == DEPARTMENTS

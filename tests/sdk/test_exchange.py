"""The steps of a call, without a socket and on a clock that the test turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.answers import Answer
from landbridge.errors import CATALOGUE, LandbridgeError, error
from landbridge.exchange import PASSING, PAUSE, Outcome, Pause, Send, attempts, query
from landbridge.v1.gateway_pb2 import QueryRequest, QueryResponse
from tests.sdk.loopback import PEOPLE, PURPOSE


def question(epsilon: float | None = None) -> QueryRequest:
    """The request of a question."""
    request = query(PEOPLE, purpose=PURPOSE, epsilon=epsilon, partial=False).request
    assert isinstance(request, QueryRequest)
    return request


def played(
    outcomes: list[tuple[Outcome, float]], timeout: float
) -> tuple[list[Send | Pause], Answer | LandbridgeError, float]:
    """The steps, the end, and the seconds used, when each sending takes so long and ends so."""
    now = 0.0
    steps: list[Send | Pause] = []
    asked = query(PEOPLE, purpose=PURPOSE, epsilon=None, partial=False)
    playing = attempts(asked, timeout, lambda: now)
    left = iter(outcomes)
    outcome: Outcome = None
    try:
        while True:
            step = playing.send(outcome)
            assert isinstance(step, Send | Pause)
            steps.append(step)
            if isinstance(step, Pause):
                now, outcome = now + step.seconds, None
            else:
                outcome, took = next(left)
                now += min(took, step.seconds)
    except StopIteration as end:
        return steps, end.value, now
    except LandbridgeError as failure:
        return steps, failure, now


def test_the_second_attempt_gets_the_time_that_is_left() -> None:
    """The deadline is the caller's, for the whole call."""
    steps, end, _ = played([(error("GATEWAY_UNREACHABLE"), 4.0), (QueryResponse(), 1.0)], 10.0)
    assert isinstance(end, Answer)
    assert [step.seconds for step in steps] == [10.0, PAUSE, 6.0 - PAUSE]


def test_there_is_no_second_attempt_without_time_for_it() -> None:
    """What went wrong tells more than that time ran out meanwhile."""
    steps, end, _ = played([(error("GATEWAY_UNREACHABLE"), 9.9)], 10.0)
    assert isinstance(end, LandbridgeError)
    assert end.reason == "GATEWAY_UNREACHABLE"
    assert len(steps) == 1


failures = st.tuples(st.sampled_from(sorted(CATALOGUE)).map(error), st.floats(0, 30))


@given(st.lists(failures, min_size=2, max_size=2), st.floats(0.01, 60))
def test_no_call_is_sent_three_times_or_outlives_its_deadline(
    outcomes: list[tuple[Outcome, float]], timeout: float
) -> None:
    """Whatever fails, in whatever order, however long it takes."""
    steps, end, used = played(outcomes, timeout)
    sent = [step for step in steps if isinstance(step, Send)]
    assert isinstance(end, LandbridgeError)
    assert len(sent) == 1 or (len(sent) == 2 and outcomes[0][0].reason in PASSING)  # type: ignore[union-attr]
    assert used <= timeout + 1e-9
    assert all(step.request is sent[0].request for step in sent)


@given(st.floats(1e-6, 1e6))
def test_epsilon_arrives_to_the_millionth_and_never_as_the_default(epsilon: float) -> None:
    """On the wire 0 means the contract's default, which may cost a hundred times more."""
    micro = question(epsilon).micro_epsilon
    assert micro >= 1
    assert abs(micro / 1e6 - epsilon) <= 0.51e-6


def test_no_epsilon_is_the_default() -> None:
    """The owner knows best what a usual question needs."""
    assert question().micro_epsilon == 0


@pytest.mark.parametrize(
    "reason", sorted(r for r in CATALOGUE if CATALOGUE[r].status != "UNAVAILABLE")
)
def test_only_an_outage_is_tried_again(reason: str) -> None:
    """A refusal repeated is a second refusal in the caller's name."""
    assert reason not in PASSING

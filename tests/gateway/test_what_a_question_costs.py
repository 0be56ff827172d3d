"""What one question costs, counted: a lost memory fails here, on a machine of any speed.

What is remembered falls when it has to, which the tests of each memory hold: tokens in
tests/identity, policies in tests/gateway/test_following.py and tests/nodes/test_following.py,
released answers in tests/disclosure, loaded tables in tests/nodes_engine/test_store.py, budgets in
tests/nodes/test_ledger.py, and what is remembered of contracts and questions in
tests/edge/test_recall.py and below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import cedarpy
import pytest

from gateway import planning, way
from landbridge.errors import LandbridgeError
from landbridge.evidence.journal import Journal
from landbridge.identity.signature import PublicKey
from nodes import answering, convert, guard
from policies import odcs
from tests.people import BAND, PURPOSE, TARGET, crowd
from tests.simulator import FederationSimulator, SimulatedNode

Simulate = Callable[..., FederationSimulator]
ALONE = "SELECT count(*) AS n FROM north.people"
BY_SEX = "SELECT sex, count(*) AS n FROM north.people GROUP BY sex"
TOGETHER = "SELECT count(*) AS n FROM people"
ANSWERS = 10


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """Two departments, each of which has answered something."""
    made = simulate({"north": [TARGET, *crowd(40)], "south": crowd(40)}, handlers=[BAND])
    made.query(TOGETHER, token=made.token())
    return made


@pytest.fixture
def done(federation: FederationSimulator, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each costly thing was done since the federation stood."""
    convert._read.cache_clear()  # a question of another test may have been the same
    counted: Counter[str] = Counter()

    def count(owner: Any, name: str, word: str) -> None:
        whole = getattr(owner, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            counted[word] += 1
            return whole(*arguments, **named)

        monkeypatch.setattr(owner, name, counting)

    count(PublicKey, "payload", "tokens verified")
    count(cedarpy, "is_authorized_batch", "decisions")
    count(odcs, "read", "contracts read")
    count(planning, "read", "texts parsed")
    count(SimulatedNode, "call", "requests to nodes")
    count(Journal, "append", "commits")
    for room, plans in ((planning, way), (guard, answering)):
        count(room, "review", "reviews")
        count(plans, "plan_release", "plans")
    count(convert, "_question", "questions read")
    for node in federation.nodes.values():
        for file in (node.ledger._connection, node.quotas._file._connection):
            file.set_trace_callback(lambda sql: counted.update({"counts": sql == "COMMIT"}))
    return counted


def _done(counted: Counter[str]) -> dict[str, int]:
    """Without what was done no time at all."""
    return {word: times for word, times in counted.items() if times}


def test_a_remembered_answer_costs_one_request_and_one_commit_of_each_log(
    federation: FederationSimulator, done: Counter[str]
) -> None:
    """No token, text, decision or contract is looked at twice, and no engine is asked."""
    token = federation.token()
    federation.query(ALONE, token=token)
    done.clear()
    before = _runs(federation)
    for _ in range(ANSWERS):
        assert federation.query(ALONE, token=token).cost.epsilon == 0
    assert _done(done) == {"requests to nodes": ANSWERS, "commits": 2 * ANSWERS}
    assert _runs(federation) == before


def test_a_remembered_answer_of_many_costs_two_rounds(
    federation: FederationSimulator, done: Counter[str]
) -> None:
    """Nobody's masks are made anew for what was summed already; a node logs each round."""
    token = federation.token()
    federation.query(TOGETHER, token=token)
    done.clear()
    before = _runs(federation)
    for _ in range(ANSWERS):
        federation.query(TOGETHER, token=token)
    assert _done(done) == {
        "requests to nodes": 2 * 2 * ANSWERS,
        "commits": (1 + 2 * 2) * ANSWERS,
    }
    assert _runs(federation) == before


def test_a_new_question_is_parsed_and_computed_once(
    federation: FederationSimulator, done: Counter[str]
) -> None:
    """One statement at the engine. Who may see what was decided at both ends, and holds still."""
    token = federation.token()
    federation.query(ALONE, token=token)
    done.clear()
    before = _runs(federation)
    federation.query(BY_SEX, token=token)
    assert _done(done) == {
        "requests to nodes": 1,
        "commits": 2,
        "texts parsed": 1,
        "questions read": 1,
        "reviews": 2,
        "plans": 2,
        "counts": 2,  # charged before the data is read, and final with its answer
    }
    assert _runs(federation) == before + 1


def test_a_handler_call_costs_one_request_one_run_one_count_and_one_commit_of_each_log(
    federation: FederationSimulator, done: Counter[str]
) -> None:
    """The count is on disk before any data is read; everything else is known."""
    token = federation.token()
    federation.call("north.band", purpose=PURPOSE, token=token, person=4711)
    done.clear()
    before = _runs(federation)
    for _ in range(ANSWERS):
        federation.call("north.band", purpose=PURPOSE, token=token, person=4711)
    assert _done(done) == {
        "requests to nodes": ANSWERS,
        "commits": 2 * ANSWERS,
        "counts": ANSWERS,
    }
    assert _runs(federation) == before + ANSWERS


def test_a_refusal_reaches_no_node(federation: FederationSimulator, done: Counter[str]) -> None:
    """What the text alone refuses costs nobody but the gateway anything."""
    with pytest.raises(LandbridgeError, match="NOT_AVAILABLE"):
        federation.query("SELECT name FROM people")
    assert done["requests to nodes"] == 0


def _runs(federation: FederationSimulator) -> int:
    return sum(node.runs for node in federation.nodes.values())

"""The logs of a whole federation agree, and whatever is done to one of them shows."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import Entry, encode
from landbridge.evidence.merkle import leaf_hash
from landbridge.evidence.reconciliation import Reconciliation, reconcile
from tests.gateway.test_portal import PERMIT, RIGHTS
from tests.people import ACCESS, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
Log = list[Entry]

MINUTE = timedelta(minutes=1)
COUNT = "SELECT count(*) FROM people"


def read(entries: Sequence[Entry]) -> Iterable[tuple[int, bytes]]:
    """Index and bytes, as a verified log gives them."""
    return [(index, entry.to_bytes()) for index, entry in enumerate(entries)]


def newest(logs: Iterable[Log]) -> datetime:
    """The clock of an auditor who comes at once."""
    return datetime.fromisoformat(max(entry.time for log in logs for entry in log))


def compare(
    gateway: Log,
    departments: dict[str, Log],
    window: timedelta = MINUTE,
    now: datetime | None = None,
) -> Reconciliation:
    """Both sides, after whatever a test did to them."""
    return reconcile(
        {"gateway": partial(read, gateway)},
        {name: partial(read, log) for name, log in departments.items()},
        in_flight=window,
        now=now or newest([gateway, *departments.values()]),
    )


def whats(found: Reconciliation) -> list[str]:
    """The kinds of findings."""
    return [finding.what for finding in found.findings]


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """Two departments that answered, remembered, refused, failed and missed questions."""
    made = simulate({"north": crowd(20), "south": crowd(20, seed=8)})
    made.query(COUNT)
    made.query(COUNT)  # remembered
    made.query("SELECT count(*) FROM north.people WHERE age > 40")
    made.explain(COUNT)
    for sql in ("SELECT name FROM people", "SELECT 1"):
        with pytest.raises(LandbridgeError):
            made.query(sql)
    with pytest.raises(LandbridgeError):
        made.query(COUNT, token="nobody's")
    made.nodes["south"].down = True
    made.query(f"{COUNT} WHERE age > 30", partial=True)
    made.nodes["south"].down = False
    made.now += 3600  # nothing of the above is under way
    made.query(f"{COUNT} WHERE age > 35")
    return made


def logs(federation: FederationSimulator) -> tuple[Log, dict[str, Log]]:
    """What every side logged."""
    return federation.entries(), {name: federation.entries(name) for name in federation.nodes}


def last_answer(gateway: Log) -> int:
    """The last answered question at the gateway that is no longer under way."""
    return max(
        at
        for at, entry in enumerate(gateway[:-1])
        if entry.kind == "query" and entry.outcome == "answered" and len(entry.parts) == 2
    )


def test_an_honest_federation_agrees_with_itself(federation: FederationSimulator) -> None:
    """Refusals, explanations, memory, partial answers and failed logins are no findings."""
    found = compare(*logs(federation))
    assert found.findings == ()
    # Remembered: an offer to repeat and the repetition, of both. Partial: a round that was lost,
    # and the one department that was left.
    assert found.matched == 2 + 2 * 2 + 1 + (1 + 1) + 2


def test_a_department_that_lost_its_last_entries_is_found(federation: FederationSimulator) -> None:
    """After the window; within it the same gap is an entry under way, and said to be."""
    gateway, departments = logs(federation)
    departments["north"].pop()
    found = compare(gateway, departments)
    assert whats(found) == ["in_flight"]
    assert found.wrong == ()
    late = Entry(kind="stop", time="2027-01-01T00:00:00.000000Z", program="landbridge 1")
    found = compare([*gateway, late], departments)
    assert whats(found) == ["missing_at_department"]
    assert (found.findings[0].department, found.findings[0].gateway) == ("north", len(gateway) - 1)


def test_entries_of_the_future_excuse_nothing(federation: FederationSimulator) -> None:
    """The auditor's clock says what is young; a log dated 9999 neither hides nor blames others."""
    gateway, departments = logs(federation)
    now = newest([gateway, *departments.values()]) + 2 * MINUTE
    hidden = departments["north"][-1]
    departments["north"][-1] = replace(
        hidden, time="9999-01-01T00:00:00.000000Z", question_id="ef" * 16
    )
    departments["north"].append(replace(departments["north"][-1], question_id="ee" * 16))
    found = compare(gateway, departments, now=now)
    assert whats(found).count("ahead_of_time") == 2
    assert "missing_at_gateway" in whats(found)
    assert "in_flight" not in whats(found)


@pytest.mark.parametrize("time", ["9999-99-99T99:99:99.999999Z", "2026-02-30T00:00:00.000000Z"])
def test_a_time_that_never_was_is_a_finding(federation: FederationSimulator, time: str) -> None:
    """One department must not be able to end the comparison of all."""
    gateway, departments = logs(federation)
    strange = encode({"kind": "query", "time": time, "outcome": "answered"})
    read_north = [*read(departments["north"]), (len(departments["north"]), strange)]
    found = reconcile(
        {"gateway": partial(read, gateway)},
        {"north": lambda: read_north, "south": partial(read, departments["south"])},
        in_flight=MINUTE,
        now=newest([gateway, *departments.values()]),
    )
    assert whats(found) == ["unreadable"]
    assert found.findings[0].department == "north"


def test_an_answer_that_the_gateway_hides_is_found(federation: FederationSimulator) -> None:
    """The departments remember it, each for itself."""
    gateway, departments = logs(federation)
    hidden = gateway.pop(last_answer(gateway))
    found = compare(gateway, departments)
    assert whats(found) == ["missing_at_gateway"] * 2
    assert {finding.question_id for finding in found.findings} == {hidden.question_id}


def test_an_answer_that_nobody_took_is_found(simulate: Simulate) -> None:
    """A department answered, the gateway gave up: what was computed has left the department."""
    made = simulate({"north": crowd(20), "south": crowd(20, seed=8)})

    made.nodes["south"].change = lambda reply: reply.ClearField("receipt")
    with pytest.raises(LandbridgeError):
        made.query(COUNT)
    made.nodes["south"].change = None
    made.now += 3600
    made.query(f"{COUNT} WHERE age > 35")
    found = compare(*logs(made))
    assert set(whats(found)) == {"missing_at_gateway"}
    assert "failed ANSWER_REJECTED" in found.findings[0].sentence


def test_a_rewritten_entry_is_found(federation: FederationSimulator) -> None:
    """Its leaf hash is not the one that the gateway was shown."""
    gateway, departments = logs(federation)
    log = departments["south"]
    at = next(at for at, entry in enumerate(log) if entry.charged_micro_rho)
    log[at] = replace(log[at], purpose="dpv:Marketing")
    found = compare(gateway, departments)
    assert whats(found) == ["another_entry"]
    assert found.findings[0].entry == at


def rehash(gateway: Log, departments: dict[str, Log]) -> Log:
    """The gateway's log as one that names whatever the departments' entries are now."""

    def leaf(department: str, index: int) -> str:
        return leaf_hash(departments[department][index].to_bytes()).hex()

    return [
        replace(
            entry,
            parts=tuple(
                {**part, "leaf_hash": leaf(part["department"], part["index"])}
                for part in entry.parts
            ),
        )
        for entry in gateway
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"outcome": "failed", "reason": "FAULT"}, "another_outcome"),
        ({"question_id": "ab" * 16}, "another_question"),
        ({"charged_micro_rho": 1}, "another_charge"),
        ({"kind": "call"}, "another_kind"),
        ({"resource": "patients"}, "another_resource"),
        ({"members": ("north", "south", "east")}, "another_members"),
        ({"purpose": "dpv:Marketing"}, "another_asker"),
        ({"organisation": "insurance"}, "another_asker"),
        ({"client": "another program"}, "another_asker"),
    ],
)
def test_a_pair_that_agrees_on_its_bytes_must_agree_on_what_they_say(
    changes: dict[str, object], expected: str, federation: FederationSimulator
) -> None:
    """Both signers together could name each other's entries and still tell two stories."""
    gateway, departments = logs(federation)
    log = departments["south"]
    at = next(at for at, entry in enumerate(log) if entry.charged_micro_rho)
    log[at] = replace(log[at], **changes)  # type: ignore[arg-type]
    assert whats(compare(rehash(gateway, departments), departments)) == [expected]


def test_memory_is_told_alike(federation: FederationSimulator) -> None:
    """An answer called remembered would hide a draw."""
    gateway, departments = logs(federation)
    at = last_answer(gateway)
    gateway[at] = replace(gateway[at], remembered=not gateway[at].remembered)
    assert whats(compare(gateway, departments)) == ["another_memory"]


def test_one_entry_cannot_stand_for_two_answers(federation: FederationSimulator) -> None:
    """Else one logged release could cover another that was not."""
    gateway, departments = logs(federation)
    gateway.insert(0, replace(gateway[last_answer(gateway)], question_id=secrets.token_hex(16)))
    found = whats(compare(gateway, departments))
    assert found.count("named_twice") == 2
    assert found.count("another_question") == 2


def test_what_failed_and_was_asked_again_under_its_id_may_name_the_same(
    federation: FederationSimulator,
) -> None:
    """A gateway that could not keep what it was told is told the same again: it is one answer."""
    gateway, departments = logs(federation)
    answered = gateway[last_answer(gateway)]
    failed = replace(
        answered, outcome="failed", reason="CASES_UNAVAILABLE", answer_digest="", remembered=False
    )
    whole = whats(compare(gateway, departments))
    assert whats(compare([failed, *gateway], departments)) == whole
    assert whats(compare([*gateway, failed], departments)) == whole
    other = replace(failed, question_id=secrets.token_hex(16))
    assert "named_twice" in whats(compare([other, *gateway], departments))


def test_an_answer_of_nobody_is_found(federation: FederationSimulator) -> None:
    """The gateway has no data of its own."""
    gateway, departments = logs(federation)
    gateway[0] = replace(gateway[0], parts=())
    found = whats(compare(gateway, departments))
    assert sorted(found) == ["missing_at_gateway", "missing_at_gateway", "without_parts"]


def refused(federation: FederationSimulator) -> tuple[Log, dict[str, Log]]:
    """The logs, and a refusal of the south's to a question that the gateway answered once."""
    gateway, departments = logs(federation)
    answered = gateway[last_answer(gateway)]
    (named,) = (part for part in answered.parts if part["department"] == "south")
    refusal = replace(
        departments["south"][named["index"]], outcome="refused", reason="ACCESS_DENIED",
        answer_digest="",
    )  # fmt: skip
    departments["south"].append(refusal)
    return gateway, departments


def test_a_refusal_that_became_an_answer_is_found(federation: FederationSimulator) -> None:
    """One refusal refuses the whole."""
    gateway, departments = refused(federation)
    at = last_answer(gateway)
    without = tuple(part for part in gateway[at].parts if part["department"] != "south")
    gateway[at] = replace(gateway[at], parts=without)
    assert "another_outcome" in whats(compare(gateway, departments))


def test_a_question_refused_once_and_answered_once_is_no_refusal_that_became_an_answer(
    federation: FederationSimulator,
) -> None:
    """Asked twice under its id; a gateway that was killed in between wrote of one time only."""
    gateway, departments = refused(federation)
    found = compare(gateway, departments)
    assert whats(found) == ["missing_at_gateway"]
    assert "refused once and answered once" in found.findings[0].sentence


def test_a_log_that_was_not_given_is_said_to_be_missing(federation: FederationSimulator) -> None:
    """What was not compared is not in order."""
    gateway, departments = logs(federation)
    del departments["south"]
    found = compare(gateway, departments)
    assert set(whats(found)) == {"not_given"}
    assert len(found.wrong) == 4


def test_parts_that_stand_apart_are_followed_too(federation: FederationSimulator) -> None:
    """A very wide question's parts do not fit into its entry."""
    gateway, departments = logs(federation)
    at = last_answer(gateway)
    whole = gateway[at]
    apart = [
        Entry(kind="parts", time=whole.time, question_id=whole.question_id, parts=(part,))
        for part in whole.parts
    ]
    gateway[at : at + 1] = [*apart, replace(whole, parts=())]
    assert compare(gateway, departments).findings == ()


def test_what_is_no_entry_is_found_and_not_quoted(federation: FederationSimulator) -> None:
    """A verified log can still hold bytes that say nothing."""
    gateway, departments = logs(federation)
    found = reconcile(
        {"gateway": lambda: [*read(gateway), (len(gateway), b"secret")]},
        {name: partial(read, log) for name, log in departments.items()},
        in_flight=MINUTE,
        now=newest([gateway, *departments.values()]),
    )
    assert whats(found) == ["unreadable"]
    assert "secret" not in found.findings[0].sentence


def test_a_look_up_about_a_person_is_reconciled_too(simulate: Simulate) -> None:
    """Its list goes out without a department that refuses; one that nobody named is a finding."""
    federation = simulate(
        {"north": crowd(5), "south": crowd(5, seed=8)},
        access=ACCESS + PERMIT,
        gateway_access=ACCESS + PERMIT,
    )
    token = federation.token(
        "portal", organisation="citizens-office", clearance="restricted", purposes=[RIGHTS]
    )
    federation.about("4711", purpose=RIGHTS, token=token)
    gateway, departments = logs(federation)
    assert compare(gateway, departments).findings == ()
    assert compare(gateway, departments).matched == 2
    refusal = replace(
        departments["south"][-1], outcome="refused", reason="ACCESS_DENIED", answer_digest=""
    )
    departments["south"].append(refusal)
    assert compare(gateway, departments).findings == ()
    departments["north"].append(replace(departments["north"][-1], question_id="ab" * 16))
    later = newest([gateway, *departments.values()]) + 2 * MINUTE
    assert whats(compare(gateway, departments, now=later)) == ["missing_at_gateway"]

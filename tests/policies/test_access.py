"""Access: what no policy permits is denied, and so is what cannot be decided."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import Refused
from landbridge.levels import Level
from policies import access
from policies.access import MEMORY, AccessPolicy, Decision, Request
from policies.moment import Moment
from tests.policies.policy_sets import ASK, FORBID, NOON, PERMIT, load


def unchecked(text: str) -> AccessPolicy:
    """A policy set that `load` would not let in, to see what the next line of defence does."""
    return AccessPolicy(cedarpy.PolicySet.from_str(text), "")


def test_a_permit_permits_and_is_named() -> None:
    """The log names the policy by which somebody saw something."""
    assert load(PERMIT).decide(ASK) == Decision(True, ("research",))
    assert load(PERMIT).require(ASK) == ("research",)


@pytest.mark.parametrize(
    "text", ["", "// nothing yet\n", FORBID], ids=["empty", "comment", "forbid"]
)
def test_without_a_permit_everything_is_denied(text: str) -> None:
    """An owner who forgot the policy has not published the data."""
    assert load(text).decide(ASK) == Decision(False, ())
    with pytest.raises(Refused, match="ACCESS_DENIED") as caught:
        load(text).require(ASK)
    assert caught.value.rule == "default deny"
    assert caught.value.hint


def test_a_forbid_outweighs_every_permit() -> None:
    """Whoever adds a permit cannot undo a prohibition by accident."""
    both = load(PERMIT + FORBID)
    asked = replace(ASK, level=Level.RESTRICTED)
    assert load(PERMIT).decide(asked).permitted
    assert both.decide(asked) == Decision(False, ("clearance",))
    assert both.decide(ASK) == Decision(True, ("research",))
    with pytest.raises(Refused) as caught:
        both.require(asked)
    assert (caught.value.reason, caught.value.rule) == ("ACCESS_DENIED", "clearance")
    assert caught.value.hint == "Ask with more clearance."


def test_a_forbid_without_a_hint_still_explains_itself() -> None:
    """A refusal always says what decided."""
    text = PERMIT + '@id("no") forbid (principal, action, resource);'
    with pytest.raises(Refused, match=r"\[no\]") as caught:
        load(text).require(ASK)
    assert "forbids" in caught.value.hint


@pytest.mark.parametrize(
    "condition",
    [
        'Caller::"mallory".clearance > 3',
        "context.level + 9223372036854775807 > 0",
        "principal.vetted",
        'context.reason == "x"',
    ],
)
def test_a_forbid_that_fails_denies(condition: str) -> None:
    """Cedar skips a policy that fails: a failing forbid would let everything through."""
    text = PERMIT + f'@id("broken") forbid (principal, action, resource) when {{ {condition} }};'
    policy = unchecked(text)
    asked = replace(ASK, level=Level.INTERNAL)
    decision = policy.decide(asked)
    # Cedar itself found the permit, and nothing against it.
    assert decision == Decision(False, ("research",), failed=("broken",))
    with pytest.raises(Refused, match=r"\[broken\]"):
        policy.require(asked)


@pytest.mark.parametrize(
    "name",
    [
        'x"} permit(principal, action, resource);',
        'alice", "parents": [{"type": "Organisation", "id": "institute"}], "x": "',
        'Caller::"alice"',
        "alice\nbob",
        "\x00",
        "",
        "🛬" * 50,
        "__entity",
    ],
)
def test_an_id_from_a_token_is_never_read_as_cedar(name: str) -> None:
    """A subject, an organisation, a purpose and a resource are names, whatever they spell."""
    policy = load(PERMIT + FORBID)
    assert policy.decide(replace(ASK, subject=name)) == policy.decide(ASK)
    for hostile in (
        replace(ASK, organisation=name),
        replace(ASK, purpose=name),
        replace(ASK, resource=name, organisation="other"),
        replace(ASK, subject=name, level=Level.SEALED),
    ):
        assert not policy.decide(hostile).permitted


def test_what_cedar_cannot_read_is_denied() -> None:
    """Half a surrogate pair is in no language; the answer is still a refusal."""
    policy = load('@id("all") permit (principal, action, resource);')
    for asked in (
        replace(ASK, subject="\ud800"),
        replace(ASK, organisation="\udfff"),
        replace(ASK, purpose="\ud800"),
        replace(ASK, resource="\ud800"),
        replace(ASK, action="drop"),  # type: ignore[arg-type]
        replace(ASK, resource_kind="handler"),
    ):
        decision = policy.decide(asked)
        assert not decision.permitted
        with pytest.raises(Refused, match="ACCESS_DENIED"):
            policy.require(asked)


class Counted:
    """Counts how often Cedar is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.evaluations = 0
        self._lock = threading.Lock()
        self._real = cedarpy.is_authorized_batch
        monkeypatch.setattr(cedarpy, "is_authorized_batch", self._asked)

    def _asked(self, *arguments: object, **named: object) -> list[cedarpy.AuthzResult]:
        with self._lock:
            self.evaluations += 1
        return self._real(*arguments, **named)  # type: ignore[arg-type]


def test_a_decision_is_remembered_for_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same question by the same caller is decided once."""
    counted = Counted(monkeypatch)
    policy = load(PERMIT + FORBID)
    for _ in range(50):
        assert policy.decide(ASK).permitted
        assert not policy.decide(replace(ASK, purpose="dpv:Marketing")).permitted
    assert counted.evaluations == 2


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, subject="bob"),
        replace(ASK, organisation="other"),
        replace(ASK, clearance=Level.SEALED),
        replace(ASK, action="call"),
        replace(ASK, resource_kind="handler"),
        replace(ASK, resource="visits"),
        replace(ASK, purpose="dpv:Marketing"),
        replace(ASK, level=Level.SEALED),
    ],
)
def test_no_part_of_a_request_is_forgotten(other: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remembered decision must never answer for another caller, purpose or level."""
    counted = Counted(monkeypatch)
    policy = load(PERMIT + FORBID)
    policy.decide(ASK)
    policy.decide(other)
    assert counted.evaluations == 2


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers choose requests; they must not choose how much is kept."""
    counted = Counted(monkeypatch)
    monkeypatch.setattr(access, "MEMORY", 8)
    policy = load(PERMIT)
    for number in range(20):
        policy.decide(replace(ASK, subject=str(number)))
    for number in range(12, 20):
        policy.decide(replace(ASK, subject=str(number)))
    assert counted.evaluations == 20
    policy.decide(replace(ASK, subject="0"))
    assert counted.evaluations == 21
    assert MEMORY <= 10_000


def test_threads_get_the_decisions_of_their_own_requests() -> None:
    """One policy set serves every thread of a server."""
    policy = load(PERMIT + FORBID)
    wrong: list[Request] = []

    def ask(seed: int) -> None:
        for number in range(200):
            level = Level((seed + number) % 4)
            asked = replace(ASK, subject=f"{number % 7}", level=level)
            if policy.decide(asked).permitted != (level <= ASK.clearance):
                wrong.append(asked)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_the_digest_names_the_text() -> None:
    """The log says which policy decided, byte for byte."""
    assert load(PERMIT).digest == hashlib.sha256(PERMIT.encode()).hexdigest()
    assert load(PERMIT).digest != load(PERMIT + " ").digest


@given(
    st.builds(
        Request,
        subject=st.text(),
        organisation=st.text() | st.just("institute"),
        clearance=st.sampled_from(Level),
        action=st.sampled_from(["query", "call"]),
        resource_kind=st.sampled_from(["contract", "handler"]),
        resource=st.text() | st.just("people"),
        purpose=st.text() | st.just("dpv:ResearchAndDevelopment"),
        level=st.sampled_from(Level),
        # As a clock gives them: a weekday of 2^63 is no number that Cedar reads.
        moment=st.integers(0, 4_000_000_000).map(Moment.at),
    )
)
def test_any_request_is_decided_by_the_written_rules_only(request: Request) -> None:
    """No spelling of an id or a purpose reaches a decision that the policies do not state."""
    assert load(PERMIT + FORBID).decide(request).permitted == (
        request.organisation == "institute"
        and request.action == "query"
        and request.resource_kind == "contract"
        and request.purpose == "dpv:ResearchAndDevelopment"
        and request.level <= request.clearance
    )


def test_the_moments_that_a_policy_tells_apart_are_few_and_hold_its_borders() -> None:
    """Every hour, weekday and date on either side of what the policy names, and no more."""
    timed = load(
        '@id("t") permit (principal, action, resource) when { context.hour >= 9 && '
        "context.weekday < 6 && context.date < 20270101 };"
    )
    moments = timed.moments(NOON)
    assert moments[0] == NOON
    assert len(moments) <= 3 * 12 * 7 + 1
    assert {moment.hour for moment in moments} >= {0, 8, 9, 10, 23}
    assert {moment.date for moment in moments} >= {20270100, 20270101}
    assert {moment.weekday for moment in moments} >= {1, 5, 6, 7}
    assert load(PERMIT).moments(NOON) == (NOON,)

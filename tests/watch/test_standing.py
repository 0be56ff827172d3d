"""A standing question at its owner, from its making to its end; crashes change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landbridge.edge.record import Draft
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.receipt import Receipt
from landbridge.v1 import watch_pb2
from nodes.announcement import BATCH
from policies.noise import draw
from tests.people import ACCESS
from tests.watch.department import WATCHES, Department, requested

Make = Callable[..., Department]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Departments, each in a folder of its own."""
    made: list[Department] = []

    def one(**terms: object) -> Department:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Department(folder, **terms))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for each in made:
        each.close()


def reason_of(act: Callable[[], object]) -> str:
    """Why it was refused."""
    with pytest.raises(LandbridgeError) as refused:
        act()
    return refused.value.reason


def test_the_budget_is_reserved_once_and_silence_costs_nothing_more(make: Make) -> None:
    """Half of it for two alerts: one run begins with the first evaluation, and goes on."""
    office = make()
    watch = office.stand()
    reserved = office.spent
    assert reserved > 0
    replies = [office.evaluate(watch) for _ in range(100)]
    assert [each.evaluations for each in replies] == list(range(1, 101))
    assert {each.spent_micro_rho for each in replies} == {-(-reserved // 2)}
    assert not any(each.alerts for each in replies)
    assert office.spent == reserved


def test_a_watch_whose_memory_failed_is_made_again_and_charged_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reserved, and never remembered as standing: no restart is needed, whoever comes first."""
    office = make()

    def full(*_: object) -> None:
        raise error("LEDGER_UNAVAILABLE")

    for turn in range(2):
        identifier = f"{turn:032x}"
        before = office.spent
        with monkeypatch.context() as patch:
            patch.setattr(office.memory, "stand", full)
            failing = partial(office.stand, identifier=identifier)
            assert reason_of(failing) == "LEDGER_UNAVAILABLE"
        assert office.spent > before
        assert reason_of(partial(office.evaluate, identifier)) == "NOT_AVAILABLE"
        if turn:
            office.watches.tidy()
            assert office.spent == before
        office.stand(identifier=identifier)
        once = office.spent - before
        assert office.stand(identifier=identifier) == identifier
        assert office.spent - before == once
        assert not office.evaluate(identifier).ended


def test_stopping_gives_back_what_was_not_spent(make: Make) -> None:
    """A watch that was never evaluated costs nothing; one run of two costs half."""
    office = make()
    assert office.watches.end(office.stand(), "") == 0
    assert office.spent == 0
    watch = office.stand()
    reserved = office.spent
    office.evaluate(watch)
    assert office.watches.end(watch, "") == office.spent == -(-reserved // 2)
    assert office.watches.end(watch, "") == office.spent  # again it does nothing
    assert office.evaluate(watch).ended == "stopped"


def test_an_alert_comes_again_until_it_is_acknowledged_and_is_the_same(make: Make) -> None:
    """At least once, one draw, one entry: whatever got lost on the way."""
    office = make()
    watch = office.stand()
    office.people(200)
    first = office.evaluate(watch)
    (alert,) = first.alerts
    assert (alert.number, alert.evaluation, [cell.place for cell in alert.cells]) == (1, 1, [0])
    assert not alert.cells[0].HasField("number")  # by dp the condition alone is told
    office.crash()
    assert office.evaluate(watch).alerts == first.alerts
    assert office.notes("alert") == ["alert 1 of evaluation 1"]
    later = office.evaluate(watch, acknowledged=1)
    assert [each.number for each in later.alerts] == [2]


def test_an_alert_that_was_stored_and_not_logged_is_logged_before_it_leaves(make: Make) -> None:
    """Death between store and log: the entry comes at the next asking, and once."""
    office = make()
    watch = office.stand()
    office.people(200)
    office.evaluate(watch, after=0)  # the first alert
    office.node.log.broken = True
    assert reason_of(lambda: office.evaluate(watch, 1)) == "LOG_UNAVAILABLE"
    office.node.log.broken = False
    office.crash()
    (alert,) = office.evaluate(watch, 1).alerts
    assert alert.number == 2
    assert office.notes("alert") == ["alert 1 of evaluation 1", "alert 2 of evaluation 2"]


def test_an_alert_whose_entry_was_written_is_found_in_the_log(make: Make) -> None:
    """Death between log and store: the entry that is there is the one."""
    office = make()
    watch = office.stand()
    office.people(200)
    logged = office.memory.logged

    def die(identifier: str, number: int, receipt: Receipt) -> None:
        del identifier, number, receipt
        raise KeyboardInterrupt

    office.memory.logged = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        office.evaluate(watch)
    office.memory.logged = logged  # type: ignore[method-assign]
    office.crash()
    (alert,) = office.evaluate(watch).alerts
    assert office.notes("alert") == ["alert 1 of evaluation 1"]
    assert alert.receipt.entry == office.node.log.entries[-1].to_bytes()


def test_an_alert_whose_call_found_no_seat_is_logged_under_its_watch(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the log sees whose alert waited; it comes with the next call."""
    office = make()
    watch = office.stand()
    office.people(200)

    def full(draft: Draft, caller: object) -> None:
        if draft.kind == "alert":
            raise error("TOO_BUSY")
        taken(draft, caller)  # type: ignore[arg-type]

    taken = Draft.caller
    with monkeypatch.context() as patch:
        patch.setattr(Draft, "caller", full)
        assert reason_of(lambda: office.evaluate(watch)) == "TOO_BUSY"
    assert [each.number for each in office.evaluate(watch).alerts] == [1]
    said = [each for each in office.world.entries("one") if each.kind == "alert"]
    assert [(each.outcome, each.watch) for each in said] == [
        ("failed", watch),
        ("answered", watch),
    ]


def test_when_its_budget_is_spent_it_ends(make: Make) -> None:
    """Two alerts were paid for: the second is the last, and nothing is given back."""
    office = make()
    watch = office.stand()
    reserved = office.spent
    office.people(200)
    office.evaluate(watch)
    second = office.evaluate(watch, 1)
    assert second.ended == "spent"
    assert office.evaluate(watch, 2).ended == "spent"
    assert office.spent == reserved
    assert office.notes("watch")[-1] == f"ended: spent; spent {reserved} of {reserved} micro rho"


def test_a_cell_that_told_rests(make: Make) -> None:
    """So that one high number does not use up the whole budget."""
    office = make()
    watch = office.stand(requested(rest=3_600))
    office.people(200)
    assert office.evaluate(watch).alerts
    assert not any(office.evaluate(watch, 1).alerts for _ in range(10))
    assert office.evaluate(watch, 1, after=3_600).alerts


def test_it_is_not_evaluated_before_its_interval_is_over(make: Make) -> None:
    """Whoever asks more often is told how it stands; the department computes nothing."""
    office = make()
    watch = office.stand()
    office.evaluate(watch)
    runs = office.node.runs
    assert office.evaluate(watch, after=10).evaluations == 1
    assert office.node.runs == runs


def test_on_new_data_it_is_evaluated_when_there_is_new_data(make: Make) -> None:
    """Asking every second costs nothing until something was loaded."""
    office = make()
    watch = office.stand(requested(every=0))
    assert [office.evaluate(watch, after=1).evaluations for _ in range(3)] == [1, 1, 1]
    office.people(60)
    assert [office.evaluate(watch, after=1).evaluations for _ in range(3)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("policy", "ended"),
    [
        (ACCESS, "ACCESS_DENIED"),
        (ACCESS + WATCHES + '@id("no") forbid (principal, action, resource);', "NOT_AVAILABLE"),
    ],
)
def test_a_policy_that_stops_allowing_it_ends_it(make: Make, policy: str, ended: str) -> None:
    """The token was good once; the policy of now decides."""
    office = make()
    watch = office.stand()
    office.evaluate(watch)
    office.policy(policy)
    reply = office.evaluate(watch)
    assert (reply.ended, reply.evaluations) == (ended, 1)
    office.policy(ACCESS + WATCHES)
    assert office.evaluate(watch).ended == ended  # for good


def test_a_revoked_token_pauses_it_and_its_own_end_does_not(make: Make) -> None:
    """A list that cannot be read for an hour must not end every watch."""
    office = make()
    watch = office.stand(requested(hours=240))
    assert office.evaluate(watch, after=7_200).evaluations == 1  # tokens live for an hour
    office.revoked = True
    assert reason_of(lambda: office.evaluate(watch)) == "TOKEN_REVOKED"
    office.revoked = False
    assert office.evaluate(watch).evaluations == 2


def test_its_time_is_up_at_the_latest_when_its_budget_renews(make: Make) -> None:
    """What is spent next year is not spent of this year's budget."""
    office = make()
    watch = office.stand(requested(hours=8_784))
    made = office.memory.find(watch)
    assert made is not None
    assert made.made.until == "2027-01-01T00:00:00.000000+00:00"
    assert office.evaluate(watch, after=200 * 86_400).ended == "expired"
    assert office.spent == 0


def test_a_watch_that_nobody_evaluates_any_more_ends_by_itself(make: Make) -> None:
    """A gateway that forgot it must not hold the budget for ever."""
    office = make()
    office.stand(requested(hours=1))
    assert office.spent > 0
    office.world.now += 7_200
    office.watches.tidy()
    assert office.spent == 0


def test_another_contract_ends_it(make: Make) -> None:
    """It was planned and paid for by the terms that it was made under."""
    office = make()
    watch = office.stand()
    office.node.guard.follow(_changed(office))
    assert office.evaluate(watch).ended == "INVALID_ARGUMENT"


def _changed(office: Department):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    from nodes.guard import Rules

    rules = office.node.guard.rules
    contracts = {name: replace(each, digest="f" * 64) for name, each in rules.contracts.items()}
    return Rules(contracts, rules.handlers, rules.access)


def test_the_same_request_again_is_the_same_watch(make: Make) -> None:
    """A lost reply: one charge, one watch; another question or caller under its id is refused."""
    office = make()
    watch = office.stand()
    reserved = office.spent
    assert office.stand(identifier=watch) == watch
    assert office.spent == reserved
    office.crash()
    office.stand(identifier=watch)
    assert office.spent == reserved
    other = requested(number=7)
    assert reason_of(lambda: office.stand(other, watch)) == "QUESTION_ID_REUSED"
    assert reason_of(lambda: office.stand(identifier=watch, subject="bob")) == "QUESTION_ID_REUSED"


def test_a_watch_that_never_came_to_stand_can_be_made_again_under_its_id(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F7: reserved, and then the memory failed: the charge goes back, and the id is not spent."""
    office = make()

    def fail(*_: object) -> None:
        raise error("LEDGER_UNAVAILABLE")

    identifier = "c" * 32
    with monkeypatch.context() as patch:
        patch.setattr(office.memory, "stand", fail)
        assert reason_of(lambda: office.stand(identifier=identifier)) == "LEDGER_UNAVAILABLE"
    assert office.spent > 0
    office.crash()
    assert office.spent == 0
    assert office.stand(identifier=identifier) == identifier
    assert office.spent > 0


def test_a_watch_whose_entry_failed_is_logged_whole_when_it_is_asked_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F7, I1: who asked, for what and what it cost, as if nothing had failed."""
    office = make()

    def fail(*_: object, **__: object) -> None:
        raise error("LOG_UNAVAILABLE")

    identifier = "c" * 32
    with monkeypatch.context() as patch:
        patch.setattr(office.node.log, "append", fail)
        assert reason_of(lambda: office.stand(identifier=identifier)) == "LOG_UNAVAILABLE"
    office.crash()
    office.stand(identifier=identifier)
    usual = office.stand()
    said = {each.watch: each for each in office.world.entries("one") if each.kind == "watch"}
    late, first = said[identifier], said[usual]
    for name in ("purpose", "organisation", "client", "resource", "members", "charged_micro_rho"):
        assert getattr(late, name) == getattr(first, name), name
    assert late.note.partition(" until")[0] == first.note.partition(" until")[0]


def test_whoever_may_query_may_not_watch(make: Make) -> None:
    """The action is another; a purpose or an organisation that is not permitted is refused."""
    office = make()
    assert reason_of(lambda: office.stand(organisation="institute")) == "ACCESS_DENIED"
    assert office.spent == 0


def test_a_budget_that_does_not_cover_its_life_makes_no_watch(make: Make) -> None:
    """All or nothing, and nothing is left behind."""
    office = make()
    for _ in range(3):
        office.stand()
    before = office.spent
    refused = reason_of(lambda: [office.stand() for _ in range(9)])
    assert refused == "BUDGET_EXHAUSTED"
    office.crash()
    assert office.spent >= before
    assert office.memory.unsettled() == ()


def test_a_death_while_it_is_made_leaves_no_charge(make: Make) -> None:
    """It never stood, so nothing was read for it."""
    office = make()
    stand = office.memory.stand

    def die(identifier: str, response: bytes, salt: bytes) -> None:
        del identifier, response, salt
        raise KeyboardInterrupt

    office.memory.stand = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        office.stand()
    office.memory.stand = stand  # type: ignore[method-assign]
    assert office.spent > 0
    office.crash()
    assert office.spent == 0


def test_every_evaluation_stands_in_an_entry_that_was_there_before_it(make: Make) -> None:
    """One entry for sixty; after a crash too."""
    office = make()
    watch = office.stand()
    for count in range(1, BATCH + 3):
        office.evaluate(watch)
        last = office.notes("watch")[-1].split()
        assert int(last[1]) <= count <= int(last[3])
    office.crash()
    office.evaluate(watch)
    assert office.notes("watch")[1:] == ["evaluations 1 to 60", "evaluations 61 to 120"]


def test_by_cell_key_a_watch_tells_the_number_that_a_question_tells(make: Make) -> None:
    """The same data, the same perturbed number, however often; and no budget."""
    terms = {
        "landbridgeMethod": "cell_key",
        "landbridgeRowsPerUnit": None,
        "landbridgeBudget": None,
        "landbridgeEpsilon": None,
        "landbridgeNoise": None,
        "landbridgeUnitsSpan": None,
        "landbridgeMinimumUnits": 5,
        "landbridgeCellKey": {"D": 3, "V": 3.0, "js": 2},
    }
    office = make(method=terms)
    watch = office.stand(requested(epsilon=0))
    office.people(200)
    numbers = set()
    for number in range(5):
        reply = office.evaluate(watch, number)
        numbers |= {cell.number for alert in reply.alerts for cell in alert.cells}
    assert len(numbers) == 1
    answer = office.world.query("SELECT count(*) AS n FROM people")
    assert {float(str(value)) for (value,) in answer.rows()} == numbers
    assert office.spent == 0


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(["evaluate", "crash", "lose", "more", "less"]), max_size=14))
def test_whatever_happens_every_alert_is_told_and_paid_and_none_twice(
    make: Make, story: list[str]
) -> None:
    """At least once with ids, and spent is never less than what was told (real noise)."""
    office = make(draw=draw)
    watch = office.stand(requested(alerts=3))
    reserved, acknowledged = office.spent, 0
    seen: dict[int, watch_pb2.NodeAlert] = {}
    for act in story:
        match act:
            case "crash":
                office.crash()
            case "more":
                office.people(400)
            case "less":
                office.people(10)
            case _:
                reply = office.evaluate(watch, acknowledged)
                for alert in reply.alerts:
                    assert seen.setdefault(alert.number, alert) == alert
                if act == "evaluate" and reply.alerts:  # "lose": the gateway dies before its disk
                    acknowledged = reply.alerts[-1].number
                runs = max(len(seen), 1)
                assert reply.spent_micro_rho >= reserved * len(seen) // 3
                assert reply.spent_micro_rho <= -(-reserved * min(3, runs + 1) // 3)
    assert sorted(seen) == list(range(1, len(seen) + 1))
    assert len(seen) <= 3
    assert len(office.notes("alert")) == len(seen)


def test_what_is_no_standing_question_is_refused_before_anything_is_charged(make: Make) -> None:
    """An unknown relation, too many alerts, too long an interval."""
    office = make()
    for request in (
        requested(alerts=101),
        requested(every=40 * 86_400),
        requested(hours=9_000),
    ):
        assert reason_of(lambda request=request: office.stand(request)) == "INVALID_ARGUMENT"  # type: ignore[misc]
    unknown = requested()
    unknown.condition.relation = watch_pb2.Condition.RELATION_UNSPECIFIED
    assert reason_of(lambda: office.stand(unknown)) == "INVALID_ARGUMENT"
    assert office.spent == 0

"""A gateway that lies, contributors that cheat, messages that come twice, late or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from landbridge.census.contribution import Split
from landbridge.errors import LandbridgeError, Refused, error
from landbridge.protocols.envelope import Envelope
from landbridge.protocols.prio3.aggregation import Prio3
from landbridge.protocols.prio3.circuit import Histogram, Sum
from landbridge.status import to_status
from landbridge.v1 import census_pb2, node_pb2
from tests.census.conftest import Make
from tests.census.world import MINIMUM, OWNER, SECOND, World
from tests.people import PURPOSE
from tests.simulator import _Failure

STEPS = ("Offer", "Check", "Settle", "Close", "Total", "Confirm")


class _TooLarge(Sum):
    """Encodes a bit as 2."""

    def encode(self, measurement: int) -> list[int]:  # noqa: ARG002
        return [2, *([0] * (self.measurement_length - 1))]


class _TwoPlaces(Histogram):
    """Is in two buckets."""

    def encode(self, measurement: int) -> list[int]:  # noqa: ARG002
        return [1, 1, *([0] * (self.length - 2))]


def cheating(split: Split) -> Split:
    """A contributor whose client was changed, the proof and all."""
    task = split._task
    circuit = task.prio3.circuit
    cheat = (
        _TooLarge(circuit.maximum)
        if isinstance(circuit, Sum)
        else _TwoPlaces(len(task.terms.labels), task.terms.chunk)
    )
    changed = Prio3(cheat, b"")
    changed._tags = task.prio3._tags
    object.__setattr__(split, "_task", type(task)(task.terms, task.digest, changed))
    return split


@pytest.mark.parametrize(("name", "value"), [("persons", 4), ("heating", "oil")])
def test_an_invalid_report_is_refused_and_takes_no_other_with_it(
    make: Make, name: str, value: Any
) -> None:
    """Nobody sees what it said; the answer says that one was refused."""
    world = make()
    good = world.split(name).reports([value] * MINIMUM)
    bad = cheating(world.split(name)).reports([value])
    assert world.hand_in(name, [*good[:5], *bad, *good[5:]]) == ("",) * 11
    answer = world.collect(name)
    total = answer.rows()[1 if name == "heating" else 0][1]
    assert total == (10 if name == "heating" else 40)
    assert "1 reports were refused as invalid." in {note.text for note in answer.notes}
    for department in (OWNER, SECOND):
        held = world.nodes[department].census.held(
            world.split(name)._task.digest, [bad[0].id, good[0].id]
        )
        assert [each.reason for each in held.values()] == ["REPORT_INVALID", ""]


def test_shares_that_are_swapped_changed_or_for_another_column_open_nowhere(make: Make) -> None:
    """Each is bound to its report, its department and its measurement; the others are kept."""
    world = make()
    one, two, three, four, good = world.split("persons").reports([1, 2, 3, 4, 5])
    one.owner_share, two.owner_share = two.owner_share, one.owner_share
    three.owner_share, three.second_share = three.second_share, three.owner_share
    four.second_share = four.second_share[:-1] + bytes([four.second_share[-1] ^ 1])
    (other,) = world.split("lift").reports([True])
    found = world.hand_in("persons", [one, two, three, four, other, good])
    assert found == ("REPORT_UNREADABLE",) * 5 + ("",)


def test_a_report_that_comes_again_counts_once_and_its_id_is_never_free(make: Make) -> None:
    """In the same request, in a later one, after it was collected, and for another caller."""
    world = make()
    split = world.split("persons")
    reports = split.reports([9] * MINIMUM)
    assert set(world.hand_in("persons", [*reports, reports[0]])) == {""}
    assert set(world.hand_in("persons", reports)) == {""}
    assert world.collect("persons").rows()[0][:2] == (10, 90)
    assert set(world.hand_in("persons", reports, "bob")) == {""}
    with pytest.raises(Refused, match="at least 10"):
        world.collect("persons")
    (forged,) = split.reports([1], lambda count: (reports[0].id * 8)[:count])
    assert forged.id == reports[0].id
    assert world.hand_in("persons", [forged]) == ("REPORT_ID_REUSED",)


def test_what_only_one_department_has_waits_and_is_in_no_batch(make: Make) -> None:
    """The gateway, or the network, lost one of the two shares; it comes later and counts then."""
    world = make()
    reports = world.split("persons").reports([9] * (MINIMUM + 1))

    def lost(_: Any) -> None:
        raise error("SHUTTING_DOWN")

    world.nodes[SECOND].before = lost
    with pytest.raises(LandbridgeError):
        world.hand_in("persons", reports[:1])
    world.nodes[SECOND].before = None
    world.hand_in("persons", reports[1:])
    assert world.collect("persons").rows()[0][:2] == (10, 90)
    world.hand_in("persons", reports)
    world.contribute("persons", *[9] * (MINIMUM - 1))
    assert world.collect("persons").rows()[0][:2] == (10, 90)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_batch_that_is_interrupted_anywhere_is_finished_by_asking_again(
    make: Make, step: str, when: str
) -> None:
    """Lost on the way there, or done and its reply lost: one total, charged once at each."""
    world = make()
    world.contribute("persons", *[2] * MINIMUM)
    left = [1]

    def fails(message: Any) -> None:
        if type(message).__name__.startswith(f"Tally{step}") and left:
            left.pop()
            raise _Failure(to_status(error("SHUTTING_DOWN")))

    for node in world.nodes.values():
        setattr(node, "before" if when == "before" else "change", fails)
    if step != "Confirm":  # the answer is logged by then
        with pytest.raises(LandbridgeError) as lost:
            world.collect("persons")
        assert lost.value.reason in ("DEPARTMENT_MISSING", "SHUTTING_DOWN")
    assert world.collect("persons").rows()[0][:2] == (10, 20)
    assert not left
    for name in (OWNER, SECOND):
        charged = [entry for entry in world.entries(name) if entry.charged_micro_rho]
        assert len(charged) == 1
    world.contribute("persons", *[7] * MINIMUM)
    if (step, when) == ("Confirm", "before"):  # the owner has not heard that the batch is over
        again = world.collect("persons")
        assert (again.rows()[0][1], again.cost.epsilon) == (20, 0)
    assert world.collect("persons").rows()[0][1] == 70


def test_departments_that_are_started_anew_go_on(make: Make) -> None:
    """Everything is in their files: between rounds, and after a batch."""
    world = make()
    world.contribute("persons", *[2] * MINIMUM)

    def stops(message: Any) -> None:
        if type(message).__name__ == "TallyTotalRequest":
            raise error("SHUTTING_DOWN")

    world.nodes[SECOND].before = stops
    with pytest.raises(LandbridgeError):
        world.collect("persons")
    for name in (OWNER, SECOND):
        node = world.nodes[name]
        node.put_down()
        again = world.node(name, node_document(world), world.folder / "rows.csv")
        node.census, node.tally, node.ledger = again.census, again.tally, again.ledger
        node.log, node.queue, node.quotas = again.log, again.queue, again.quotas
        node.history = again.history
    world.nodes[SECOND].before = None
    assert world.collect("persons").rows()[0][:2] == (10, 20)


def node_document(world: World) -> bytes:
    """The contract that a department of the world serves."""
    return bytes(world.departments.catalogue().offers[OWNER].documents["household"])


def asking(world: World, message: Any, department: str, **changes: Any) -> Any:
    """A message as a gateway that is taken over could send it: it has the gateway's key."""
    message.asking.CopyFrom(
        node_pb2.Asking(
            token=world.token(**changes), purpose=PURPOSE, question_id=secrets.token_hex(16)
        )
    )
    message.contract, message.column = "household", "persons"
    return world.signer.signing(message)(department)


def told(world: World, department: str, kind: str) -> list[Any]:
    """What a department replied of that kind."""
    return [each for each in world.nodes[department].sent if type(each).__name__ == kind]


def call(world: World, department: str, method: str, message: Any) -> Any:
    """A call straight to a node."""
    return getattr(world.nodes[department].tally, method)(message, world.node_context())


def test_a_gateway_that_is_taken_over_gets_a_batch_once_and_for_its_recipient_alone(
    make: Make,
) -> None:
    """The sealed list of a batch again: the same bytes for its recipient, nothing for another."""
    world = make()
    world.contribute("persons", *[2] * MINIMUM)
    world.collect("persons")
    (closed,) = told(world, OWNER, "TallyCloseResponse")
    (first,) = told(world, SECOND, "TallyTotalResponse")
    request = census_pb2.TallyTotalRequest(closed=closed.closed)
    again = call(world, SECOND, "Total", asking(world, request, SECOND))
    assert (again.share, again.charged_micro_rho) == (first.share, 0)
    others: tuple[tuple[dict[str, Any], int], ...] = (
        ({}, 2_000_000),
        ({"organisation": "institute", "subject": "ina"}, 0),
    )
    for changes, price in others:
        request = census_pb2.TallyTotalRequest(closed=closed.closed, micro_epsilon=price)
        with pytest.raises(Refused) as refused:
            call(world, SECOND, "Total", asking(world, request, SECOND, **changes))
        assert refused.value.reason == "BATCH_UNDER_WAY"


def test_no_report_is_ever_in_two_batches(make: Make) -> None:
    """An owner that was put back to yesterday, or is taken over, names reports again."""
    world = make()
    world.contribute("persons", *[2] * MINIMUM)
    world.collect("persons")
    task = world.split("persons")._task
    batches = world.nodes[OWNER].tally._batches
    side = batches._sides.of(batches._guard.rules.contracts["household"], "persons")
    (batch,) = {each.batch for each in told(world, OWNER, "TallyCloseResponse")}
    ids = world.nodes[OWNER].census.ids(task.digest, batch)
    world.contribute("persons", *[5] * MINIMUM)
    for listed in (ids, ids[:16] * MINIMUM, secrets.token_bytes(16 * MINIMUM), ids[:-16]):
        content = census_pb2.TallyClosed(batch=secrets.token_hex(16), ids=listed)
        envelope: Envelope = batches._sides.seal(side, "closed", content)
        request = census_pb2.TallyTotalRequest()
        request.closed.sealed, request.closed.signature = envelope.sealed, envelope.signature
        with pytest.raises(Refused) as refused:
            call(world, SECOND, "Total", asking(world, request, SECOND))
        assert refused.value.reason in ("BATCH_DIFFERS", "BATCH_TOO_SMALL")
    assert world.collect("persons").rows()[0][:2] == (10, 50)


def test_messages_between_departments_are_theirs_alone_and_may_come_twice_or_out_of_order(
    make: Make,
) -> None:
    """A forged or misplaced one is refused; one that comes again changes nothing."""
    world = make()
    world.contribute("persons", *[2] * MINIMUM)
    world.collect("persons")
    offer = told(world, OWNER, "TallyOfferResponse")[0]
    check = told(world, SECOND, "TallyCheckResponse")[0]
    done = told(world, SECOND, "TallyTotalResponse")[0]
    for _ in range(2):
        request: Any = census_pb2.TallyCheckRequest(offered=offer.offered)
        call(world, SECOND, "Check", asking(world, request, SECOND))
        request = census_pb2.TallySettleRequest(checked=check.checked)
        call(world, OWNER, "Settle", asking(world, request, OWNER))
        request = census_pb2.TallyConfirmRequest(done=done.done)
        call(world, OWNER, "Confirm", asking(world, request, OWNER))
    misplaced: list[tuple[str, str, Any]] = [
        (OWNER, "Settle", census_pb2.TallySettleRequest(checked=done.done)),
        (OWNER, "Settle", census_pb2.TallySettleRequest(checked=offer.offered)),
        (SECOND, "Check", census_pb2.TallyCheckRequest(offered=check.checked)),
        (SECOND, "Total", census_pb2.TallyTotalRequest(closed=offer.offered)),
        (SECOND, "Check", census_pb2.TallyCheckRequest()),
    ]
    for department, method, request in misplaced:
        with pytest.raises(LandbridgeError) as refused:
            call(world, department, method, asking(world, request, department))
        assert refused.value.reason == "ANSWER_REJECTED"
    with pytest.raises(LandbridgeError) as wrong:
        call(world, SECOND, "Close", asking(world, census_pb2.TallyCloseRequest(), SECOND))
    assert wrong.value.reason == "INVALID_ARGUMENT"
    unsigned = asking(world, census_pb2.TallyCloseRequest(), SECOND)
    with pytest.raises(LandbridgeError) as refused:
        call(world, OWNER, "Close", unsigned)
    assert refused.value.reason == "SIGNATURE_INVALID"


def _other_second(found: census_pb2.CensusDescribeResponse) -> None:
    found.terms.second = "evil"


def _wider(found: census_pb2.CensusDescribeResponse) -> None:
    found.terms.high = 1_000


def _alone(found: census_pb2.CensusDescribeResponse) -> None:
    found.terms.second = found.terms.owner


def _unsigned(found: census_pb2.CensusDescribeResponse) -> None:
    del found.signed[:]


@pytest.mark.parametrize("lie", [_other_second, _wider, _alone, _unsigned])
def test_a_gateway_that_shows_other_terms_is_found_before_anything_is_sent(
    make: Make, lie: Callable[[census_pb2.CensusDescribeResponse], None]
) -> None:
    """Both departments signed the terms with the keys of the manifest."""
    world = make()
    described = world.described("persons")
    lie(described)
    with pytest.raises(LandbridgeError) as refused:
        Split(described)
    assert refused.value.reason == "ANSWER_REJECTED"
    other = make()
    pinned = other.manifest.signed(other.signer.key)
    with pytest.raises(LandbridgeError):
        Split(world.described("persons"), pinned)


def test_neither_department_nor_the_gateway_holds_a_value(make: Make) -> None:
    """Every share that lies in a file is uniform: chi-square over bytes, 255 degrees of freedom.

    False-alarm rate about 1e-7 for each of the two (limit 400; mean 255, deviation 22.6). Every
    household says 9, so that a share which is not uniform would show. The gateway had sealed
    bytes alone, and neither log says more than how many there were.
    """
    world = make()
    reports = world.split("persons").reports([9] * 100)
    world.hand_in("persons", reports)
    task = world.split("persons")._task
    for name in (OWNER, SECOND):
        held = world.nodes[name].census.held(task.digest, [each.id for each in reports])
        bits = 8 * task.prio3.circuit.measurement_length
        shares = b"".join(each.input[: min(bits, 32)] for each in held.values())
        counts = np.bincount(np.frombuffer(shares, dtype=np.uint8), minlength=256)
        expected = len(shares) / 256
        statistic = float(((counts - expected) ** 2 / expected).sum())
        print(name, "chi-square", statistic)  # noqa: T201
        assert statistic < 400
        assert len(shares) == 3_200
    world.collect("persons")
    for name in (OWNER, SECOND):
        held = world.nodes[name].census.held(task.digest, [each.id for each in reports])
        assert {(each.input, each.out, each.seed, each.share) for each in held.values()} == {
            (b"", b"", b"", b"")
        }
    for entries in (world.entries(), world.entries(OWNER), world.entries(SECOND)):
        written = " ".join(map(str, entries))
        assert not [each for each in reports if each.id.hex() in written]
        # The exact total, which the world's noise leaves as it is.
        assert not [entry for entry in entries if "900" in f"{entry.note} {entry.question}"]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_crash_between_charge_and_share_costs_a_second_charge_and_no_second_draw(
    make: Make, victim: int
) -> None:
    """The owner's or the second's: the lost draw was told to nobody, and its charge stands."""
    calls: list[int] = []

    def crashing(cells: Any, mechanism: Any) -> list[int]:
        del mechanism
        calls.append(len(cells))
        if len(calls) == victim + 1:
            raise RuntimeError("killed here")
        return list(cells)

    world = make(draw=crashing)
    world.contribute("persons", *[2] * MINIMUM)
    question = secrets.token_hex(16)
    with pytest.raises(RuntimeError, match="killed here"):
        world.collect("persons", question_id=question)
    if victim == 0:  # the owner's charge is under this very question, which draws once
        with pytest.raises(Refused) as reused:
            world.collect("persons", question_id=question)
        assert reused.value.reason == "QUESTION_ID_REUSED"
    assert world.collect("persons").rows()[0][:2] == (10, 20)
    assert len(calls) == 3
    name = (OWNER, SECOND)[victim]
    contract = world.departments.catalogue().offers[name].contracts["household"]
    spent = [
        world.nodes[each].ledger.accounts(contract, "university")[0].spent
        for each in (name, (OWNER, SECOND)[1 - victim])
    ]
    assert spent[0] == 2 * spent[1] > 0

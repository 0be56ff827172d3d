"""What takes longer than a call, in three running worlds that differ in one person.

A watch and a case are put to all three; what their owner's caller sees of them, what both logs say,
and what they cost, is a function of text, history and noise. Of a case about the planted person
herself the verdict is told, which is what its owner declares, and nothing beside it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest

from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.v1 import case_pb2, case_pb2_grpc, watch_pb2, watch_pb2_grpc
from tests.attacks.conftest import Worlds
from tests.attacks.worlds import PURPOSE, World
from tests.audit.worlds_apart import SAID
from tests.people import TARGET

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

RARE = "SELECT count(*) AS n FROM people WHERE diagnosis='X1' AND age=93"
BYSTANDER = 7


def said(world: World, kinds: tuple[str, ...], of: Callable[[Entry], bool]) -> list[list[object]]:
    """What both logs say of it in their order, once the node's is published."""
    found = []
    for name in (None, "north"):
        entries = [
            Entry.from_bytes(each) for _, each in verify_folder(world.running.log(name)).entries()
        ]
        found += [
            [getattr(entry, field) for field in SAID]
            for entry in entries
            if entry.kind in kinds and of(entry)
        ]
    return found


def settled(look: Callable[[], Any], ready: Callable[[Any], bool]) -> Any:
    """What it is once it is so."""
    for _ in range(200):
        found = look()
        if ready(found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"it is {found} still")


def watched(world: World, when: str, events: int) -> list[object]:
    """A watch from its making to its end: every byte of it but ids, times and receipts."""
    stub = watch_pb2_grpc.WatchesStub(world._channel)
    ident, token = secrets.token_hex(16), world.token("university")
    request = watch_pb2.CreateWatchRequest(
        sql=RARE, when=when, purpose=PURPOSE, micro_epsilon=200_000, every_seconds=1, alerts=1,
        hours=24, question_id=ident,
    )  # fmt: skip
    seen = world.send(stub.CreateWatch, request, token)
    assert seen.reply is not None, str(seen.problem)
    told = [seen.entry.charged_micro_rho, without_names(seen.reply.watch)]  # type: ignore[attr-defined]
    shown = (("authorization", f"Bearer {token}"),)

    def look() -> watch_pb2.Watch:
        return stub.ShowWatch(watch_pb2.ShowWatchRequest(id=ident), metadata=shown).watch

    settled(look, lambda now: now.alerts >= events and now.evaluations >= 2 - events)
    stub.StopWatch(watch_pb2.StopWatchRequest(id=ident), metadata=shown)
    for each in stub.FollowWatch(
        watch_pb2.FollowWatchRequest(id=ident), metadata=shown, timeout=30
    ):
        event = each.event
        told.append((event.number, event.kind, event.reason, event.cells, len(event.token)))
    told.append(without_names(look()))
    made = settled(
        lambda: said(world, ("watch",), lambda each: each.watch == ident and _charged(each)),
        lambda found: len(found) == 2,
    )
    told += [each[:-1] for each in made]  # the note says until when
    return told


def _charged(entry: Entry) -> bool:
    return entry.charged_micro_rho > 0


def without_names(watch: watch_pb2.Watch) -> bytes:
    """What it says but for its id, and what the clock decides."""
    kept = watch_pb2.Watch()
    kept.CopyFrom(watch)
    for name in ("id", "token", "created_at_ms", "until_ms", "evaluations"):
        kept.ClearField(name)
    return kept.SerializeToString(deterministic=True)


@pytest.mark.parametrize(("when", "events"), [("n >= 5000", 0), ("n < 5000", 1)])
def test_a_watch_looks_the_same_whoever_is_in_the_data(
    worlds: Worlds, when: str, events: int
) -> None:
    """I8: where it is silent and where it tells; made, evaluated, told, stopped, and given back."""
    first, *others = [watched(world, when, events) for world in worlds]
    for each in others:
        for mine, yours in zip(first, each, strict=True):
            assert mine == yours
    assert len(first) >= 4 + events


def applied(world: World, person: int) -> list[object]:
    """A case from its form to its end: every byte but ids and times, and both logs."""
    with world.running.client("alice") as client:
        case = client.open_case("help", purpose=PURPOSE, person=person)
        case.wait(60)
    stub = case_pb2_grpc.CasesStub(world._channel)
    metadata = (("authorization", f"Bearer {world.token('university')}"),)
    reply = stub.Follow(case_pb2.CasesFollowRequest(case_id=case.id), metadata=metadata)
    for change in reply.changes:
        change.ClearField("time")
    state = reply.case
    for name in ("case_id", "opened_at", "closed_at"):
        state.ClearField(name)
    for step in state.steps:
        step.ClearField("due_at")
    told: list[object] = [state.SerializeToString(deterministic=True)]
    told += [change.SerializeToString(deterministic=True) for change in reply.changes]
    logs = settled(
        lambda: said(world, ("step",), lambda entry: entry.case == case.id),
        lambda found: (
            any(each[SAID.index("resource")] == "north.eligible" for each in found)
            and any(f"change {reply.case.sequence}:" in str(each[-1]) for each in found)
        ),
    )
    return [*told, [each for each in logs if "followed" not in str(each)]]


def test_a_case_looks_the_same_whoever_is_in_the_data(worlds: Worlds) -> None:
    """I8: about somebody else in every byte; about the planted person wherever she is there; and
    where she is not, the reason that its owner declared for that is all that differs.
    """
    about_another = [applied(world, BYSTANDER) for world in worlds]
    assert about_another[0] == about_another[1] == about_another[2]
    rare, mild, gone = (applied(world, TARGET[0]) for world in worlds)
    assert rare == mild
    assert len(rare) == len(gone)
    assert b"NOBODY" in str(gone).encode()
    assert b"NOBODY" not in str(rare).encode()

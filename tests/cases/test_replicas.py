"""Gateways on one database: who is gone is followed by another, and nothing happens twice."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

import landbridge
from gateway.cases import schema
from gateway.cases.case import Change, Opened, Sealed
from gateway.cases.database import Database, StoreUnusable
from gateway.cases.store import Overtaken, Store
from gateway.cases.tenure import LEASE_SECONDS, Tenure
from gateway.watches.store import Event, Watch, WatchStore
from landbridge.edge.state import log_signer
from landbridge.evidence.entry import Entry
from landbridge.evidence.lookup import Lookup
from landbridge.federation.process import ServerProcess, spawn
from landbridge.federation.running import Federation
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from landbridge.testing import federation
from policies.progress import StepState
from tests.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
PURPOSE = "dpv:LegalCompliance"
SHARED = ("signing.key", "subjects.key", "tls.key", "tls.pem")
BY = Caller("o", "civil", "app", Level.OPEN, frozenset({"p"}), "t", 0.0)
FORMS = {"one": Sealed(b"1", b"s"), "two": Sealed(b"2", b"s")}


def opened(number: int) -> Opened:
    """A case."""
    return Opened(f"{number:032x}", "p", "d", "purpose", "opener", "o", "c", b"key", 100.0)


def standing(number: int) -> Watch:
    """A watch."""
    return Watch(f"{number:032x}", BY, b"asked", "water", 1, 2, "dp", 1.0, 5, 100)


def first(number: int) -> tuple[Change, ...]:
    """Its first changes."""
    return (Change(1, 100.0 + number, "", "opened"), Change(2, 100.0, "one", "asked", due_at=1e9))


def ended(url: str, name: str) -> None:
    """Its lease has ended."""
    engine = sa.create_engine(url)
    with engine.begin() as run:
        run.execute(sa.text("UPDATE replica SET until = 1 WHERE name = :name"), {"name": name})
    engine.dispose()


def test_the_cases_of_one_that_is_gone_are_taken_once(emptied: str) -> None:
    """Three gateways, ten cases of one whose lease has ended, two takers at the same time."""
    databases = [Database(emptied) for _ in range(3)]
    gone, *others = (Store(database, f"g{at}") for at, database in enumerate(databases))
    tenures = [Tenure(database, f"g{at}", "m") for at, database in enumerate(databases)]
    for tenure in tenures:
        tenure.begin()
    for number in range(10):
        gone.create(opened(number), "text", FORMS, first(number), 90)
        if number:  # of the first one nothing was shown when it died
            gone.show(opened(number).id, first(number))
    assert tenures[1].take_over(5) == ()  # it holds them
    ended(emptied, "g0")
    found: list[tuple[str, ...]] = []
    takers = [
        threading.Thread(target=lambda each=each: found.append(each.take_over(5)))
        for each in tenures[1:]
    ]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert sorted(case for each in found for case in each) == [
        opened(number).id for number in range(10)
    ]
    assert sorted(map(len, found)) == [0, 10]
    (mine,) = (store for store in others if store.unlogged())
    # What it began is looked for in the taker's own log, where nobody wrote it.
    assert {(each.opened.id, each.log_size) for each in mine.unlogged()} == {(opened(0).id, 5)}
    assert len(list(mine.under_way())) == 9
    assert list(gone.under_way()) == []
    for database in databases:
        database.close()


def test_one_that_was_away_and_does_not_know_it_changes_nothing(emptied: str) -> None:
    """A paused process wakes with changes in its hand; the case has gone on, and stays so."""
    database = Database(emptied)
    one, two = Store(database, "g0"), Store(database, "g1")
    case = opened(1)
    one.create(case, "text", FORMS, first(1), 0)
    replied = (Change(3, 101.0, "one", "passed", "PASS"), Change(4, 101.0, "two", "asked"))
    tenure = Tenure(database, "g1", "m")
    assert tenure.adopt(case.id, 7)
    assert not tenure.adopt(case.id, 7)
    two.show(case.id, first(1))  # recovered by the other
    assert not two.begin(case.id, replied, 0)
    two.show(case.id, replied)
    one.show(case.id, first(1))  # it goes on where it was paused
    found = two.find(case.id)
    assert found is not None
    assert found.states() == {"one": StepState.PASSED, "two": StepState.ASKED}
    with pytest.raises(Overtaken):
        one.begin(case.id, (Change(3, 102.0, "one", "failed", "FAIL"),), 0)
    later = one.begin(case.id, (Change(5, 103.0, "", "cancelled"),), 0)
    assert later  # whoever changes it next carries it on
    assert [each.opened.id for each in one.unlogged()] == [case.id]
    database.close()


@contextmanager
def meanwhile(run: sa.Connection, *acts: Callable[[], bool]) -> Iterator[list[bool]]:
    """Each in a thread of its own, when all wait for what `run` holds; what they gave, at last."""
    gave: list[bool] = []
    acting = [threading.Thread(target=lambda act=act: gave.append(act())) for act in acts]
    for each in acting:
        each.start()
    end = time.monotonic() + 30
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while run.execute(waiting).scalar_one() < len(acts) and time.monotonic() < end:
        time.sleep(0.01)
    yield gave
    run.commit()
    for each in acting:
        each.join()


@pytest.fixture
def databases(emptied: str) -> Iterator[tuple[Database, Database]]:
    """The same one, of two gateways."""
    both = Database(emptied), Database(emptied)
    yield both
    for each in both:
        each.close()


def test_who_takes_a_case_waits_for_a_change_of_it_and_ends_none(
    databases: tuple[Database, Database],
) -> None:
    """The other gateway is in the middle of a change, and goes on; then the case is taken."""
    here, there = databases
    case = opened(1)
    Store(here, "g0").create(case, "text", FORMS, first(1), 0)
    with here.write() as run:
        run.execute(sa.select(schema.case).with_for_update())  # as `Store.show` begins
        with meanwhile(run, lambda: Tenure(there, "g1", "m").adopt(case.id, 7)) as taken:
            run.execute(schema.change.update().values(logged=True))
    assert taken == [True]


@pytest.mark.parametrize("same", [False, True])
def test_two_gateways_may_open_the_first_cases_of_a_procedure_at_once(
    databases: tuple[Database, Database], emptied: str, same: bool
) -> None:
    """Both are opened; of one case that an application sent to both, one."""
    stores = [Store(each, f"g{at}") for at, each in enumerate(databases)]
    acts = [
        partial(store.create, opened(0 if same else at), "text", FORMS, first(1), 0)
        for at, store in enumerate(stores)
    ]
    holding = Database(emptied)
    with holding.write() as run:
        run.execute(sa.text("LOCK TABLE procedure IN SHARE ROW EXCLUSIVE MODE"))
        with meanwhile(run, *acts) as created:
            pass
    holding.close()
    assert sorted(created) == [not same, True]


def test_of_two_who_make_the_same_watch_one_is_told_that_it_stands(
    databases: tuple[Database, Database], emptied: str
) -> None:
    """An application that sent its request to two gateways at once."""
    stores = [WatchStore(each, f"g{at}") for at, each in enumerate(databases)]
    holding = Database(emptied)
    with holding.write() as run:
        run.execute(sa.text("LOCK TABLE watch IN SHARE ROW EXCLUSIVE MODE"))
        with meanwhile(run, *(partial(store.create, standing(1)) for store in stores)) as created:
            pass
    holding.close()
    assert sorted(created) == [False, True]


def test_one_with_another_key_does_not_start(emptied: str) -> None:
    """It would not know the others' applicants again, and would say that there is no such case."""
    database = Database(emptied)
    Tenure(database, "g0", "mark").begin()
    Tenure(database, "g0", "mark").begin()
    Tenure(database, "g1", "mark").begin()
    with pytest.raises(StoreUnusable, match="another key"):
        Tenure(database, "g2", "another").begin()
    database.close()


@dataclass(slots=True)
class Two:
    """A federation whose gateway has a second replica."""

    running: Federation
    second: ServerProcess

    @property
    def second_log(self) -> Path:
        """The published log of the second one."""
        return self.second.log.parent / "log"

    def client(self, *, second: bool, caller: str = "officer") -> landbridge.Client:
        """A caller at one of them."""
        port = self.second.port if second else int(self.running.address.rpartition(":")[2])
        return landbridge.connect(
            f"127.0.0.1:{port}", token=self.running.token(caller), ca=self.running.ca
        )


@contextmanager
def two_of(example: str, name: str, database: str, place: Path) -> Iterator[Two]:
    """Both on one database, each with its own state folder and log; `name` is the federation's."""
    folder = place / "second"
    folder.mkdir(mode=0o700)
    key = log_signer(folder, f"{name}/gateway/second").vkey
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDBRIDGE_GATEWAY__CASES__URL", database)
        patch.setenv("LANDBRIDGE_NODE__LOG__GATEWAY_REPLICAS", json.dumps([key]))
        with federation(EXAMPLES / example, state=place / "state") as running:
            own = running.state / "gateway"
            for shared in SHARED:
                shutil.copy2(own / shared, folder / shared)
            lines = (
                (own / "gateway.toml")
                .read_text()
                .replace(f'state = "{own}"', f'state = "{folder}"')
                .splitlines()
            )
            at = next(at for at, line in enumerate(lines) if line.startswith("listen"))
            lines[at] = f'listen = "127.0.0.1:{free_port()}"'
            settings = folder / "gateway.toml"
            settings.write_text("\n".join(['replica = "second"', *lines]))
            second = spawn("second", "gateway", settings)
            second.await_ready()
            try:
                yield Two(running, second)
            finally:
                second.stop()


@pytest.fixture
def two(emptied: str, tmp_path: Path) -> Iterator[Two]:
    """The offices of a case that goes from one to the next."""
    with two_of("justice_handover", "justice", emptied, tmp_path) as found:
        yield found


CONSIDERED = """
@id("{0}.consult")
@role("duty-officer")
@hours("72")
permit (
  principal in Organisation::"operations-centre", action == Action::"consult", resource{1}
)
when {{ context.purpose == "dpv:PublicSafety" }};
"""


@pytest.fixture
def valley(emptied: str, tmp_path: Path) -> Iterator[Two]:
    """The offices that watch a river; the surveyors consider what else is wanted."""
    example = tmp_path / "flood"
    shutil.copytree(EXAMPLES / "flood_season", example)
    for name, resource in (("gateway", ""), ("terrain", ' == Contract::"districts"')):
        with (example / name / "access.cedar").open("a") as policy:
            policy.write(CONSIDERED.format(name, resource))
    with two_of(str(example), "flood", emptied, tmp_path) as found:
        yield found


def entries(folder: Path) -> list[Entry]:
    """Everything in a log, once what is under way is published."""
    time.sleep(0.7)
    return [Entry.from_bytes(content) for _, content in Lookup.of(folder).entries(0)]


@pytest.mark.journey
def test_a_case_whose_gateway_was_killed_is_carried_on_by_the_other(two: Two) -> None:
    """Kill -9 with a step under way: the other one asks it, once, and the case ends as it must.

    Before that either answers for the other's cases: shows, follows, lists and cancels them.
    """
    running = two.running
    running.stop("prosecution")
    with two.client(second=False) as here, two.client(second=True) as there:
        case = here.open_case("hand_over", purpose=PURPOSE, file="F-1")
        for change in there.case(case.id).changes(timeout=60):
            if (change.step, change.state) == ("police", "passed"):
                break  # changed there, seen here
        dropped = here.open_case("hand_over", purpose=PURPOSE, file="F-1")
        assert {each.id for each in there.cases("hand_over")} == {case.id, dropped.id}
        assert there.case(dropped.id).cancel().state == "cancelled"
        assert here.case(dropped.id).state == "cancelled"
        held = here.open_case("hand_over", purpose=PURPOSE, file="F-1")
        running.kill_gateway()
        running.restart("prosecution")
        for each in (case, held):
            assert there.case(each.id).wait(60 + LEASE_SECONDS).state == "approved"
            changes = there.case(each.id).history()
            assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
    for department in ("police", "prosecution", "court"):
        effects = Counter(
            entry.case
            for entry in entries(running.log(department))
            if entry.kind == "step" and entry.answer_digest
        )
        assert effects[case.id] == effects[held.id] == 1, department
    running.start_gateway()
    assert two.client(second=False).case(case.id).state == "approved"


def test_the_watches_of_one_that_is_gone_are_taken_once(emptied: str) -> None:
    """Two takers at the same time; what it had begun to tell is told by the one that has it."""
    databases = [Database(emptied) for _ in range(3)]
    gone, *others = (WatchStore(database, f"g{at}") for at, database in enumerate(databases))
    tenures = [Tenure(database, f"g{at}", "m") for at, database in enumerate(databases)]
    for tenure in tenures:
        tenure.begin()
    for number in range(6):
        assert gone.create(standing(number))
    begun = Event(standing(0).id, 1, b"alert", b"s" * 16, ())
    assert gone.begin(begun, 3, alert=1)
    over = Event(standing(1).id, 1, b"ended", b"s" * 16, ())
    assert gone.begin(over, 4, ended="stopped")
    gone.show(over, b"entry", "proof")
    assert others[0].take_over(tenures[1].ended, 5) == ((), frozenset())  # it holds them
    ended(emptied, "g0")
    found: list[tuple[tuple[Watch, ...], frozenset[str]]] = []
    takers = [
        threading.Thread(
            target=lambda store=store, tenure=tenure: found.append(store.take_over(tenure.ended, 5))
        )
        for store, tenure in zip(others, tenures[1:], strict=True)
    ]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    (taken, untold), nothing = sorted(found, key=lambda each: -len(each[0]))
    assert {watch.id for watch in taken} == {standing(n).id for n in (0, 2, 3, 4, 5)}
    assert untold == {standing(0).id}
    assert nothing == ((), frozenset())
    (mine,) = (store for store in others if store.standing())
    assert [(event.number, size) for event, size in mine.unlogged()] == [(1, 5)]
    assert gone.mine(standing(0).id) is None
    assert gone.standing() == []
    for database in databases:
        database.close()


def test_an_alert_that_two_gateways_hold_is_told_once(emptied: str) -> None:
    """One was paused while the other took its watch over; both have the department's alert."""
    database = Database(emptied)
    stores = [WatchStore(database, f"g{at}") for at in range(2)]
    stores[0].create(standing(0))
    alert = Event(standing(0).id, 1, b"alert", b"s" * 16, ())
    told: list[bool] = []
    both = [
        threading.Thread(target=lambda store=store: told.append(store.begin(alert, 0, alert=1)))
        for store in stores
    ]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(told) == [False, True]
    database.close()


@pytest.mark.journey
def test_a_watch_whose_gateway_was_killed_is_carried_on_by_the_other(valley: Two) -> None:
    """Its alerts go on in order, at the other, which says in its log what it evaluates.

    A consultation that was opened at the one is waiting at its owner's, and followed at the other.
    """
    sql = "SELECT gauge, count(*) AS hours FROM water.levels WHERE level_cm >= 100 GROUP BY gauge"
    with (
        valley.client(second=False, caller="operations") as here,
        valley.client(second=True, caller="operations") as there,
    ):
        opened = here.consult(
            "SELECT count(*) AS districts FROM terrain.districts",
            purpose="dpv:PublicSafety", basis="dykes at km 12",
        )  # fmt: skip
        watch = here.watch(sql, purpose="dpv:PublicSafety", when="hours >= 1", every=1, rest=0)
        followed = there.watching(watch.id)  # kept there, told here
        heard = []
        for event in followed.follow(timeout=120 + 4 * LEASE_SECONDS):
            heard.append(event.number)
            if len(heard) == 2:
                valley.running.kill_gateway()
            if len(heard) == 6:
                break
        assert heard == [1, 2, 3, 4, 5, 6]
        assert followed.stop().state == "ended"
        assert there.consultation(opened.id).state == opened.state == "open"
    announced = [
        entry.note for entry in entries(valley.second_log) if entry.watch == watch.id and entry.note
    ]
    assert any(note.startswith("evaluations ") for note in announced)

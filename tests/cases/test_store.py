"""The store of cases, in SQLite and in PostgreSQL: a change is stored, logged, shown, and once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.cases import database
from gateway.cases.case import Case, Change, Opened, Sealed
from gateway.cases.database import Database, StoreUnusable
from gateway.cases.recording import Recording
from gateway.cases.store import Overtaken, Store
from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import Entry, SubjectKey
from landbridge.evidence.log import Log
from landbridge.evidence.lookup import Lookup
from landbridge.evidence.signer import Signer
from policies.progress import CaseState, StepState

OPENED = Opened("a" * 32, "p", "d", "purpose", "opener", "office", "client", b"key", 100.0)
FIRST = (
    Change(1, 100.0, "", "opened"),
    Change(2, 100.0, "one", "asked", due_at=160.0),
)
FORMS = {"one": Sealed(b"1", b"s"), "two": Sealed(b"2", b"s")}
Make = Callable[[], Store]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Opens the same empty store, again and again."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'cases.sqlite'}"
    else:
        url = request.getfixturevalue("emptied")
    return lambda: Store(Database(url), "test/gateway")


def seen(store: Store) -> Case:
    """The case as it stands."""
    case = store.find(OPENED.id)
    assert case is not None
    return case


def test_nothing_shows_before_it_is_logged(make: Make) -> None:
    """A change that is only stored has not happened for anybody who looks."""
    store = make()
    assert store.create(OPENED, "text", FORMS, FIRST, 7)
    assert seen(store).sequence == 0
    assert store.changes(OPENED.id) == []
    assert seen(store).states() == {"one": StepState.WAITING, "two": StepState.WAITING}
    assert [each.change for each in store.unlogged()] == list(FIRST)
    assert {each.log_size for each in store.unlogged()} == {7}
    store.show(OPENED.id, FIRST)
    store.close()
    again = make()
    assert again.unlogged() == []
    assert seen(again).states()["one"] is StepState.ASKED
    assert [row.step for _, _, row in again.under_way()] == ["one"]
    assert again.changes(OPENED.id, after=1) == [FIRST[1]]
    assert again.latest() == 100.0
    assert again.text("d") == "text"
    again.close()


def test_a_case_id_makes_one_case(make: Make) -> None:
    """Opening is repeated after a lost reply; the forms of the first time stand."""
    store = make()
    assert store.create(OPENED, "text", FORMS, FIRST, 0)
    assert not store.create(OPENED, "text", {"one": Sealed(b"9", b"s")}, FIRST, 0)
    assert store.forms(OPENED.id) == FORMS
    store.close()


def test_envelopes_and_verdicts_come_with_the_change(make: Make) -> None:
    """What a step replied and what it handed over are one transaction."""
    store = make()
    store.create(OPENED, "text", FORMS, FIRST, 0)
    store.show(OPENED.id, FIRST)
    replied = (
        Change(3, 101.0, "one", "passed", "PASS", (), parts=({"department": "d", "index": 4},)),
        Change(4, 101.0, "two", "asked", due_at=200.0),
    )
    store.begin(OPENED.id, replied, 9, [("one", "two", Sealed(b"value", b"sign"))])
    store.show(OPENED.id, replied)
    assert store.envelopes(OPENED.id, "two") == {"one": Sealed(b"value", b"sign")}
    rows = {row.step: row for row in seen(store).steps}
    assert (rows["one"].state, rows["one"].code) == (StepState.PASSED, "PASS")
    assert store.changes(OPENED.id)[2].parts == ({"department": "d", "index": 4},)
    late = store.list(
        procedure="p", state="", overdue_at=201.0, organisation=None, opener="", after="", most=9
    )
    assert [case.opened.id for case in late] == [OPENED.id]
    none = store.list(
        procedure="p", state="open", overdue_at=None, organisation="office", opener="another",
        after="", most=9,
    )  # fmt: skip
    assert none == []
    closed = (Change(5, 300.0, "", "approved"),)
    store.begin(OPENED.id, closed, 9)
    store.show(OPENED.id, closed)
    assert (seen(store).state, seen(store).closed_at) == (CaseState.APPROVED, 300.0)
    assert list(store.under_way()) == []
    store.close()


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_crash_between_store_log_and_show_leaves_every_change_once(
    make: Make, tmp_path: Path, written: int
) -> None:
    """Whatever of the entries were written, recovery writes the others and shows all."""
    signer = Signer.create("test/gateway")
    store = make()
    log = Log.open(tmp_path / "log", tmp_path / "journal", signer)
    recorder = Recorder(log, SubjectKey.create(), "0" * 64, lambda: 1_790_000_000.0)
    recorder.append_each("explain", [{}], outcome="answered")
    store.create(OPENED, "text", FORMS, FIRST, recorder.size)

    class Dead(Store):
        """A store that dies before anything is shown."""

        shared = False

        def show(self, case: str, changes: object) -> None:
            """The process is gone here."""
            del case, changes
            raise KeyboardInterrupt

    dying = Recording(Dead.__new__(Dead), recorder)
    if written:
        with pytest.raises(KeyboardInterrupt):
            dying.log_and_show(OPENED, FIRST[:written])
    log.close()
    store.close()
    again = make()
    log = Log.open(tmp_path / "log", tmp_path / "journal", signer)
    recorder = Recorder(log, SubjectKey.create(), "0" * 64, lambda: 1_790_000_000.0)
    assert Recording(again, recorder).recover(tmp_path / "log") == 2
    assert seen(again).sequence == 2
    assert Recording(again, recorder).recover(tmp_path / "log") == 0
    log.close()
    notes = [
        Entry.from_bytes(content).note for _, content in Lookup.of(tmp_path / "log").entries(1)
    ]
    assert notes == ["change 1: opened", "change 2: asked"]
    again.close()


def test_a_change_follows_the_last_one_that_was_begun(make: Make) -> None:
    """Whoever decided by what has changed meanwhile decides again; nothing is written twice."""
    store = make()
    store.create(OPENED, "text", FORMS, FIRST, 0)
    third = Change(3, 101.0, "one", "passed", "PASS")
    with pytest.raises(Overtaken):
        store.begin(OPENED.id, (Change(1, 100.5, "", "cancelled"),), 0)
    assert not store.begin(OPENED.id, (third,), 0)
    with pytest.raises(Overtaken):
        store.begin(OPENED.id, (Change(3, 102.0, "one", "failed", "FAIL"),), 0)
    store.show(OPENED.id, (*FIRST, third))
    assert seen(store).states()["one"] is StepState.PASSED
    store.show(OPENED.id, FIRST)  # whoever shows late what was shown already changes nothing
    assert seen(store).states()["one"] is StepState.PASSED
    store.close()


def test_a_store_that_fails_says_so_in_one_sentence(make: Make, tmp_path: Path) -> None:
    """No database's own words: they can quote what lies in it."""
    store = make()
    store.create(OPENED, "text", FORMS, FIRST, 0)
    with pytest.raises(LandbridgeError) as failed:
        store.begin("b" * 32, FIRST, 0)  # there is no such case
    assert failed.value.reason == "CASES_UNAVAILABLE"
    assert failed.value.message == "The store of cases cannot be written, so nothing may begin."
    store.close()
    with pytest.raises(StoreUnusable):
        Database(f"sqlite:///{tmp_path}/none/cases.sqlite")


def test_the_migrations_make_what_the_program_reads(tmp_path: Path) -> None:
    """Alembic finds nothing to change between the tables that were made and `schema.py`."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from gateway.cases.schema import METADATA
    from gateway.watches.schema import watch

    assert watch.metadata is METADATA  # whose tables lie in the same database
    Database(f"sqlite:///{tmp_path / 'cases.sqlite'}").close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'cases.sqlite'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_tables_that_are_the_newest_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every start but the first: what changes tables is not even loaded."""
    url = f"sqlite:///{tmp_path / 'cases.sqlite'}"
    Database(url).close()

    def no(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(database, "_migrate", no)
    Database(url).close()


def test_tables_of_a_newer_program_are_left_alone(tmp_path: Path) -> None:
    """One sentence says which version is there and which is known here."""
    url = f"sqlite:///{tmp_path / 'cases.sqlite'}"
    Database(url).close()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0999'"))
    engine.dispose()
    with pytest.raises(StoreUnusable, match=f"of version 0999.* none after {database.newest()}"):
        Database(url)

"""What becomes of a record, decided purely; and the same over a real file, in groups."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.submission.fate import Fate
from nodes.engines.collected import Collected, OtherColumns
from nodes.engines.database import open_for_collecting
from nodes.engines.known import Known
from policies.acceptance import Held, Incoming, Party, Rights, correction, new_record, repeated
from policies.contract import Correctors

ANN, BOB, EVE = Party("ann", "homes"), Party("bob", "homes"), Party("eve", "office")
COLUMNS = [("person", "string"), ("n", "integer"), ("day", "date"), ("ok", "boolean")]
parties = st.sampled_from([ANN, BOB, EVE])
rights = st.builds(
    Rights,
    st.sampled_from(list(Correctors)),
    st.sampled_from([frozenset[str](), frozenset({"office"})]),
    st.booleans(),
)


@given(parties, parties, rights, st.booleans())
def test_nobody_learns_what_they_may_not_correct(
    who: Party, other: Party, may: Rights, is_aside: bool
) -> None:
    """Whoever has no right to a record hears the same words whether it is there or not."""
    held = Held("1", "d", "k", other)
    incoming = Incoming("2", "e", "k", "", who)
    own = Held("3", "d", "k", who, aside=True) if is_aside else None
    if not may.may(who, held):
        there = new_record(incoming, may, held, None)
        assert there.fate is new_record(incoming, may, None, None).fate is Fate.ACCEPTED
        assert there.aside
        correcting = Incoming("2", "e", "k", "key", who)
        assert (
            correction(correcting, may, held, own).fate
            is correction(correcting, may, None, own).fate
        )


@given(parties, parties)
def test_an_id_is_one_record_s(who: Party, other: Party) -> None:
    """The same again is free of effect; anything else under it is a replay."""
    held = Held("1", "d", "k", other)
    same = who == other
    assert (repeated(Incoming("1", "d", "k", "", who), held).fate is Fate.DUPLICATE) == same
    assert repeated(Incoming("1", "x", "k", "", who), held).fate is Fate.REPLAYED


def test_a_correction_keeps_its_subject() -> None:
    """A record cannot be turned into one about somebody else."""
    may = Rights(Correctors.CONTRIBUTOR, frozenset(), open=True)
    held = Held("1", "d", "k", ANN)
    assert correction(Incoming("2", "e", "other", "1", ANN), may, held, None).fate is (
        Fate.UNKNOWN_ORIGINAL
    )
    assert correction(Incoming("2", "e", "k", "1", ANN), may, held, None).root == "1"


class File:
    """A real file of collected records, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened = self.open()

    def open(self) -> Collected:
        """As the process that holds it does."""
        path, spill = str(self.folder / "r.duckdb"), str(self.folder / "spill")
        self.connection = open_for_collecting(path, spill=spill, memory_bytes=128 << 20)
        self.known = Known(self.folder / "known.sqlite")
        return Collected(self.connection, COLUMNS, self.known)

    def again(self) -> None:
        """Closed and opened."""
        self.close()
        self.opened = self.open()

    def close(self) -> None:
        """Lets go of it."""
        self.connection.close()
        self.known.close()

    def stage(
        self,
        *parcels: tuple[Party, Sequence[tuple[Any, ...]]],
        quotas: dict[str, Any] | None = None,
        now: str = "2026-05-01T00:00:00+00:00",
        by: str = "contributor",
    ) -> list[list[str]]:
        """In an open transaction."""
        return self.opened.stage(
            {
                "now": now,
                "rights": {"by": by, "also": [], "open": True},
                "quotas": quotas or {},
                "parcels": [
                    {"who": who.contributor, "organisation": who.organisation, "rows": rows}
                    for who, rows in parcels
                ],
            }
        )

    def keep(
        self, *parcels: tuple[Party, Sequence[tuple[Any, ...]]], **how: Any
    ) -> list[list[str]]:
        """And committed."""
        fates = self.stage(*parcels, **how)
        self.opened.commit()
        return fates

    def counted(self) -> list[tuple[Any, ...]]:
        """What an export holds now."""
        path = self.folder / "e.parquet"
        self.opened.export(str(path), "person", 0)
        sql = f"SELECT person, n FROM read_parquet('{path}') ORDER BY ALL"
        return self.connection.execute(sql).fetchall()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    """Empty."""
    found = File(tmp_path)
    yield found
    found.close()


def line(
    person: str, n: int, *, ident: str = "", key: str = "", corrects: str = ""
) -> tuple[Any, ...]:
    """A record as it is staged."""
    digest = f"{n:032x}"
    return (ident or secrets.token_hex(16), digest, key, corrects, [person, n, "2026-05-01", None])


def test_the_same_again_is_taken_once(file: File) -> None:
    """In one parcel, in one group, in another one, and after a restart."""
    one = line("p", 1)
    assert file.keep((ANN, [one, one]), (ANN, [one])) == [["ACCEPTED", "DUPLICATE"], ["DUPLICATE"]]
    file.again()
    assert file.keep((ANN, [one]), (BOB, [one])) == [["DUPLICATE"], ["REPLAYED"]]
    assert file.counted() == [("p", 1)]


def test_what_is_rolled_back_never_was(file: File) -> None:
    """A group whose entries could not be logged leaves no id, no subject and no count."""
    one = line("p", 1, key="k")
    quotas = {"device": (1, "day")}
    assert file.stage((ANN, [one]), quotas=quotas) == [["ACCEPTED"]]
    file.opened.rollback()
    assert file.counted() == []
    assert file.keep((ANN, [one]), quotas=quotas) == [["ACCEPTED"]]
    assert file.counted() == [("p", 1)]


def test_the_last_version_counts(file: File) -> None:
    """Corrections are new versions: by subject, by id, of a correction; once more is nothing."""
    first, second = "1" * 32, "2" * 32
    file.keep((ANN, [line("p", 1, ident=first, key="k"), line("q", 5, key="l")]))
    assert file.keep((ANN, [line("p", 2, ident=second, key="k", corrects="key")])) == [["ACCEPTED"]]
    assert file.counted() == [("p", 2), ("q", 5)]
    third = line("p", 3, key="k", corrects=second)
    assert file.keep((ANN, [third, third])) == [["ACCEPTED", "DUPLICATE"]]
    assert file.keep((BOB, [line("p", 9, key="k", corrects=first)])) == [["UNKNOWN_ORIGINAL"]]
    file.again()
    assert file.counted() == [("p", 3), ("q", 5)]


def test_who_came_second_is_set_aside(file: File) -> None:
    """Told nothing, and not counted; what they correct of theirs stays aside."""
    file.keep((ANN, [line("p", 1, key="k")]))
    assert file.keep((BOB, [line("p", 7, key="k")])) == [["ACCEPTED"]]
    assert file.keep((BOB, [line("p", 8, key="k")])) == [["ALREADY_REPORTED"]]
    assert file.keep((BOB, [line("p", 8, key="k", corrects="key")])) == [["ACCEPTED"]]
    assert file.counted() == [("p", 1)]
    assert file.opened.standing()["aside"] == 2


def test_in_one_group_the_first_one_holds_the_subject(file: File) -> None:
    """Whoever shares a commit is treated as if there were two."""
    fates = file.keep(
        (ANN, [line("p", 1, key="k"), line("p", 2, key="k")]), (BOB, [line("p", 3, key="k")])
    )
    assert fates == [["ACCEPTED", "ALREADY_REPORTED"], ["ACCEPTED"]]
    assert file.counted() == [("p", 1)]


def test_quotas_count_what_was_taken(file: File) -> None:
    """Per device and per organisation, over groups, restarts and a clock that is set back."""
    quotas = {"device": (3, "day"), "organisation": (4, "never")}

    def some(who: Party, count: int, now: str = "2026-05-02T00:00:00+00:00") -> list[str]:
        (fates,) = file.keep((who, [line("p", n) for n in range(count)]), quotas=quotas, now=now)
        return fates

    assert some(ANN, 2) == ["ACCEPTED"] * 2
    file.again()
    assert some(ANN, 2) == ["ACCEPTED", "QUOTA"]
    assert some(BOB, 2) == ["ACCEPTED", "QUOTA"]  # the organisation's
    assert some(EVE, 3, "2026-05-01T00:00:00+00:00") == ["ACCEPTED"] * 3
    assert some(EVE, 1, "2026-05-01T00:00:00+00:00") == ["QUOTA"]
    assert some(EVE, 2, "2026-05-03T00:00:00+00:00") == ["ACCEPTED", "QUOTA"]


def test_a_record_over_the_quota_may_come_again(file: File) -> None:
    """It was not taken, so its id and its subject are free."""
    late = line("p", 1, key="k")
    quotas = {"device": (1, "day")}
    file.keep((ANN, [line("q", 1)]), quotas=quotas)
    assert file.keep((ANN, [late]), quotas=quotas) == [["QUOTA"]]
    now = "2026-05-02T00:00:00+00:00"
    assert file.keep((ANN, [late]), quotas=quotas, now=now) == [["ACCEPTED"]]


def test_what_was_committed_is_known_again_after_any_crash(file: File) -> None:
    """Records are committed first: killed before the other file was, they are found by them."""
    rows = [line(f"p{n}", n, key=f"k{n}") for n in range(20)]
    file.keep((ANN, rows[:10]))
    file.stage((ANN, rows[10:]))
    file.opened.run("COMMIT")  # and the process is gone
    file.again()
    assert file.keep((ANN, rows)) == [["DUPLICATE"] * 20]
    assert file.keep((ANN, [line("p3", 4, key="k3")])) == [["ALREADY_REPORTED"]]


@pytest.mark.parametrize("harm", ["deleted", "damaged", "another's"])
def test_a_file_of_what_is_known_is_made_anew(file: File, harm: str) -> None:
    """It is made of the records, and nothing but time is lost with it."""
    rows = [line(f"p{n}", n, key=f"k{n}") for n in range(20)]
    file.keep((ANN, rows))
    file.close()
    place = file.folder / "known.sqlite"
    for each in file.folder.glob("known.sqlite*"):
        each.unlink()
    if harm == "damaged":
        place.write_bytes(b"SQLite format 3\0" + bytes(200))
    if harm == "another's":  # of records that were put back to an earlier copy
        known = Known(place)
        known.add([("id 1", 1_000)], 1_000)
        known.close()
    file.opened = file.open()
    assert file.keep((ANN, rows)) == [["DUPLICATE"] * 20]
    assert file.keep((BOB, [line("p3", 9, key="k3")])) == [["ACCEPTED"]]  # set aside
    assert len(file.counted()) == 20


def test_records_that_begin_with_the_same_bytes_are_told_apart(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest leads to a record and decides nothing; here all are the same."""
    monkeypatch.setattr("nodes.engines.known._digest", lambda _: 7)
    rows = [line(f"p{n}", n, key=f"k{n}") for n in range(5)]
    assert file.keep((ANN, rows[:3])) == [["ACCEPTED"] * 3]
    assert file.keep((ANN, rows)) == [["DUPLICATE"] * 3 + ["ACCEPTED"] * 2]
    assert file.keep((ANN, [line("p4", 1, key="k4")])) == [["ALREADY_REPORTED"]]


def test_no_key_of_the_records_lies_in_memory(file: File) -> None:
    """DuckDB's indices do, whole: a collection would end when they fill its process."""
    file.keep((ANN, [line("p", 1)]))
    for table in ("duckdb_indexes()", "duckdb_constraints()"):
        found = file.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found == (0,)


def test_records_of_the_format_before_are_taken_over(file: File) -> None:
    """Their keys are dropped, and they are known by themselves."""
    rows = [line(f"p{n}", n, key=f"k{n}") for n in range(5)]
    file.keep((ANN, rows))
    for statement in (
        "CREATE TABLE ident (id BLOB PRIMARY KEY)",
        "CREATE TABLE holder (key VARCHAR PRIMARY KEY)",
        "UPDATE about SET format = 1",
    ):
        file.opened.run(statement)
    file.close()
    (file.folder / "known.sqlite").unlink()
    file.opened = file.open()
    assert file.keep((ANN, rows)) == [["DUPLICATE"] * 5]
    assert file.opened.run("SELECT format FROM about").fetchall() == [(2,)]


def test_other_columns_are_not_mixed_in(file: File) -> None:
    """A contract whose columns change collects elsewhere."""
    with pytest.raises(OtherColumns):
        Collected(file.connection, COLUMNS[:-1], file.known)


@settings(deadline=None, max_examples=6)
@given(st.lists(st.tuples(parties, st.integers(0, 3), st.integers(0, 5)), max_size=12))
def test_groups_make_no_difference(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Party, int, int]]
) -> None:
    """The same records in one group, and each in its own: the same fates, the same table."""
    rows = [
        (who, line(f"p{key}", n, ident=f"{place:032x}", key=f"k{key}"))
        for place, (who, key, n) in enumerate(steps)
    ]
    together, apart = (File(tmp_path_factory.mktemp("group")) for _ in range(2))
    try:
        one = together.keep(*((who, [row]) for who, row in rows)) if rows else []
        each = [apart.keep((who, [row]))[0] for who, row in rows]
        assert one == each
        assert together.counted() == apart.counted()
    finally:
        together.close()
        apart.close()

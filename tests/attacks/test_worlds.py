"""Every statement of the table, put to three running federations that differ in one person.

R: one refusal, the same to the byte in all worlds, free, logged, and no node ever heard of it.
N: an answer whose everything but the noise is the same in all worlds, and charged alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields

import duckdb
import pytest

from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.v1 import gateway_pb2
from tests import people
from tests.attacks import statements, test_statements
from tests.attacks.conftest import Worlds
from tests.attacks.worlds import PEOPLE, Seen, visits

pytestmark = pytest.mark.journey

REFUSED = {**test_statements.REFUSED, **statements.REFUSED}
NOISY = {**test_statements.NOISY, **statements.NOISY}
OF_THE_REQUEST = ("time", "caller", "question_id", "question_hash", "trace_id", "answer_digest",
                  "parts", "subject_key")  # fmt: skip
"""Fields of an entry that differ between any two requests; digests have keys of their own."""


@pytest.mark.parametrize("name", REFUSED)
def test_refused_alike_in_every_running_world(worlds: Worlds, name: str) -> None:
    """R: status, reason, sentence, hint, place and size; no charge; an entry in the log."""
    seen = [world.ask(REFUSED[name]) for world in worlds]
    assert len({each.refusal for each in seen}) == 1
    assert seen[0].code in ("INVALID_ARGUMENT", "PERMISSION_DENIED")
    assert seen[0].problem.message
    for each in seen:
        assert (each.entry.kind, each.entry.outcome) == ("query", "refused")
        assert each.entry.reason == each.reason
        assert each.entry.charged_micro_rho == 0
        assert each.entry.parts == ()
    assert len({_told(each) for each in seen}) == 1


def test_no_node_heard_of_what_was_refused(worlds: Worlds) -> None:
    """R before data is touched: the node's log grows by the one question that counts it."""
    for world in worlds:
        before = world.node_entries()
        for text in REFUSED.values():
            assert world.ask(text, "counted").reason
        assert world.node_entries() == before + 1
        budgets = world.ask("SELECT count(*) FROM people", "counted").answer.cost.budgets
        assert budgets[0].spent_epsilon == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("name", NOISY)
def test_answered_alike_but_for_the_noise_in_every_running_world(worlds: Worlds, name: str) -> None:
    """N: shape, keys, notes, cost and log entry are functions of the text alone."""
    seen = [world.ask(NOISY[name], name, epsilon=0.5) for world in worlds]
    ratio = any(word in NOISY[name] for word in ("avg(", "stddev(", "corr(", "regr_"))
    assert len({_without_noise(each, ratio=ratio) for each in seen}) == 1
    assert len({_told(each) for each in seen}) == 1
    for each in seen:
        assert each.entry.outcome == "answered"
        assert each.entry.charged_micro_rho > 0


def test_an_empty_cell_is_never_null(worlds: Worlds) -> None:
    """Rows 33 and 34: a sum or count over nobody is noise like any other, in twelve draws each."""
    for name in ("34 null or value", "34b empty sum"):
        text = NOISY[name].replace(", avg(age) AS a", "")
        for world in worlds:
            for turn in range(12):
                (row,) = world.ask(text, f"null{turn}").answer.cells
                assert all(cell.value is not None for cell in row)
                assert all(cell.half_width for cell in row)


def test_every_entry_that_a_receipt_proved_is_published(worlds: Worlds) -> None:
    """What callers were shown a proof of stands in the log that auditors read."""
    for world in worlds:
        seen = [world.ask(text, "published") for text in list(REFUSED.values())[:5]]
        ids = {each.entry.question_id for each in seen}
        for _ in range(100):
            published = verify_folder(world.running.log())
            if ids <= {Entry.from_bytes(entry).question_id for _, entry in published.entries()}:
                break
            time.sleep(0.05)  # it is published twice a second
        else:
            pytest.fail("a proven entry is not in the published log")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[duckdb.DuckDBPyConnection]]:
    """The same three worlds in plain DuckDB."""
    folder = tmp_path_factory.mktemp("plain")
    opened = []
    for name, rows in PEOPLE.items():
        connection = duckdb.connect(config={"memory_limit": "200MB", "temp_directory": ""})
        path = people.write(rows, folder / f"{name}.csv")
        connection.execute(f"CREATE TABLE people AS FROM read_csv('{path}', header=true)")
        connection.execute(
            "CREATE TABLE visits(person_id BIGINT, district TEXT, day DATE, cost DOUBLE)"
        )
        connection.executemany("INSERT INTO visits VALUES (?, ?, ?, ?)", visits(name))
        opened.append(connection)
    yield opened
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("name", statements.LEAKING)
def test_plain_duckdb_tells_the_worlds_apart(
    plain: list[duckdb.DuckDBPyConnection], name: str
) -> None:
    """Positive control: by an answer, by an error, or by the memory that one branch takes."""
    said = []
    for connection in plain:
        try:
            said.append(repr(connection.execute(statements.LEAKING[name]).fetchall()))
        except duckdb.Error as failure:
            said.append(repr(failure))
    assert len(set(said)) > 1


def test_most_statements_leak_from_plain_duckdb(plain: list[duckdb.DuckDBPyConnection]) -> None:
    """Positive control over the whole table: those that plain DuckDB runs in a moment."""
    leaking = set()
    for name, text in {**REFUSED, **NOISY}.items():
        if any(word in text for word in ("range(", "RECURSIVE", "COPY", "EXPORT", "INSTALL",
               "LOAD", "sleep", "repeat(", "SET ", "PRAGMA", "EXPLAIN", "DELETE", "INSERT",
               "/etc/", "/proc/", "CREATE", "PREPARE", "USE ", "ATTACH", "CALL")):  # fmt: skip
            continue
        said = set()
        for connection in plain:
            try:
                said.add(repr(connection.execute(text).fetchall()))
            except duckdb.Error as failure:
                said.add(repr(failure))
        if len(said) > 1:
            leaking.add(name)
    assert len(leaking) >= 60, sorted(leaking)


def _without_noise(seen: Seen, *, ratio: bool) -> bytes:
    """The reply with every released number taken out.

    The half-width of a ratio, and whether it can be told at all, follow from its noisy parts, and
    go with them.
    """
    assert isinstance(seen.reply, gateway_pb2.QueryResponse), str(seen.problem)
    kept = gateway_pb2.QueryResponse()
    kept.CopyFrom(seen.reply)
    for row in kept.rows:
        for column, value in zip(kept.columns, row.values, strict=True):
            if column.released:
                value.ClearField("value")
                if ratio:
                    value.ClearField("half_width")
    notes = [note for note in kept.notes if not (ratio and note.kind == "untold")]
    del kept.notes[:]
    kept.notes.extend(notes)
    return kept.SerializeToString(deterministic=True)


def _told(seen: Seen) -> str:
    """What the log says, but for what belongs to the single request."""
    return repr([
        (each.name, getattr(seen.entry, each.name))
        for each in fields(seen.entry)
        if each.name not in OF_THE_REQUEST
    ])  # fmt: skip

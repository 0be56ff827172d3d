"""An index beside the log, so that a page of a million entries is found at once.

Never the truth itself: it holds where entries are and what they can be searched by, it is made anew
from the published log whenever it does not fit it, and what a page shows is read from the log.
Owner file of sqlite3 in the console.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from landbridge.evidence.archive import archived
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.kind import KINDS
from landbridge.evidence.lookup import Lookup
from landbridge.evidence.merkle import TILE_WIDTH, leaf_hash
from landbridge.evidence.selection import Selection
from landbridge.evidence.tiles import ENTRIES, Tile, TileFolder

VERSION: Final = 3
CHUNK: Final = 64
"""Bundles of 256 entries in one transaction."""
UNREADABLE: Final = "unreadable"
FACETS: Final = ("kind", "outcome", "reason", "organisation", "purpose", "resource")
"""What entries are counted by, an hour at a time."""
COURSE: Final = frozenset({"kind", "outcome", "departments"})
"""What they are counted by beside that, in far fewer rows: each page begins with it."""

_TABLES: Final = """
CREATE TABLE entry (
  idx INTEGER PRIMARY KEY, time TEXT, kind TEXT, outcome TEXT, reason TEXT, organisation TEXT,
  purpose TEXT, resource TEXT, departments TEXT, caller TEXT, subject TEXT, question_id TEXT,
  trace_id TEXT, matter TEXT, count INTEGER, charged INTEGER);
CREATE TABLE tally (
  hour TEXT, kind TEXT, outcome TEXT, reason TEXT, organisation TEXT, purpose TEXT, resource TEXT,
  departments TEXT, n INTEGER, charged INTEGER,
  PRIMARY KEY (hour, kind, outcome, reason, organisation, purpose, resource, departments)
) WITHOUT ROWID;
CREATE TABLE course (
  hour TEXT, kind TEXT, outcome TEXT, departments TEXT, n INTEGER, charged INTEGER,
  PRIMARY KEY (hour, kind, outcome, departments)
) WITHOUT ROWID;
CREATE TABLE total (
  facet TEXT, value TEXT, departments TEXT, look INTEGER, n INTEGER,
  PRIMARY KEY (facet, value, departments, look)
) WITHOUT ROWID;
CREATE TABLE spending (
  span TEXT, resource TEXT, organisation TEXT, departments TEXT, charged INTEGER,
  PRIMARY KEY (span, resource, organisation, departments)
) WITHOUT ROWID;
CREATE TABLE mark (version INTEGER, size INTEGER, leaf BLOB);
CREATE INDEX entry_time ON entry (time);
CREATE INDEX entry_kind ON entry (kind, idx);
CREATE INDEX entry_outcome ON entry (outcome, reason, idx);
CREATE INDEX entry_organisation ON entry (organisation, idx);
CREATE INDEX entry_resource ON entry (resource, idx);
CREATE INDEX entry_caller ON entry (caller) WHERE caller <> '';
CREATE INDEX entry_subject ON entry (subject) WHERE subject <> '';
CREATE INDEX entry_question ON entry (question_id) WHERE question_id <> '';
CREATE INDEX entry_trace ON entry (trace_id) WHERE trace_id <> '';
CREATE INDEX entry_matter ON entry (matter) WHERE matter <> '';
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: a selection, as `landbridge log search` makes it, and more.

    `departments` None: of all; otherwise entries that have to do with one of them. `matters` are
    ids of cases and consultations. With `looks`, entries of this console itself too.
    """

    selection: Selection = field(default_factory=Selection)
    departments: frozenset[str] | None = None
    matters: frozenset[str] = frozenset()
    looks: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing is searched for, so that the totals know it."""
        return self.selection == Selection() and not self.matters

    @property
    def coarse(self) -> bool:
        """Whether nothing is searched for but what is in `COURSE`, and times."""
        asked = self.selection
        finer = (asked.organisations, asked.purposes, asked.resources)
        return self.countable and not any(finer)

    @property
    def countable(self) -> bool:
        """Whether the hourly counts know it."""
        asked = self.selection
        whole_hours = all(
            not each or len(each) < 14 or each[13:] == ":00:00.000000Z"
            for each in (asked.since, asked.until)
        )
        rare = (asked.callers, asked.subjects, asked.question_ids, asked.trace_ids, self.matters)
        return whole_hours and not any(rare)


class Index:
    """The index of the log in `log`, kept in `path`. Safe for many threads."""

    def __init__(self, path: Path, log: Path) -> None:
        self._path = path
        self._log = log
        self._writing = threading.Lock()
        self.size = 0
        """So many entries of the log are in it."""

    def open(self) -> None:
        """Takes up what is there, where it fits the log; begins anew otherwise."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._writing:
            found = self._fitting()
            if found is None:
                for suffix in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
                with self._connected() as database:
                    database.executescript(_TABLES)
                    database.execute("INSERT INTO mark VALUES (?, 0, x'')", (VERSION,))
                self._path.chmod(0o600)
                found = 0
            self.size = found

    def catch_up(self, most: int = 1 << 62) -> bool:
        """Takes in what the log has published since, at most so many entries; True when all is in.

        Who finds another at it does not wait. Raises EvidenceError where the log cannot be read.
        """
        if not self._writing.acquire(blocking=False):
            return False
        try:
            lookup = Lookup.of(self._log)
            if lookup.size < self.size:
                # An older copy of the log: whatever is in here is not of it.
                self._begin_anew()
            goal = min(lookup.size, self.size + most)
            with self._connected() as database:
                while self.size < goal:
                    last = min(goal, (self.size // TILE_WIDTH + CHUNK) * TILE_WIDTH)
                    self._take(database, lookup, last)
            return self.size == lookup.size
        finally:
            self._writing.release()

    def look(self) -> None:
        """Takes in what is new, before a page; what cannot be read is left to the page to say."""
        with suppress(EvidenceError, OSError):
            self.catch_up(4_096)

    def knows(self, facet: str, value: str) -> bool:
        """Whether any entry has that value of one of `FACETS`, or names that department."""
        with self._connected() as database:
            if facet == "department":
                text, values = "instr(departments, ?)", (f"|{value}|",)
            else:
                text, values = "facet = ? AND value = ?", (facet, value)  # type: ignore[assignment]
            return (
                database.execute(f"SELECT 1 FROM total WHERE {text} LIMIT 1", values).fetchone()
                is not None
            )

    def newest(self, wanted: Wanted, before: int, most: int) -> list[int]:
        """Indices of the newest such entries, newest first; before that index where it is not 0."""
        where, values = _where(wanted)
        if before:
            where, values = [*where, "idx < ?"], [*values, before]
        text = f"SELECT idx FROM entry {_and(where)} ORDER BY idx DESC LIMIT ?"
        with self._connected() as database:
            return [row[0] for row in database.execute(text, (*values, most))]

    def oldest(self, wanted: Wanted, after: int, most: int) -> list[int]:
        """Indices of the oldest such entries from that index on, oldest first."""
        where, values = _where(wanted)
        text = f"SELECT idx FROM entry {_and([*where, 'idx >= ?'])} ORDER BY idx LIMIT ?"
        with self._connected() as database:
            return [row[0] for row in database.execute(text, (*values, after, most))]

    def facets(self, wanted: Wanted, most: int = 12) -> dict[str, list[tuple[str, int]]]:
        """For each of `FACETS`, the values that are there and how often, the most frequent first.

        A facet's own choice does not narrow it, so that another value can be chosen.
        """
        found = {}
        with self._connected() as database:
            for name in FACETS:
                if wanted.everything:
                    found[name] = _totals(database, wanted, name, most)
                    continue
                open_choice = replace(wanted, selection=_without(wanted.selection, name))
                table, count, where, values = _counted(open_choice)
                rows = database.execute(
                    f"SELECT {name}, {count} AS n FROM {table} {_and([*where, f'{name} <> ?'])} "
                    f"GROUP BY {name} ORDER BY n DESC, {name} LIMIT ?",
                    (*values, "", most),
                )
                found[name] = [(row[0], row[1]) for row in rows]
        return found

    def count(self, wanted: Wanted) -> int:
        """How many such entries there are."""
        if wanted.everything:
            with self._connected() as database:
                return sum(count for _, count in _totals(database, wanted, "kind", -1))
        table, count, where, values = _counted(wanted)
        with self._connected() as database:
            row = database.execute(f"SELECT {count} FROM {table} {_and(where)}", values).fetchone()
            return int(row[0] or 0)

    def series(
        self, wanted: Wanted, by: Sequence[str], digits: int
    ) -> list[tuple[str, tuple[str, ...], int, int]]:
        """Per span of time, and by these of `FACETS` and `departments`: how many, and charged what.

        A span is an hour's first so many digits: 13 for hours, 10 for days, 7 for months. The times
        of `wanted` count by whole hours.
        """
        if not {*by} <= {*FACETS, "departments"}:
            raise ValueError("entries are not counted by that")
        where, values = _where(wanted, "hour")
        columns = ", ".join(by)
        table = "course" if {*by} <= COURSE and wanted.coarse else "tally"
        text = (
            f"SELECT substr(hour, 1, {digits:d}) AS span, {columns + ', ' if by else ''}"
            f"sum(n), sum(charged) FROM {table} {_and(where)} GROUP BY span"
            f"{', ' + columns if by else ''} ORDER BY span"
        )
        with self._connected() as database:
            return [
                (row[0], tuple(row[1:-2]), row[-2], row[-1])
                for row in database.execute(text, values)
            ]

    def spent(self, since: str) -> list[tuple[str, str, str, int]]:
        """What was charged since that day, or ever: resource, organisation, departments, charge.

        The charge is for all those departments together.
        """
        # Whole months are added up already; a page of budgets adds up years.
        by_months = not since or since[8:10] == "01"
        first, end = (f"m{since[:7]}", "n") if by_months else (f"d{since[:10]}", "e")
        text = (
            "SELECT resource, organisation, departments, sum(charged) FROM spending "
            "WHERE span >= ? AND span < ? GROUP BY resource, organisation, departments"
        )
        with self._connected() as database:
            return [tuple(row) for row in database.execute(text, (first, end))]

    def busiest(
        self, wanted: Wanted, column: str, most: int = 50
    ) -> list[tuple[str, str, str, str, int, int]]:
        """Per hour, caller, organisation and resource: entries, and different values of a column.

        The most first; for rules about single callers.
        """
        if column not in ("subject", "question_id", "caller"):
            raise ValueError("no such column is counted")
        where, values = _where(wanted)
        text = (
            "SELECT substr(time, 1, 13) AS hour, caller, organisation, resource, count(*), "
            f"count(DISTINCT {column}) AS different FROM entry {_and(where)} "
            "GROUP BY hour, caller, organisation, resource ORDER BY different DESC, 5 DESC LIMIT ?"
        )
        with self._connected() as database:
            return [tuple(row) for row in database.execute(text, (*values, most))]

    def counted_logins(self, since: str) -> list[tuple[str, str, int]]:
        """Refused logins by hour and reason, those that share an entry counted as many."""
        text = (
            "SELECT substr(time, 1, 13), reason, sum(max(count, 1)) FROM entry "
            "WHERE kind = 'refused_login' AND time >= ? GROUP BY 1, 2 ORDER BY 1"
        )
        with self._connected() as database:
            return [tuple(row) for row in database.execute(text, (since,))]

    def _fitting(self) -> int | None:
        """The size of the index that is there, if it is one of this log."""
        if not self._path.exists():
            return None
        try:
            with self._connected() as database:
                version, size, leaf = database.execute(
                    "SELECT version, size, leaf FROM mark"
                ).fetchone()
        except (sqlite3.DatabaseError, TypeError, ValueError):
            return None
        lookup = Lookup.of(self._log)
        if version != VERSION or size > lookup.size:
            return None
        if size and _leaf(self._log, size - 1, lookup.size) != leaf:
            return None
        return int(size)

    def _begin_anew(self) -> None:
        with self._connected() as database:
            database.execute("DELETE FROM entry")
            for table in ("tally", "course", "total", "spending"):
                database.execute(f"DELETE FROM {table}")
            database.execute("UPDATE mark SET size = 0, leaf = x''")
        self.size = 0

    def _take(self, database: sqlite3.Connection, lookup: Lookup, last: int) -> None:
        """The entries up to `last`, in one transaction."""
        rows: list[tuple[Any, ...]] = []
        tallies: dict[tuple[str, ...], list[int]] = {}
        course: dict[tuple[str, ...], list[int]] = {}
        totals: dict[tuple[str, str, str, int], int] = {}
        spending: dict[tuple[str, str, str, str], int] = {}
        leaf = b""
        # What was moved to an archive cannot be read here; its hashes still prove it.
        start = max(self.size, archived(self._log))
        for place, content in _entries(lookup, start, last):
            row = _row(place, content)
            rows.append(row)
            # hour, kind, outcome, reason, organisation, purpose, resource, departments
            hour = row[1][:13]
            for counted in (
                tallies.setdefault((hour, *row[2:9]), [0, 0]),
                course.setdefault((hour, row[2], row[3], row[8]), [0, 0]),
            ):
                counted[0] += 1
                counted[1] += row[-1]
            for facet, value in zip(FACETS, row[2:8], strict=True):
                if value:
                    total = (facet, value, row[8], int(row[2] == "console"))
                    totals[total] = totals.get(total, 0) + 1
            if row[-1]:
                for span in (f"d{row[1][:10]}", f"m{row[1][:7]}"):
                    spent = (span, row[7], row[5], row[8])
                    spending[spent] = spending.get(spent, 0) + row[-1]
            if place == last - 1:
                leaf = leaf_hash(content)
        with database:
            database.executemany(
                f"INSERT OR REPLACE INTO entry VALUES ({', '.join('?' * 16)})", rows
            )
            for table, counts in (("tally", tallies), ("course", course)):
                rows = [(*key, *counted) for key, counted in counts.items()]
                places = ", ".join("?" * len(rows[0])) if rows else ""
                database.executemany(
                    f"INSERT INTO {table} VALUES ({places}) ON CONFLICT DO UPDATE SET "
                    "n = n + excluded.n, charged = charged + excluded.charged",
                    rows,
                )
            database.executemany(
                "INSERT INTO total VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "n = n + excluded.n",
                [(*key, count) for key, count in totals.items()],
            )
            database.executemany(
                "INSERT INTO spending VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "charged = charged + excluded.charged",
                [(*key, charged) for key, charged in spending.items()],
            )
            database.execute(
                "UPDATE mark SET size = ?, leaf = ?",
                (last, leaf or _leaf(self._log, last - 1, lookup.size)),
            )
        self.size = last

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=5.0)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            # It can be made again, so nothing has to wait for the disk.
            database.execute("PRAGMA synchronous=OFF")
            database.execute("PRAGMA cache_size=-65536")
            yield database
            database.commit()


def _entries(lookup: Lookup, start: int, last: int) -> Iterator[tuple[int, bytes]]:
    files = TileFolder(lookup.folder)
    for number in range(start // TILE_WIDTH, -(-last // TILE_WIDTH)):
        first = number * TILE_WIDTH
        tile = Tile(ENTRIES, number, min(TILE_WIDTH, lookup.size - first))
        for place, content in enumerate(files.entries(tile), start=first):
            if start <= place < last:
                yield place, content


def _leaf(log: Path, index: int, size: int) -> bytes:
    number, place = divmod(index, TILE_WIDTH)
    width = min(TILE_WIDTH, size - number * TILE_WIDTH)
    return TileFolder(log).hashes(Tile(0, number, width))[place]


def _row(index: int, content: bytes) -> tuple[Any, ...]:
    """What an entry can be found by; of one that is none, that it is there."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or said.get("kind") not in KINDS:
        return (index, "", UNREADABLE, *[""] * 11, 0, 0)
    names = ("time", "kind", "outcome", "reason", "organisation", "purpose", "resource")
    found = [_text(said, name) for name in names]
    return (
        index,
        *found,
        departments_of(said),
        *(_text(said, name) for name in ("caller", "subject", "question_id", "trace_id", "case")),
        _number(said, "count"),
        _number(said, "charged_micro_rho"),
    )


def departments_of(said: Mapping[str, Any]) -> str:
    """The departments that an entry has to do with, as `|ewr|jfk|`; empty for none."""
    found = {each for each in said.get("members", ()) if isinstance(each, str)}
    found |= {
        str(each["department"])
        for each in said.get("parts", ())
        if isinstance(each, dict) and "department" in each
    }
    for name in ("resource", "case"):
        before, dot, _ = _text(said, name).partition(".")
        if dot:
            found.add(before)
    return f"|{'|'.join(sorted(found))}|" if found else ""


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name, "")
    return value if isinstance(value, str) else ""


def _number(said: Mapping[str, Any], name: str) -> int:
    value = said.get(name, 0)
    return value if isinstance(value, int) else 0


def _without(selection: Selection, facet: str) -> Selection:
    match facet:
        case "kind":
            return replace(selection, kinds=frozenset())
        case "outcome":
            return replace(selection, outcomes=frozenset())
        case "organisation":
            return replace(selection, organisations=frozenset())
        case "purpose":
            return replace(selection, purposes=frozenset())
        case "resource":
            return replace(selection, resources=frozenset())
        case _:
            return selection


def _totals(
    database: sqlite3.Connection, wanted: Wanted, facet: str, most: int
) -> list[tuple[str, int]]:
    """The values of a facet and how often each is in the whole log, the most frequent first."""
    where, values = ["facet = ?"], [facet]
    if not wanted.looks:
        where.append("look = 0")
    if wanted.departments is not None:
        some = " OR ".join(["instr(departments, ?)"] * len(wanted.departments))
        where.append(f"({some or '0'})")
        values += [f"|{name}|" for name in sorted(wanted.departments)]
    rows = database.execute(
        f"SELECT value, sum(n) AS found FROM total {_and(where)} GROUP BY value "
        "ORDER BY found DESC, value LIMIT ?",
        (*values, most),
    )
    return [(row[0], row[1]) for row in rows]


def _counted(wanted: Wanted) -> tuple[str, str, list[str], list[Any]]:
    """Where to count what is wanted: table, the count's expression, conditions, their values."""
    if wanted.countable:
        return ("tally", "sum(n)", *_where(wanted, "hour"))
    return ("entry", "count(*)", *_where(wanted))


def _where(wanted: Wanted, time: str = "time") -> tuple[list[str], list[Any]]:
    asked = wanted.selection
    where: list[str] = []
    values: list[Any] = []
    sets = (
        ("kind", asked.kinds),
        ("outcome", asked.outcomes),
        ("organisation", asked.organisations),
        ("purpose", asked.purposes),
        ("resource", asked.resources),
        ("question_id", asked.question_ids),
        ("trace_id", asked.trace_ids),
        ("caller", asked.callers),
        ("subject", asked.subjects),
        ("matter", wanted.matters),
    )
    for column, wished in sets:
        if wished:
            where.append(f"{column} IN ({', '.join('?' * len(wished))})")
            values += sorted(wished)
            if column in ("question_id", "trace_id", "caller", "subject", "matter"):
                where.append(f"{column} <> ''")  # so that the partial index is used
    if not wanted.looks and not asked.kinds:
        where.append("kind <> 'console'")
    if asked.since:
        where.append(f"{time} >= ?")
        values.append(asked.since[:13] if time == "hour" else asked.since)
    if asked.until:
        where.append(f"{time} < ?")
        values.append(asked.until[:13] if time == "hour" else asked.until)
    if wanted.departments is not None:
        some = " OR ".join(["instr(departments, ?)"] * len(wanted.departments))
        where.append(f"({some or '0'})")
        values += [f"|{name}|" for name in sorted(wanted.departments)]
    return where, values


def _and(where: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(where)}" if where else ""

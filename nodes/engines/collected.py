"""The records that came in, in a DuckDB file of their own: append only, each once.

    record   every version of every record that was taken; the last version of a root counts

A group of batches is one transaction. Subjects, contributors and values stand nowhere else. Which
ids came before, and which subjects and periods are reported, is found by `nodes.engines.known`.
"""

# Statements are put together from our own text; names of columns are numbers, values are bound.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from landbridge.submission.fate import Fate
from nodes.engines.casts import STORED
from nodes.engines.database import Connection, text
from nodes.engines.known import Known, Pair
from policies.acceptance import (
    Held,
    Incoming,
    Party,
    Rights,
    Verdict,
    correction,
    new_record,
    repeated,
)
from policies.contract import Correctors, Type

FORMAT: Final = 2
"""1 had keys of DuckDB's own, which lay in memory."""
_REBUILT: Final = 100_000
"""Records that are read at a time, to know them again."""
_LENGTHS: Final = {"day": 10, "month": 7, "year": 4, "never": 0}
_PARTIES: Final = 100_000
"""Whose counts are kept."""
_KNOWN: Final = (
    "seq",
    "id",
    "root",
    "digest",
    "key",
    "contributor",
    "organisation",
    "aside",
    "came",
)
_ABOUT: Final = (
    "CREATE TABLE about (format INTEGER, columns VARCHAR, corrections BIGINT, shown BIGINT, "
    "shown_at DOUBLE)"
)


class OtherColumns(Exception):
    """What was collected has other columns than the contract now."""


class Collected:
    """The file, for one process and one thread."""

    def __init__(
        self, connection: Connection, columns: Sequence[tuple[str, ...]], known: Known
    ) -> None:
        self.run = connection.execute
        self._known = known
        self._found: list[Pair] = []
        self._columns = [(f"c{place}", STORED[Type(each[1])]) for place, each in enumerate(columns)]
        self._names = [each[0] for each in columns]
        self._prepare(repr([tuple(each) for each in columns]))
        found = self.run("SELECT coalesce(max(seq), 0), max(came) FROM record").fetchone()
        assert found is not None
        self._seq: int = found[0]
        self._latest: str = found[1] or ""
        self._before = self._seq
        self._know()
        self._quotas = _Quotas(self)

    def _prepare(self, columns: str) -> None:
        there = self.run("SELECT count(*) FROM duckdb_tables()").fetchone()
        if there is None or not there[0]:
            values = ", ".join(f"{name} {kind}" for name, kind in self._columns)
            self.run("BEGIN")
            self.run(
                "CREATE TABLE record (seq BIGINT, id BLOB, root BLOB, digest BLOB, key VARCHAR, "
                f"contributor VARCHAR, organisation VARCHAR, aside BOOLEAN, came VARCHAR, {values})"
            )
            self.run(_ABOUT)
            self.run("INSERT INTO about VALUES (?, ?, 0, 0, 0)", [FORMAT, columns])
            self.run("COMMIT")
        if self.run("SELECT format, columns FROM about").fetchall() == [(1, columns)]:
            self.run("BEGIN")
            self.run("DROP TABLE ident")
            self.run("DROP TABLE holder")
            self.run("UPDATE about SET format = ?", [FORMAT])
            self.run("COMMIT")
        if self.run("SELECT format, columns FROM about").fetchall() != [(FORMAT, columns)]:
            raise OtherColumns

    def _know(self) -> None:
        """What records have that the other file has not, after a crash or because it is new."""
        if self._known.upto > self._seq:
            self._known.clear()  # it is of records that were put back to an earlier copy
        while (first := self._known.upto) < self._seq:
            last = min(self._seq, first + _REBUILT)
            rows = self.run(
                "SELECT seq, lower(hex(id)), key, id = root FROM record WHERE seq > ? AND seq <= ?",
                [first, last],
            ).fetchall()
            self._known.add(
                (
                    pair
                    for seq, ident, key, new in rows
                    for pair in _pairs(seq, ident, key, new=new)
                ),
                last,
            )

    def stage(self, frame: Mapping[str, Any]) -> list[list[str]]:
        """What becomes of each record of each parcel, in a transaction that is left open.

        A clock that goes back re-opens no earlier period.
        """
        self._latest = now = max(self._latest, frame["now"])
        rights = Rights(
            Correctors(frame["rights"]["by"]),
            frozenset(frame["rights"]["also"]),
            frame["rights"]["open"],
        )
        parcels = frame["parcels"]
        rows = [(parcel, row) for parcel in parcels for row in parcel["rows"]]
        incoming = [
            Incoming(row[0], row[1], row[2], row[3], Party(parcel["who"], parcel["organisation"]))
            for parcel, row in rows
        ]
        self._before = self._seq
        self.run("BEGIN")
        group = _Group(self, incoming, rights)
        self._quotas.begin(frame["quotas"], now, {each.party for each in incoming})
        fates: list[str] = []
        taken: list[tuple[Incoming, Verdict, Sequence[object]]] = []
        for each, (_, row) in zip(incoming, rows, strict=True):
            verdict = group.verdict(each)
            if verdict.fate is Fate.ACCEPTED and not self._quotas.admit(each.party):
                verdict = Verdict(Fate.QUOTA)
            if verdict.fate is Fate.ACCEPTED:
                group.took(each, verdict)
                taken.append((each, verdict, row[4]))
            fates.append(str(verdict.fate))
        self._append(taken, now)
        replies, place = [], 0
        for parcel in parcels:
            replies.append(fates[place : place + len(parcel["rows"])])
            place += len(parcel["rows"])
        return replies

    def commit(self) -> None:
        """Durable when it returns."""
        self.run("COMMIT")
        self._known.add(self._found, self._seq)
        self._quotas.commit()

    def rollback(self) -> None:
        """As if nothing had been staged."""
        self.run("ROLLBACK")
        self._seq = self._before

    def export(self, path: str, unit: str, least: int) -> dict[str, Any]:
        """Writes what counts now as a Parquet file, if something of `least` units has changed.

        Gives the number of the last record in it. `unit` is the column of the protected unit; empty
        where every record counts as a unit.
        """
        found = self.run("SELECT corrections, shown, shown_at FROM about").fetchone()
        assert found is not None
        corrections, shown, _ = found
        counted = f"DISTINCT c{self._names.index(unit)}" if unit else "*"
        changed = self.run(
            f"SELECT count({counted}) FROM record WHERE seq > ? AND NOT aside", [shown]
        ).fetchone()
        assert changed is not None
        if changed[0] < least:
            return {"seq": shown, "changed": changed[0], "written": False}
        values = ", ".join(
            f'{column} AS "{name}"'
            for (column, _), name in zip(self._columns, self._names, strict=True)
        )
        last = (
            "QUALIFY row_number() OVER (PARTITION BY root ORDER BY seq DESC) = 1"
            if corrections
            else ""
        )
        self.run(
            f"COPY (SELECT {values} FROM record WHERE NOT aside {last}) TO {text(path)} "
            "(FORMAT parquet)"
        )
        return {"seq": self._seq, "changed": changed[0], "written": True}

    def shown(self, seq: int, at: float) -> None:
        """Remembers that questions see the records up to that one, since that moment."""
        self.run("UPDATE about SET shown = ?, shown_at = ?", [seq, at])

    def standing(self) -> dict[str, Any]:
        """For whoever renews what questions see, and for the operator."""
        found = self.run(
            "SELECT shown_at, (SELECT count(*) FROM record), "
            "(SELECT count(*) FROM record WHERE aside), corrections FROM about"
        ).fetchone()
        assert found is not None
        return dict(zip(("shown_at", "records", "aside", "corrections"), found, strict=True))

    def held(self, kind: str, values: Sequence[str]) -> dict[str, Held]:
        """What was taken under these ids (`kind` "id"), or first under these keys ("key")."""
        numbers = sorted(set(self._known.find([f"{kind} {each}" for each in values])))
        if not numbers:
            return {}
        condition = "" if kind == "id" else "AND id = root"
        found = self.run(
            f"SELECT {'lower(hex(id))' if kind == 'id' else 'key'}, lower(hex(root)), "
            "lower(hex(digest)), key, contributor, organisation, aside "
            "FROM record JOIN (SELECT unnest(?::BIGINT[]) AS n) ON seq = n "
            f"WHERE seq BETWEEN ? AND ? {condition}",
            [numbers, numbers[0], numbers[-1]],
        ).fetchall()
        wanted = frozenset(values)  # others may begin with the same bytes
        # One that was set aside holds its subject for its own party alone; its key says so.
        return {
            row[0]: Held(row[1], row[2], row[3].split("\0")[0], Party(row[4], row[5]), row[6])
            for row in found
            if row[0] in wanted
        }

    def _append(
        self, taken: Sequence[tuple[Incoming, Verdict, Sequence[object]]], now: str
    ) -> None:
        self._found = []
        if not taken:
            return
        columns: list[list[object]] = [[] for _ in range(len(_KNOWN) - 1 + len(self._columns))]
        versions = 0
        for each, verdict, values in taken:
            self._seq += 1
            versions += verdict.root != each.id
            key = verdict.claims or each.key
            self._found += _pairs(self._seq, each.id, key, new=verdict.root == each.id)
            known = (self._seq, each.id, verdict.root, each.digest, key, each.party.contributor,
                     each.party.organisation, verdict.aside)  # fmt: skip
            for column, value in zip(columns, (*known, *values), strict=True):
                column.append(value)
        kinds = ("BIGINT", "BLOB", "BLOB", "BLOB", "VARCHAR", "VARCHAR", "VARCHAR", "BOOLEAN")
        parts = [
            "unhex(unnest(?::VARCHAR[]))" if kind == "BLOB" else f"unnest(?::{kind}[])"
            for kind in kinds
        ]
        parts.append(text(now))
        for _, kind in self._columns:
            # Days and moments cross as texts, in their one spelling.
            dated = kind in ("DATE", "TIMESTAMP")
            parts.append(
                f"CAST(unnest(?::VARCHAR[]) AS {kind})" if dated else f"unnest(?::{kind}[])"
            )
        self.run(f"INSERT INTO record SELECT {', '.join(parts)}", columns)
        if versions:
            self.run("UPDATE about SET corrections = corrections + ?", [versions])


class _Group:
    """What is known of the ids and subjects of a group, and what the group adds to it."""

    def __init__(self, file: Collected, rows: Sequence[Incoming], rights: Rights) -> None:
        self._rights = rights
        ids = {each.id for each in rows} | {each.corrects for each in rows} - {"", "key"}
        self._by_id = file.held("id", sorted(ids))
        self._by_key = file.held("key", sorted({each.key for each in rows if each.key}))
        # Whoever finds a subject reported by others may have one that was set aside.
        own = {
            rights.own_key(each)
            for each in rows
            if each.key in self._by_key and not rights.may(each.party, self._by_key[each.key])
        }
        self._by_key |= file.held("key", sorted(own))

    def verdict(self, each: Incoming) -> Verdict:
        """Of one record; nothing is taken yet."""
        known = self._by_id.get(each.id)
        if known is not None:
            return repeated(each, known)
        own = self._by_key.get(self._rights.own_key(each)) if each.key else None
        if not each.corrects:
            return new_record(each, self._rights, self._by_key.get(each.key), own)
        original = (self._by_key if each.corrects == "key" else self._by_id).get(
            each.key if each.corrects == "key" else each.corrects
        )
        return correction(each, self._rights, original, own if each.corrects == "key" else None)

    def took(self, each: Incoming, verdict: Verdict) -> None:
        """Later records of the group find this one."""
        held = Held(verdict.root, each.digest, each.key, each.party, verdict.aside)
        self._by_id[each.id] = held
        if verdict.claims:
            self._by_key[verdict.claims] = held


def _pairs(seq: int, ident: str, key: str, *, new: bool) -> list[Pair]:
    """What a record is found by; `new`: it is no correction."""
    found = [(f"id {ident}", seq)]
    return [*found, (f"key {key}", seq)] if new and key else found


class _Quotas:
    """How many records each party has handed in, in the period that runs.

    Counted from the records when a party is first seen, and kept from then on.
    """

    def __init__(self, file: Collected) -> None:
        self._file = file
        self._limits: dict[str, tuple[int, str]] = {}
        self._counts: dict[tuple[str, ...], int] = {}
        self._added: dict[tuple[str, ...], int] = {}

    def begin(self, limits: Mapping[str, Sequence[Any]], now: str, parties: set[Party]) -> None:
        """A group, of these parties."""
        self._limits = {
            kind: (records, now[: _LENGTHS[period]]) for kind, (records, period) in limits.items()
        }
        self._added = {}
        if len(self._counts) > _PARTIES:
            self._counts.clear()
        for party in parties:
            for key, _ in self._of(party):
                if key not in self._counts:
                    self._counts[key] = self._counted(key)

    def admit(self, party: Party) -> bool:
        """Counts one more, for device and organisation or for neither."""
        wanted = self._of(party)
        if any(self._counts[key] + self._added.get(key, 0) >= most for key, most in wanted):
            return False
        for key, _ in wanted:
            self._added[key] = self._added.get(key, 0) + 1
        return True

    def commit(self) -> None:
        """What the group added stays."""
        for key, count in self._added.items():
            self._counts[key] += count
        self._added = {}

    def _of(self, party: Party) -> list[tuple[tuple[str, ...], int]]:
        found = []
        for kind, (most, period) in self._limits.items():
            device = (party.contributor,) if kind == "device" else ()
            found.append(((period, party.organisation, *device), most))
        return found

    def _counted(self, key: tuple[str, ...]) -> int:
        period, organisation, *device = key
        device_too = "AND contributor = ?" if device else ""
        found = self._file.run(
            "SELECT count(*) FROM record WHERE starts_with(came, ?) AND organisation = ? "
            f"{device_too}",
            [period, organisation, *device],
        ).fetchone()
        assert found is not None
        return int(found[0])

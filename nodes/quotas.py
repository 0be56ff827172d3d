"""What each organisation has already asked of the handlers: durable, and counted before any data
is read.

Different subjects per period bound scraping; calls a minute bound a caller, calls a day bound what
is asked about one subject over all callers of an organisation. A charge has an id: the same one
again, after a crash or a lost reply, is charged once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from landbridge.errors import LandbridgeError, error
from nodes.sqlite_file import Run, SqliteFile
from policies.quota import Quota

_SCHEMA = (
    """CREATE TABLE subject (
      handler TEXT NOT NULL, organisation TEXT NOT NULL, period TEXT NOT NULL,
      digest TEXT NOT NULL, PRIMARY KEY (handler, organisation, period, digest)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE subjects (
      handler TEXT NOT NULL, organisation TEXT NOT NULL, period TEXT NOT NULL,
      count INTEGER NOT NULL, PRIMARY KEY (handler, organisation, period)
    ) STRICT""",
    """CREATE TABLE calls (
      handler TEXT NOT NULL, who TEXT NOT NULL, period TEXT NOT NULL, count INTEGER NOT NULL,
      PRIMARY KEY (handler, who)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE charged (id TEXT PRIMARY KEY, period TEXT NOT NULL) STRICT, WITHOUT ROWID",
)
_LENGTHS = {"minute": 16, "day": 10, "month": 7, "year": 4}


@dataclass(frozen=True, slots=True)
class Charge:
    """A call, or a batch of them, of one caller about these subjects (keyed digests).

    `id` names it for ever: the same one again is charged once. Empty where it is never repeated.
    """

    handler: str
    organisation: str
    caller: str
    subjects: Sequence[str]
    id: str = ""


class Quotas:
    """One department's counts, in one SQLite file."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._file = SqliteFile(path, _SCHEMA, clock, version=1, what="a count of handlers' calls")

    def charge(self, charge: Charge, quota: Quota) -> None:
        """Counts all of it, durably; raises SUBJECTS_EXHAUSTED or CALLS_EXHAUSTED and counts none.

        Every limit is looked at whatever the subjects are, so that a refusal says nothing of data.
        Calls that come at once share a sync.
        """

        def count(run: Run) -> None:
            now = self._file.now(run)
            if charge.id and not _new(run, charge.id, now):
                return
            _calls(run, charge, quota, now)
            for period, most in quota.subjects:
                _subjects(run, charge, f"{period} {now[: _LENGTHS[period]]}", period, most)

        self._file.together(count)

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def _new(run: Run, ident: str, now: str) -> bool:
    done: int = run(
        "INSERT INTO charged VALUES (?, ?) ON CONFLICT DO NOTHING", (ident, now[:10])
    ).rowcount
    return done == 1


def _calls(run: Run, charge: Charge, quota: Quota, now: str) -> None:
    minute, day = now[: _LENGTHS["minute"]], now[: _LENGTHS["day"]]
    # Not by colons between names: an organisation's own name may hold some.
    rows = [(_key("caller", charge.organisation, charge.caller), minute, len(charge.subjects))]
    limits = [("calls_per_minute", quota.calls_per_minute, "by one caller in a minute")]
    for subject in charge.subjects:
        rows.append((_key("subject", charge.organisation, subject), day, 1))
        limits.append(
            (
                "calls_per_subject_per_day",
                quota.calls_per_subject_per_day,
                "about one subject in a day for one organisation",
            )
        )
    for (who, period, count), (rule, most, words) in zip(rows, limits, strict=True):
        found = run(
            "INSERT INTO calls VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET count = excluded.count + CASE period WHEN excluded.period THEN count ELSE 0 END, "
            "period = excluded.period RETURNING count",
            (charge.handler, who, period, count),
        ).fetchone()[0]
        if found > most:
            raise error(
                "CALLS_EXHAUSTED",
                f"Handler {charge.handler} is called at most {most} times {words}.",
                rule=f"handler.{rule}",
                hint="Ask again later.",
            )


def _subjects(run: Run, charge: Charge, key: str, period: str, most: int) -> None:
    where = (charge.handler, charge.organisation, key)
    new = sum(
        run(
            "INSERT INTO subject VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (*where, each)
        ).rowcount
        for each in charge.subjects
    )
    if not new:
        return  # all of them were counted in this period
    count = run(
        "INSERT INTO subjects VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET count = count + excluded.count RETURNING count",
        (*where, new),
    ).fetchone()[0]
    if count > most:
        raise _exhausted(charge.handler, period, most)


def _exhausted(handler: str, period: str, most: int) -> LandbridgeError:
    return error(
        "SUBJECTS_EXHAUSTED",
        f"Handler {handler} replies about {most} different subjects a {period} to one "
        "organisation.",
        rule="handler.subjects",
        hint=f"Subjects already asked about this {period} are still answered."
        if period != "day"
        else "Subjects already asked about today are still answered.",
    )


def _key(*parts: str) -> str:
    spelt = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(spelt.encode()).hexdigest()

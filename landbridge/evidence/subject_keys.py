"""A subject key for every month, so that one month's persons can be forgotten.

An entry says which key its digests were made with. Destroying a key makes its digests what they
would be under a random one: nobody can say whose they are, and the tree over the entries stands.
The keys of different months are drawn apart, so that none follows from another.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from landbridge.evidence.disk import Disk
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.subject import SubjectKey

SUFFIX: Final = ".key"
FORGOTTEN: Final = ".forgotten"
_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class PeriodKey:
    """A month's key; `id` names it in entries and tells nothing of it."""

    id: str
    key: SubjectKey


class SubjectKeys:
    """The months' keys in a folder, `YYYY-MM.key` each. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._current: tuple[tuple[int, int], PeriodKey] | None = None

    def at(self, seconds: float) -> PeriodKey:
        """The key for what is logged at that time (since 1970), made when it is first needed.

        It is the key of that very month, so that forgetting a month forgets its entries, whatever
        the clock did before. Only a month that was forgotten gets no other key: what a clock that
        was set back, or is right again, dates in it is digested with the key of the next month that
        was not. EvidenceError where a file cannot be used.
        """
        moment = datetime.fromtimestamp(seconds, UTC)
        month = (moment.year, moment.month)
        with self._lock:
            if self._current is None or month != self._current[0]:
                forgotten = self.forgotten()
                usable = f"{moment.year:04}-{moment.month:02}"
                while usable in forgotten:
                    usable = _following(usable)
                self._current = month, self._open(usable)
            return self._current[1]

    def months(self) -> list[str]:
        """The months whose key is there, oldest first."""
        return self._named(SUFFIX)

    def forgotten(self) -> list[str]:
        """The months whose key was destroyed."""
        return self._named(FORGOTTEN)

    def every(self) -> Mapping[str, PeriodKey]:
        """Every key that is there, by month."""
        return {month: _keyed(month, SubjectKey.load(self._path(month))) for month in self.months()}

    def forget(self, month: str, now: float) -> None:
        """Destroys a month's key. The month must not be the one that runs; one to come has a key
        only where a clock ran ahead.

        What was written once can outlive its file in a backup, in a copy or in the medium's spare
        blocks; those are the operator's to see to.
        """
        if not _MONTH.fullmatch(month):
            raise EvidenceError(month, "a month is written YYYY-MM")
        running = datetime.fromtimestamp(now, UTC).strftime("%Y-%m")
        # While the running month is forgotten its entries are digested with the next one's key.
        while running in self.forgotten():
            running = _following(running)
        if month == running:
            raise EvidenceError(month, "the month is not over, its key is in use")
        path = self._path(month)
        if not path.exists():
            raise EvidenceError(str(path), "there is no such key")
        disk = Disk()
        # First the mark: a crash in between must not let the month get another key.
        mark = self._folder / f"{month}{FORGOTTEN}"
        if not mark.exists():
            disk.put(mark, b"")
            disk.sync_folder(self._folder)
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        disk.remove(path)
        disk.sync_folder(self._folder)

    def _open(self, month: str) -> PeriodKey:
        path = self._path(month)
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = path.with_suffix(".tmp")
            temporary.unlink(missing_ok=True)
            SubjectKey.create().save(temporary)
            temporary.replace(path)
            Disk().sync_folder(self._folder)
        return _keyed(month, SubjectKey.load(path))

    def _path(self, month: str) -> Path:
        return self._folder / f"{month}{SUFFIX}"

    def _named(self, suffix: str) -> list[str]:
        found = (path.name.removesuffix(suffix) for path in self._folder.glob(f"*{suffix}"))
        return sorted(name for name in found if _MONTH.fullmatch(name))


def _following(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def key_id(month: str, key: SubjectKey) -> str:
    """How entries name the key; the fingerprint tells a key from a later one of the same month."""
    return f"{month}.{key.derived('id').digest('')[:8]}"


def _keyed(month: str, key: SubjectKey) -> PeriodKey:
    return PeriodKey(key_id(month, key), key)

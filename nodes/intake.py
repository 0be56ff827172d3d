"""One contract's collected records, seen from the server: parcels in, durable in groups.

The server's process never loads DuckDB; a process of its own holds the file
(`nodes.engines.collector`). Parcels that arrive while a group is written form the next one and
share its commit. A parcel's log entry is written inside its group's transaction, before the commit:
what nobody has logged nobody has handed in. A process that dies in between leaves an entry of
something that did not happen, and whoever hands the same in again leaves another.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from landbridge.errors import LandbridgeError, error
from landbridge.submission.check import Plain
from landbridge.submission.fate import Fate
from nodes.engines.process import WorkerLate, WorkerLost, WorkerProcess, encode
from policies.acceptance import Rights
from policies.contract import Contract

MOST_RECORDS: Final = 5_000
"""Records that share a commit."""
_DAY: Final = len("2026-05-01")
SECONDS: Final = 30.0
"""For one request to the process."""
MEMORY: Final = 256 << 20
START_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Row:
    """A record that fits its form: id and digest in hex, key and what it corrects as text."""

    id: str
    digest: str
    key: str
    corrects: str
    values: Sequence[Plain]


@dataclass(slots=True)
class Parcel:
    """The records of one batch, from one party."""

    who: str
    organisation: str
    rows: Sequence[Row]
    rights: Rights
    quotas: Mapping[str, tuple[int, str]]
    log: Callable[[list[Fate]], Callable[[], None]]
    """Begins the entry of a parcel with these fates; what it gives waits until it is durable."""
    daily: bool = False
    """Whether the day alone is kept of when it came."""
    settled: threading.Event = field(default_factory=threading.Event)
    failure: LandbridgeError | None = None

    def wait(self) -> None:
        """Returns when the records are durable; raises why they were not taken."""
        self.settled.wait()
        if self.failure is not None:
            raise self.failure

    def end(self, failure: LandbridgeError | None = None) -> None:
        """It is decided."""
        self.failure = failure
        self.settled.set()

    @property
    def terms(self) -> tuple[object, ...]:
        """Parcels of the same terms may be in one group."""
        return (self.rights, tuple(sorted(self.quotas.items())), self.daily)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: the records up to `seq`; nothing where not `written`."""

    seq: int
    changed: int
    written: bool


class Intake:
    """One contract's records; safe for many threads. `clock` gives seconds since 1970.

    The process is started by the one thread that speaks to it: it asks to be killed when its parent
    dies, and prctl(2) means the thread that started it.
    """

    def __init__(
        self, contract: Contract, folder: Path, clock: Callable[[], float], memory: int = MEMORY
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._setup = {
            "path": str((folder / "records.duckdb").resolve()),
            "spill": str((folder / "spill").resolve()),
            "memory_bytes": memory,
            "columns": [
                (column.name, column.type.value)
                # Reports of another randomisation are other values.
                + (() if column.randomised is None else (repr((column.randomised, column.domain)),))
                for column in contract.columns
            ],
            "parent": os.getpid(),
        }
        self._clock = clock
        self._work: queue.SimpleQueue[Parcel | _Errand | None] = queue.SimpleQueue()
        self._left: list[Parcel | _Errand | None] = []
        self._process: WorkerProcess | None = None
        self._closed = False
        self.groups = 0
        """How many commits there were, for tests that count."""
        self._thread = threading.Thread(target=self._serve, name="intake", daemon=True)
        self._thread.start()

    def put(self, parcel: Parcel) -> None:
        """Takes it in, behind those that came before; `parcel.wait` tells what became of it."""
        self._put(parcel)

    def export(self, to: Path, unit: str, least: int) -> Exported:
        """Writes what counts now into a Parquet file; raises INTAKE_UNAVAILABLE."""
        reply = self._errand({"do": "export", "path": str(to), "unit": unit, "least": least})
        return Exported(reply["seq"], reply["changed"], reply["written"])

    def shown(self, seq: int, at: float) -> None:
        """Remembers which records questions see; raises INTAKE_UNAVAILABLE."""
        self._errand({"do": "shown", "seq": seq, "at": at})

    def standing(self) -> Mapping[str, Any]:
        """When questions last saw something new, and how much there is."""
        return self._errand({"do": "standing"})

    @property
    def pid(self) -> int:
        """The process that holds the file; 0 for none."""
        process = self._process
        return 0 if process is None else process.pid

    def close(self) -> None:
        """Ends the process; what was committed stays."""
        self._closed = True
        self._work.put(None)
        self._thread.join()

    def _errand(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        errand = _Errand(frame)
        self._put(errand)
        errand.done.wait()
        if errand.reply is None:
            raise error("INTAKE_UNAVAILABLE")
        return errand.reply

    def _put(self, work: Parcel | _Errand) -> None:
        if self._closed:
            raise error("SHUTTING_DOWN")
        self._work.put(work)

    def _serve(self) -> None:
        while True:
            work = self._left.pop(0) if self._left else self._work.get()
            if work is None:
                break
            if isinstance(work, _Errand):
                work.reply = self._ask(work.frame)
                work.done.set()
            else:
                self._write(self._grouped(work))
        self._end()
        with suppress(queue.Empty):
            while True:
                self._left.append(self._work.get_nowait())
        for left in self._left:  # nothing became of these
            if isinstance(left, Parcel):
                left.end(error("SHUTTING_DOWN"))
            elif left is not None:
                left.done.set()

    def _grouped(self, first: Parcel) -> list[Parcel]:
        """The parcel with those that wait behind it, as far as they may share a commit."""
        group, records = [first], len(first.rows)
        while records < MOST_RECORDS:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                break
            if work is None:
                self._work.put(None)
                break
            if isinstance(work, _Errand) or work.terms != first.terms:
                self._left.append(work)
                break
            group.append(work)
            records += len(work.rows)
        return group

    def _write(self, group: list[Parcel]) -> None:
        fates = self._stage(group)
        if fates is None and len(group) > 1:
            for each in group:  # one that cannot be written spoils no other
                self._write([each])
            return
        if fates is None:
            group[0].end(error("INTAKE_UNAVAILABLE"))
            return
        failure = self._logged(group, fates)
        reply = self._ask({"do": "rollback" if failure else "commit"})
        if reply is None and failure is None:
            failure = error("INTAKE_UNAVAILABLE")
        self.groups += failure is None
        for parcel in group:
            parcel.end(failure)

    @staticmethod
    def _logged(group: list[Parcel], fates: list[list[Fate]]) -> LandbridgeError | None:
        """Every parcel's entry, durable, or why not."""
        try:
            begun = [parcel.log(each) for parcel, each in zip(group, fates, strict=True)]
            for durable in begun:
                durable()
        except LandbridgeError as failure:
            return failure
        except Exception:  # noqa: BLE001 - the group must end; whoever waits is told
            return error("FAULT")
        return None

    def _stage(self, group: list[Parcel]) -> list[list[Fate]] | None:
        rights = group[0].rights
        came = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        frame = {
            "do": "stage",
            "now": came[: _DAY if group[0].daily else None],
            "rights": {"by": rights.by.value, "also": sorted(rights.also), "open": rights.open},
            "quotas": group[0].quotas,
            "parcels": [
                {
                    "who": parcel.who,
                    "organisation": parcel.organisation,
                    "rows": [
                        (row.id, row.digest, row.key, row.corrects, row.values)
                        for row in parcel.rows
                    ],
                }
                for parcel in group
            ],
        }
        reply = self._ask(frame)
        if reply is None:
            return None
        return [[Fate(each) for each in fates] for fates in reply["fates"]]

    def _ask(self, frame: Mapping[str, Any]) -> dict[str, Any] | None:
        """The reply, or None where the process is gone; then the next request starts another."""
        process = self._process or self._start()
        if process is None:
            return None
        try:
            reply = process.ask(encode(frame), time.monotonic() + SECONDS)
        except (WorkerLost, WorkerLate):
            reply = {"failed": True}
        if "failed" in reply:
            self._end()
            return None
        return reply

    def _start(self) -> WorkerProcess | None:
        try:
            process = WorkerProcess("nodes.engines.collector")
        except OSError:
            return None
        try:
            reply = process.ask(encode(self._setup), time.monotonic() + START_SECONDS)
        except (WorkerLost, WorkerLate):
            reply = {}
        if reply.get("ready") is True:
            self._process = process
            return process
        process.kill()
        process.reap()
        return None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.reap()


@dataclass(slots=True)
class _Errand:
    """Something else that the process is asked."""

    frame: Mapping[str, Any]
    reply: dict[str, Any] | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Intakes:
    """The intake of each contract that collects, opened when it is first needed."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Intake] = {}
        self._closed = False

    def of(self, contract: Contract) -> Intake:
        """That contract's; raises SHUTTING_DOWN, or INTAKE_UNAVAILABLE where it cannot begin."""
        with self._lock:
            if self._closed:
                raise error("SHUTTING_DOWN")
            found = self._open.get(contract.id)
            if found is None:
                try:
                    found = Intake(contract, self._folder / contract.id, self._clock)
                except OSError:
                    raise error("INTAKE_UNAVAILABLE") from None
                self._open[contract.id] = found
            return found

    def close(self) -> None:
        """Ends every process."""
        with self._lock:
            self._closed = True
            opened = list(self._open.values())
        for each in opened:
            each.close()

"""DuckDB as a node's engine: a pool of warm worker processes that are killed by the clock.

DuckDB's own limits do not hold (single expressions take gigabytes and seconds past them), so the
kernel's do: address space, processor time, and SIGKILL when the wall clock says so. The server's
process never loads DuckDB; it speaks JSON to `nodes.engines.worker`. Linux only.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from landbridge.edge.wanted import given_up, while_wanted
from landbridge.errors import error
from nodes.dialects.dialect import DUCKDB
from nodes.engines.ending import Ending
from nodes.engines.engine import Cell, EngineNotStarted, Parameter
from nodes.engines.file_key import FileKey, is_encrypted
from nodes.engines.process import WorkerLate, WorkerLost, WorkerProcess, encode

_START_SECONDS = 20.0
SPARE_SECONDS: Final = 30.0
"""How long a worker that is not needed waits for the next crowd; a start costs a hundred runs."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may use in its worker.

    `memory_bytes` is address space on top of an idle worker's; DuckDB itself is told three
    quarters of it. Nothing is ever spilled to disk. `threads` are DuckDB's. `cpu_seconds` counts
    over all threads; the kernel may allow one second more.
    """

    memory_bytes: int = 512 << 20
    threads: int = 1
    cpu_seconds: int = 10

    def __post_init__(self) -> None:
        if self.memory_bytes < 64 << 20:
            raise ValueError("Limits.memory_bytes is under 64 MiB; DuckDB needs at least that.")
        if self.threads < 1 or self.cpu_seconds < 1:
            raise ValueError("Limits.threads and Limits.cpu_seconds must be at least 1.")


class DuckDBEngine:
    """An `Engine` over DuckDB files, each holding one table named `data`.

    `program` is the worker's module, and `further` goes into its set-up frame. `tables` maps the
    name used after FROM to the file; files are opened read-only. The first worker starts at once,
    further ones (up to `workers`) when questions wait; those over `kept` end once they had nothing
    to do for `spare_seconds`. A worker in which a run failed is replaced. With a `key` every file
    is encrypted, without one none is. Raises `EngineNotStarted` if a table cannot be opened.
    """

    def __init__(
        self,
        tables: Mapping[str, Path],
        limits: Limits,
        workers: int = 1,
        *,
        program: str = "nodes.engines.worker",
        further: Mapping[str, Any] = MappingProxyType({}),
        kept: int | None = None,
        spare_seconds: float = SPARE_SECONDS,
        key: FileKey | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError("An engine needs at least one worker.")
        self._kept = workers if kept is None else kept
        self._spare_seconds = spare_seconds
        if elsewhere := [name for name, path in tables.items() if path.suffix != ".duckdb"]:
            raise EngineNotStarted(
                f"{elsewhere[0]} was loaded for another engine; load it again for this one."
            )
        for name, path in tables.items():
            _require_as_told(name, path, key)
        self.dialect = DUCKDB
        self._tables = {name: str(path.resolve()) for name, path in tables.items()}
        self._keys = {name: key.of(path) for name, path in tables.items()} if key else {}
        self._limits = limits
        self._workers = workers
        self._program = program
        self._further = further
        self._changed = threading.Condition()
        # All below is guarded by _changed.
        # By when they had nothing more to do; the last one is the next to be asked.
        self._idle: dict[WorkerProcess, float] = {}
        self._busy: set[WorkerProcess] = set()
        self._starting = 0
        self._wanted = 0  # by threads that wait for a worker
        self._failed_starts = 0
        self._why = ""
        self._closed = False
        # "start", a killed worker to reap, or None to end.
        self._chores: queue.SimpleQueue[str | WorkerProcess | None] = queue.SimpleQueue()
        # All workers are started by this one thread, because a worker asks to be killed when its
        # parent dies, and prctl(2) means the thread that started it.
        self._starter = threading.Thread(target=self._do_chores, name="duckdb-workers", daemon=True)
        self._starter.start()
        with self._changed:
            self._start()
            while self._starting:
                self._changed.wait()
            why = "" if self._idle else self._why
        if why:
            self.close()
            raise EngineNotStarted(why)

    def run(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[tuple[Cell, ...]]:
        """See `Engine.run`. Tables are named as in `tables`: `FROM flights`."""
        frame = {"sql": sql, "parameters": list(parameters), "maximum_rows": maximum_rows}
        return self.ask(frame, lambda reply: _rows(reply, maximum_rows), timeout=timeout)

    def columns(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[bytes]:
        """See `Engine.columns`."""
        asked = {"sql": sql, "parameters": list(parameters), "maximum_rows": maximum_rows}
        frame = encode({**asked, "columns": True})
        return self._asked(
            lambda worker, deadline: worker.ask_columns(frame, deadline, maximum_rows), timeout
        )

    def ask(
        self,
        frame: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Answer | None],
        *,
        timeout: float,
    ) -> Answer:
        """What `read` makes of a worker's reply to that frame; None is a failure of the worker.

        Raises DEADLINE and RUN_FAILED as `run` does.
        """
        encoded = encode(frame)
        return self._asked(lambda worker, deadline: read(worker.ask(encoded, deadline)), timeout)

    def _asked(
        self, ask: Callable[[WorkerProcess, float], Answer | None], timeout: float
    ) -> Answer:
        """What one worker replies; a worker that gives None, is lost or late is replaced."""
        deadline = time.monotonic() + timeout
        worker = self._take(deadline)
        if given_up():
            self._give_back(worker)  # nobody waits for it; the next one does
            raise error("DEADLINE")
        found: Answer | None = None
        reason = "RUN_FAILED"
        ending = Ending(worker.kill)
        try:
            with while_wanted(ending.soon):
                found = ask(worker, deadline)
        except WorkerLate:
            reason = "DEADLINE"
        except WorkerLost:
            pass
        finally:
            ending.over()
            # Also for exceptions that nobody foresaw: no worker is ever left as busy.
            if found is None:
                self._retire(worker)
            else:
                self._give_back(worker)
        if found is None:
            # Raised here, outside the handlers, so that it has neither cause nor context.
            raise error(reason)
        return found

    def close(self) -> None:
        """See `Engine.close`. Returns when every worker is gone or about to be."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            for worker in self._busy:
                worker.kill()  # the thread that waits for it reaps it
            for worker in self._idle:
                worker.kill()
                self._chores.put(worker)
            self._idle.clear()
            self._chores.put(None)
            self._changed.notify_all()
        self._starter.join()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers that are up, for an operator's metrics."""
        with self._changed:
            return tuple(worker.pid for worker in (*self._idle, *self._busy))

    def _take(self, deadline: float) -> WorkerProcess:
        with self._changed:
            self._wanted += 1
            try:
                return self._taken(deadline)
            finally:
                self._wanted -= 1

    def _taken(self, deadline: float) -> WorkerProcess:
        """The lock is held, but while it waits."""
        failed_starts = self._failed_starts
        while True:
            if self._closed:
                raise error("SHUTTING_DOWN")
            while self._idle:
                worker, _ = self._idle.popitem()
                self._busy.add(worker)
                if worker.alive:
                    return worker
                self._discard(worker)  # killed from outside while nobody used it
            if self._failed_starts != failed_starts:
                raise error("RUN_FAILED")
            # One for each who waits: a start takes a hundred times as long as most questions,
            # and whoever comes meanwhile is served by those that are up.
            if self._starting < self._wanted and len(self._busy) + self._starting < self._workers:
                self._start()
            left = deadline - time.monotonic()
            if left <= 0:
                raise error("DEADLINE")
            self._changed.wait(left)

    def _give_back(self, worker: WorkerProcess) -> None:
        with self._changed:
            self._busy.discard(worker)
            if not self._closed:
                self._idle[worker] = time.monotonic()
                self._changed.notify()
                return
            worker.kill()
        worker.reap()

    def _end_spares(self) -> None:
        """Ends the workers over `kept` that nobody asked for `spare_seconds`."""
        spares = []
        with self._changed:
            longest = time.monotonic() - self._spare_seconds
            over = len(self._busy) + len(self._idle) + self._starting - self._kept
            for worker, since in list(self._idle.items())[: max(0, over)]:
                if since <= longest:
                    del self._idle[worker]
                    spares.append(worker)
        for worker in spares:
            worker.kill()
            worker.reap()

    def _retire(self, worker: WorkerProcess) -> None:
        with self._changed:
            self._discard(worker)
            closed = self._closed
        if closed:
            worker.reap()

    def _discard(self, worker: WorkerProcess) -> None:
        """Kills the worker and orders its replacement, if one is missing; the lock is held."""
        worker.kill()
        self._busy.discard(worker)
        if not self._closed:
            if len(self._busy) + len(self._idle) + self._starting < self._kept:
                self._start()
            self._chores.put(worker)
        self._changed.notify_all()

    def _start(self) -> None:
        """Orders one worker; the lock is held."""
        self._starting += 1
        self._chores.put("start")

    def _do_chores(self) -> None:
        wait = self._spare_seconds if self._kept < self._workers else None
        while True:
            try:
                chore = self._chores.get(timeout=wait)
            except queue.Empty:
                self._end_spares()
                continue
            if chore is None:
                return
            if isinstance(chore, WorkerProcess):
                chore.reap()
                continue
            worker, why = self._started()
            with self._changed:
                self._starting -= 1
                if worker is None:
                    self._failed_starts += 1
                    self._why = why
                elif self._closed:
                    worker.kill()
                else:
                    self._idle[worker] = time.monotonic()
                    worker = None
                self._changed.notify_all()
            if worker is not None:
                worker.reap()

    def _started(self) -> tuple[WorkerProcess | None, str]:
        """A worker that is ready, or None and one sentence that says why."""
        why = "The engine's worker did not start; the department's host may be out of memory."
        try:
            worker = WorkerProcess(self._program)
        except OSError:
            return None, why
        setup = {
            "tables": self._tables,
            "memory_bytes": self._limits.memory_bytes,
            "threads": self._limits.threads,
            "cpu_seconds": self._limits.cpu_seconds,
            "parent": os.getpid(),
            "keys": self._keys,
            **self._further,
        }
        try:
            reply = worker.ask(encode(setup), time.monotonic() + _START_SECONDS)
        except (WorkerLost, WorkerLate):
            reply = {}
        if reply.get("ready") is True:
            return worker, ""
        if isinstance(table := reply.get("unopened"), str):
            why = f"The engine cannot open the file of table {table!r}; load its data again."
            if self._keys:
                why = (
                    f"The engine cannot open the file of table {table!r} with engine.key: it was "
                    "encrypted with another, or is damaged; put that key back or load its data "
                    "again."
                )
        if isinstance(name := reply.get("broken"), str):
            why = _broken(name)
        worker.kill()
        worker.reap()
        return None, why


def _require_as_told(name: str, path: Path, key: FileKey | None) -> None:
    """Raises EngineNotStarted for a file that is encrypted, or is not, where the other is meant."""
    try:
        encrypted = is_encrypted(path)
    except OSError:
        return  # the worker says of it what it says of a damaged one
    if encrypted and key is None:
        raise EngineNotStarted(
            f"The file of table {name!r} is encrypted, and engine.key is not set; set it, or load "
            "its data again."
        )
    if key is not None and not encrypted:
        raise EngineNotStarted(
            f"The file of table {name!r} is not encrypted, and engine.key is set; load its data "
            "again."
        )


def _broken(name: str) -> str:
    if name == "sandbox":
        return (
            "This machine cannot shut a process in (seccomp), so Python handlers are not served: "
            "write them in SQL, or run the node on a Linux that can."
        )
    return f"Handler {name}: its file does not run, or wants something that a worker has not."


def _rows(reply: Mapping[str, Any], maximum_rows: int) -> list[tuple[Cell, ...]] | None:
    """The rows of a reply, or None if it is a failure or no well-formed reply."""
    rows = reply.get("rows")
    if not isinstance(rows, list) or len(rows) > maximum_rows:
        return None
    for row in rows:
        if not isinstance(row, list):
            return None
        for cell in row:
            if cell is not None and not isinstance(cell, (int, float, str)):
                return None
    return [tuple(row) for row in rows]

"""Jobs of the long run, shared among processes that end with the one that started them.

A worker is this program again: it reads names of jobs, one a line, and writes what came of each
as one line of JSON. When its standard input ends, in the middle of a job too, it is interrupted, so
that the job puts away what it has: real processes, folders. Only the first process keeps results.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.audit.outcome import Outcome

Run = Callable[[Path], Outcome | Iterator[Outcome]]

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - every run has a folder of its own there
"""Where folders of jobs lie for which no disk matters, if there is room."""
ROOM: Final = 4 << 30
"""Bytes free there."""
PATIENCE: Final = 60.0
"""Seconds for a worker to put away its processes before it is killed."""


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the table, or a piece of one.

    `share` is how much of the full number of runs it makes, from which the time of a full run is
    estimated. `alone`: it keeps several processes busy itself, and disks and time matter to it.
    """

    name: str
    run: Run
    share: float = 1.0
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job; `failed` is the job's own fault: it is shown, and not kept."""

    job: Job
    outcomes: Sequence[Outcome]
    seconds: float
    failed: bool = False


def work(job: Job) -> Done:
    """Does it in a folder of its own, here."""
    began = time.monotonic()
    failed = False
    with tempfile.TemporaryDirectory(prefix="torture", dir=_place(job)) as place:
        try:
            came = job.run(Path(place) / "job")
            found = [came] if isinstance(came, Outcome) else list(came)
        except Exception as failure:  # noqa: BLE001 - the other rows are worth having
            traceback.print_exc()
            said = f"ended as {type(failure).__name__}: {str(failure)[:120]}"
            found, failed = [Outcome(job.name, 0, 0, "-", said, through=True)], True
    return Done(job, found, round(time.monotonic() - began, 1), failed)


def _place(job: Job) -> Path | None:
    """The folder for its folder; None is the system's own choice."""
    if job.alone or not MEMORY.is_dir():
        return None
    room = os.statvfs(MEMORY)
    return MEMORY if room.f_bavail * room.f_frsize > ROOM else None


def share(jobs: Sequence[Job], workers: int, command: Sequence[str]) -> Iterator[Done]:
    """What came of the jobs as they end; those that want to be alone come last, one by one.

    With one worker all is done in this process. `command` starts another one that calls `serve`
    with the same jobs.
    """
    together = [job for job in jobs if not job.alone]
    alone = [job for job in jobs if job.alone]
    if workers <= 1:
        yield from map(work, (*together, *alone))
        return
    with _Crew(command, workers) as crew:
        yield from crew.do(together, workers)
        yield from crew.do(alone, 1)


class _Crew:
    """Workers, each with one job at a time."""

    def __init__(self, command: Sequence[str], workers: int) -> None:
        # A session of its own: what is typed at the terminal interrupts the first process alone.
        self._workers = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                start_new_session=True,
            )
            for _ in range(workers)
        ]  # fmt: skip

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            assert worker.stdin is not None
            with contextlib.suppress(OSError):
                worker.stdin.close()
        for worker in self._workers:
            try:
                worker.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()

    def do(self, jobs: Sequence[Job], workers: int) -> Iterator[Done]:
        """Each job by whoever is free."""
        left, busy = deque(jobs), dict[subprocess.Popen[str], Job]()
        with selectors.DefaultSelector() as ready:
            for worker in self._workers[:workers]:
                assert worker.stdout is not None
                ready.register(worker.stdout, selectors.EVENT_READ, worker)
                _give(worker, left, busy)
            while busy:
                for key, _ in ready.select():
                    worker = key.data
                    assert worker.stdout is not None
                    line = worker.stdout.readline()
                    job = busy.pop(worker)
                    if not line:
                        raise SystemExit(f"a worker ended in the middle of: {job.name}")
                    said = json.loads(line)
                    _give(worker, left, busy)
                    found = [Outcome(**each) for each in said["outcomes"]]
                    yield Done(job, found, said["seconds"], said["failed"])


def _give(
    worker: subprocess.Popen[str], left: deque[Job], busy: dict[subprocess.Popen[str], Job]
) -> None:
    if left:
        busy[worker] = left.popleft()
        assert worker.stdin is not None
        worker.stdin.write(f"{busy[worker].name}\n")
        worker.stdin.flush()


def serve(jobs: Mapping[str, Job]) -> None:
    """A worker's life; returns when nothing more comes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a job prints is no answer
    asked: deque[str | None] = deque()
    came = threading.Semaphore(0)
    busy = threading.Lock()

    def listen() -> None:
        for line in sys.stdin:
            asked.append(line.rstrip("\n"))
            came.release()
        asked.append(None)
        came.release()
        if busy.locked():
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=listen, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            came.acquire()
            name = asked.popleft()
            if name is None:
                return
            with busy:
                done = work(jobs[name])
            said: dict[str, Any] = {
                "outcomes": [asdict(each) for each in done.outcomes],
                "seconds": done.seconds, "failed": done.failed,
            }  # fmt: skip
            answers.write(json.dumps(said) + "\n")
            answers.flush()

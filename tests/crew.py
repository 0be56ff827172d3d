"""Jobs of the long run, shared among processes that end with the one that started them.

A worker is this program again: it reads names of jobs, one a line, and writes what came of each
as one line of JSON. When its standard input ends, in the middle of a job too, it is interrupted, so
that the job puts away what it has: real processes, folders. Only the first process keeps results.

Jobs that compute run beside jobs whose processes mostly wait, for one another, for a disk, for a
time: what those leave of the processors the former take, and no more, since they are nice (nice(2))
and others' times are not. The longest go first.
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
NICE: Final = 10
"""Of jobs that compute: a tenth of the share of others that want the same processor."""
PATIENCE: Final = 60.0
"""Seconds for a worker to put away its processes before it is killed."""


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the table, or a piece of one.

    `share` is how much of the full number of runs it makes, from which the time of a full run is
    estimated; `long` how many seconds it takes in full, where that is much. `timely`: it starts
    processes that wait most of the time, and must be on time. `alone`: it does so with many, on a
    disk, and no more than so many such jobs run meanwhile, itself among them; 0: as many as may be.
    """

    name: str
    run: Run
    share: float = 1.0
    alone: int = 0
    timely: bool = False
    long: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job; `failed` is the job's own fault: it is shown, and not kept.

    `processor`: seconds of one that it used, its processes included that were waited for.
    """

    job: Job
    outcomes: Sequence[Outcome]
    seconds: float
    processor: float
    failed: bool = False


def work(job: Job) -> Done:
    """Does it in a folder of its own, here."""
    began, used = time.monotonic(), _processor()
    failed = False
    with tempfile.TemporaryDirectory(prefix="torture", dir=_place(job)) as place:
        try:
            came = job.run(Path(place) / "job")
            found = [came] if isinstance(came, Outcome) else list(came)
            json.dumps([asdict(each) for each in found])  # what cannot be told is this job's fault
        except Exception as failure:  # noqa: BLE001 - the other rows are worth having
            traceback.print_exc()
            said = f"ended as {type(failure).__name__}: {str(failure)[:120]}"
            found, failed = [Outcome(job.name, 0, 0, "-", said, through=True)], True
    seconds, processor = time.monotonic() - began, _processor() - used
    return Done(job, found, round(seconds, 1), round(processor, 1), failed)


def _processor() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _place(job: Job) -> Path | None:
    """The folder for its folder; None is the system's own choice."""
    if job.alone or not MEMORY.is_dir():
        return None
    room = os.statvfs(MEMORY)
    return MEMORY if room.f_bavail * room.f_frsize > ROOM else None


def share(jobs: Sequence[Job], workers: int, command: Sequence[str]) -> Iterator[Done]:
    """What came of the jobs as they end.

    With one worker, or one job, all is done in this process, one after the other. Else so many
    compute, and two more than that do timely jobs, those first that want to be alone. `command`
    starts another process that calls `serve` with the same jobs.
    """
    jobs = sorted(jobs, key=lambda job: -job.long * job.share)
    computing = deque(job for job in jobs if not job.alone and not job.timely)
    timely = deque(job for job in jobs if job.timely and not job.alone)
    alone = deque(job for job in jobs if job.alone)
    if min(workers, len(jobs)) <= 1:
        yield from map(work, (*computing, *timely, *alone))
        return
    lanes = (
        _Lane(min(workers, len(computing)), nice=True, alone=deque(), others=computing),
        _Lane(min(workers + 2, len(timely) + len(alone)), nice=False, alone=alone, others=timely),
    )
    with _Crew(command, lanes) as crew:
        yield from crew.do()


@dataclass(frozen=True, slots=True)
class _Lane:
    """Jobs that so many workers share; those that want to be alone come first."""

    workers: int
    nice: bool
    alone: deque[Job]
    others: deque[Job]

    def next(self, busy: Sequence[Job]) -> Job | None:
        """What a free worker does now, while the lane does these."""
        left = self.alone or self.others
        if not left:
            return None
        most = [job.alone for job in (left[0], *busy)]
        if any(most) and (not all(most) or len(busy) >= min(most)):
            return None
        return left.popleft()


class _Worker:
    """A process with one job at a time."""

    def __init__(self, command: Sequence[str], lane: _Lane) -> None:
        self.lane = lane
        self.job: Job | None = None
        # A session of its own: what is typed at the terminal interrupts the first process alone.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        if lane.nice:
            os.setpriority(os.PRIO_PROCESS, self.process.pid, NICE)

    def give(self, job: Job) -> None:
        """Begins it."""
        self.job = job
        assert self.process.stdin is not None
        self.process.stdin.write(f"{job.name}\n")
        self.process.stdin.flush()

    def done(self) -> Done:
        """What came of its job; waits for it. Raises SystemExit when the worker has ended."""
        assert self.process.stdout is not None
        assert self.job is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended in the middle of: {self.job.name}")
        said = json.loads(line)
        found = [Outcome(**each) for each in said["outcomes"]]
        job, self.job = self.job, None
        return Done(job, found, said["seconds"], said["processor"], said["failed"])


class _Crew:
    """All workers of all lanes."""

    def __init__(self, command: Sequence[str], lanes: Sequence[_Lane]) -> None:
        self._workers = [_Worker(command, lane) for lane in lanes for _ in range(lane.workers)]

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        processes = [worker.process for worker in self._workers]
        for process in processes:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
        for process in processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def do(self) -> Iterator[Done]:
        """Every job by whoever of its lane is free."""
        with selectors.DefaultSelector() as ready:
            for worker in self._workers:
                assert worker.process.stdout is not None
                ready.register(worker.process.stdout, selectors.EVENT_READ, worker)
            self._give()
            while any(worker.job for worker in self._workers):
                for key, _ in ready.select():
                    done = key.data.done()
                    self._give()
                    yield done

    def _give(self) -> None:
        """To everybody who is free, if there is something."""
        for worker in self._workers:
            if worker.job is None:
                same = (each.job for each in self._workers if each.lane is worker.lane)
                if job := worker.lane.next([each for each in same if each]):
                    worker.give(job)


def serve(jobs: Mapping[str, Job]) -> None:
    """A worker's life; returns when nothing more comes."""
    # Ignored where a shell started the run in the background; this ends by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
                "seconds": done.seconds, "processor": done.processor, "failed": done.failed,
            }  # fmt: skip
            answers.write(json.dumps(said) + "\n")
            answers.flush()

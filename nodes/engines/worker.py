"""A worker: the program of the process in which DuckDB runs, and dies when it must.

It speaks frames on its standard input and output: four bytes of length (big-endian), then JSON.
The first frame in is the set-up; the first frame out is `{"ready": true}` or `{"unopened": name}`.
Then one question a frame, `{"sql", "parameters", "maximum_rows"}`, and one reply, `{"rows"}` or
`{"failed": true}`. A question with `"columns": true` is answered by `{"columns": rows, "numbers":
columns}`, and behind it stand the columns' bytes as they are: 16 a row of the key, then 8 a row of
each of the numbers. After a failure the process ends: whoever saw a run fail answers nobody else.

Imports are few on purpose: what is imported here is paid for by every idle worker.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal

from nodes.engines import database

TYPE_CHECKING = False  # importing typing for it would cost every worker
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    # A reply, and the bytes that stand behind it.
    Reply = tuple[dict[str, Any], Sequence[bytes]]
    Answer = Callable[[dict[str, Any]], Reply]

_PR_SET_PDEATHSIG = 1  # prctl(2)


class ParentGone(Exception):
    """The process that started this one has ended."""


class Unprepared(Exception):
    """What the worker is to serve cannot be used; holds its name and nothing else."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def main() -> None:
    """Serves questions until the parent closes the pipe."""
    serve(_nothing, _sql)


def serve(
    prepare: Callable[[dict[str, Any]], None],
    seal: Callable[[database.Connection, dict[str, Any]], Answer],
) -> None:
    """The life of a worker: set up, be ready, answer until the parent closes the pipe.

    `prepare` loads what needs files; `seal` comes last before the first question and gives what
    answers; it raises Unprepared. Whatever answering raises is a failure, after which it ends.
    """
    # Nothing but frames may reach the parent: whatever prints to descriptor 1 prints to nowhere.
    replies = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        setup = receive(0)
        die_with(setup["parent"])
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        prepare(setup)
        try:
            connection = database.open_sealed(
                setup["tables"],
                memory_bytes=setup["memory_bytes"] * 3 // 4,
                threads=setup["threads"],
                keys=setup.pop("keys", {}),
            )
        except database.Unopened as unopened:
            send(replies, {"unopened": unopened.table})
            return
        # The first statement pages in the parser, the planner and the executor.
        database.select(connection, "SELECT count(*) FROM range(3)", [], maximum_rows=1)
        _limit_memory(setup["memory_bytes"])
        try:
            answer = seal(connection, setup)
        except Unprepared as unprepared:
            send(replies, {"broken": unprepared.name})
            return
        send(replies, {"ready": True})
        while True:
            question = receive(0)
            _arm_cpu(setup["cpu_seconds"])
            try:
                reply, columns = answer(question)
            except Exception:  # noqa: BLE001 - every failure looks the same; messages quote data
                reply, columns = {"failed": True}, ()
            send(replies, reply)
            for column in columns:
                _write(replies, column)
            if "failed" in reply:
                return
    except (ParentGone, BrokenPipeError):
        return


def _nothing(setup: dict[str, Any]) -> None:
    """SQL needs no more than what is imported already."""
    del setup


def _sql(connection: database.Connection, setup: dict[str, Any]) -> Answer:
    del setup  # it has what every worker needs, and no more
    parsed = database.Parsed(connection)

    def answer(question: dict[str, Any]) -> Reply:
        if question.get("columns"):
            return _columns(connection, question)
        rows = database.select(
            connection,
            question["sql"],
            question["parameters"],
            maximum_rows=question["maximum_rows"],
            parsed=parsed,
        )
        if rows is None:
            return {"failed": True}, ()
        return {"rows": [[_cell(value) for value in row] for row in rows]}, ()

    return answer


def _columns(connection: database.Connection, question: dict[str, Any]) -> Reply:
    found = database.select_columns(
        connection,
        question["sql"],
        question["parameters"],
        maximum_rows=question["maximum_rows"],
    )
    if found is None:
        return {"failed": True}, ()
    return {"columns": found[0], "numbers": len(found[1]) - 1}, found[1]


def _cell(value: object) -> int | float | str | bool | None:
    if value is None or isinstance(value, (int, float, str)):
        return value
    if type(value).__module__ == "datetime" and type(value).__name__ in ("date", "datetime"):
        return str(value.isoformat())  # type: ignore[attr-defined]
    raise TypeError


def die_with(parent: int) -> None:
    """Asks the kernel to kill this process when its parent's starting thread ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it ended before the line above
        raise ParentGone


def _limit_memory(allowance: int) -> None:
    """Caps the address space at what is mapped now plus `allowance` bytes."""
    with open("/proc/self/statm", "rb") as status:  # noqa: PTH123 - pathlib costs a megabyte
        mapped = int(status.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + allowance, mapped + allowance))


def _arm_cpu(allowance: int) -> None:
    """Allows `allowance` more seconds of processor time; SIGXCPU then ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used + allowance, hard))


def receive(descriptor: int) -> dict[str, Any]:
    """The next frame; raises ParentGone."""
    size = int.from_bytes(_read(descriptor, 4), "big")
    frame: dict[str, Any] = json.loads(_read(descriptor, size))
    return frame


def _read(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise ParentGone
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(descriptor: int, frame: dict[str, Any]) -> None:
    """Writes a frame."""
    body = json.dumps(frame, separators=(",", ":")).encode()
    _write(descriptor, len(body).to_bytes(4, "big") + body)


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]

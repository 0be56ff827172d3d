"""Whether anybody still waits for what is being done: who goes away stops it.

gRPC tells a server that a call has ended, and lets its handler go on. What takes long says how it
is stopped (`while_wanted`), and is stopped when its caller cancels, vanishes or runs out of time.
Work on other threads than the call's own is not found, and runs to its deadline. Work that belongs
to a charge or a case is stopped only where it can be done again for the same (`repeatable`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import grpc

Stop = Callable[[], object]
"""Called from a thread of gRPC's, at most once; quick, and never raises."""


class _Wanted:
    """One call, as long as somebody waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: list[Stop] = []
        self.gone = False

    def end(self) -> None:
        # Under the lock, so that nothing is stopped after its `while_wanted` was left.
        with self._lock:
            self.gone = True
            for stop in self._stops:
                stop()

    @contextmanager
    def stopped_by(self, stop: Stop) -> Iterator[None]:
        with self._lock:
            self._stops.append(stop)
            if self.gone:
                stop()
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)


_CURRENT: ContextVar[_Wanted | None] = ContextVar("wanted", default=None)
_REPEATABLE: ContextVar[_Wanted | None] = ContextVar("repeatable", default=None)


@contextmanager
def call(context: grpc.ServicerContext) -> Iterator[None]:
    """What this thread does in the block is for that call."""
    wanted = _Wanted()
    if not context.add_callback(wanted.end):
        wanted.end()  # it has ended before it began
    token = _CURRENT.set(wanted)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def repeatable() -> Iterator[None]:
    """What is done in the block can be done again at no further cost, so it may be stopped."""
    token = _REPEATABLE.set(_CURRENT.get())
    try:
        yield
    finally:
        _REPEATABLE.reset(token)


@contextmanager
def while_wanted(stop: Stop, *, whatever: bool = False) -> Iterator[None]:
    """`stop` is called when nobody waits for the block any more, at once where nobody did.

    Only where the block is `repeatable`, or stopping it harms nothing, `whatever` it is for.
    """
    wanted = (_CURRENT if whatever else _REPEATABLE).get()
    if wanted is None:
        yield
        return
    with wanted.stopped_by(stop):
        yield


def given_up() -> bool:
    """True once nobody waits for what this thread does, and it is `repeatable`."""
    wanted = _REPEATABLE.get()
    return wanted is not None and wanted.gone

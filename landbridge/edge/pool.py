"""Threads that are all there from the start, so that serving a call never needs a new one.

`ThreadPoolExecutor` starts threads as work comes. Where the system gives no more of them that fails
in gRPC's own loop, and the server, which still listens, answers nobody again. With all of them made
at the start a server that cannot have them does not start, and says so.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError


class NoThreads(Exception):
    """The system does not give so many threads; one sentence for the operator."""


def whole_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool of so many threads that wait for work; raises NoThreads."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    there = Barrier(threads + 1)

    def meet() -> None:
        with suppress(BrokenBarrierError):
            there.wait()

    try:
        for _ in range(threads):
            pool.submit(meet)  # nobody is idle before all are there, so each begins a thread
    except RuntimeError:
        there.abort()
        pool.shutdown(wait=False)
        raise NoThreads(
            f"The system does not give this process the {threads} threads that it serves with; "
            "raise its limit of tasks (RLIMIT_NPROC, TasksMax=), or lower limits.calls."
        ) from None
    there.wait()
    return pool


def starved(failure: BaseException) -> bool:
    """Whether it was raised for want of a thread: CPython has no type for that."""
    return isinstance(failure, RuntimeError) and failure.args == ("can't start new thread",)

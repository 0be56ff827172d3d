"""All threads from the start: serving a call needs no new one."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from landbridge.edge.pool import NoThreads, starved, whole_pool
from landbridge.edge.server import CannotListen, Tls, serve
from tests.membership.town import fail


def test_every_thread_is_there_before_any_work() -> None:
    """And none comes with it."""
    before = threading.active_count()
    pool = whole_pool(5, "test")
    assert threading.active_count() == before + 5
    assert list(pool.map(lambda number: number * 2, range(20))) == [2 * each for each in range(20)]
    assert threading.active_count() == before + 5
    pool.shutdown()


def test_a_server_that_cannot_have_its_threads_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F26: one sentence, and what it had begun is given back."""
    begun = 0
    start = threading.Thread.start

    def few(thread: threading.Thread) -> None:
        nonlocal begun
        begun += 1
        if begun > 3:
            raise RuntimeError("can't start new thread")
        start(thread)

    before = threading.active_count()
    monkeypatch.setattr(threading.Thread, "start", few)
    with pytest.raises(NoThreads, match=r"limits\.calls"):
        whole_pool(8, "test")
    begun = 0
    with pytest.raises(CannotListen, match="8 threads"):
        serve([], address="127.0.0.1:0", tls=Tls(b"", b""), report=fail, threads=8)
    monkeypatch.undo()
    for thread in threading.enumerate():
        if thread.name.startswith(("test", "call")):
            thread.join(10)
    assert threading.active_count() == before


def test_what_is_raised_for_want_of_a_thread_is_known_by_what_python_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CPython has one sentence for it and no type; this says so when a later one has another."""

    def none(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    assert starved(RuntimeError("can't start new thread"))
    assert not starved(RuntimeError("something else"))
    assert not starved(ValueError("can't start new thread"))
    name = "_start_joinable_thread" if hasattr(threading, "_start_joinable_thread") else None
    monkeypatch.setattr(threading, name or "_start_new_thread", none)
    with pytest.raises(RuntimeError) as raised:
        threading.Thread(target=int).start()
    assert starved(raised.value)

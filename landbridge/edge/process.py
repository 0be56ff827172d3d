"""A server as a process: says when it listens, stops on request, fails in one sentence."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from landbridge.edge.words import place

STOPPED_BY_OPERATOR = 2
"""Exit status of a process that cannot start: settings, files, port."""


COLLECT_EVERY = 20_000
"""Objects more than before, until the collector of cycles looks at the young ones."""


class Server(Protocol):
    """What is run: a gateway or a node."""

    log_key: str
    witness_key: str

    @property
    def metrics_port(self) -> int:
        """Where metrics are served; 0 for nowhere."""
        ...

    @property
    def port(self) -> int:
        """The port that it listens on."""
        ...

    def hurry(self) -> None:
        """Looks at its files at once; never waits."""
        ...

    def stop(self, grace: float | None = ...) -> None:
        """Ends it in order; without `grace` as its settings say."""
        ...


def run(
    start: Callable[[], Server], operator_errors: tuple[type[Exception], ...], *, with_parent: bool
) -> int:
    """Starts the server, prints one JSON line with its port and public keys, and waits.

    On SIGHUP it looks at its files. It ends in order on SIGTERM and SIGINT, and with `with_parent`
    when standard input closes, so that it does not outlive whoever started it. What an operator can
    mend is one sentence on standard error and exit status 2.
    """
    # A core file would hold data.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    # What was changed before the start was over is read by the start or seen soon after it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        server = start()
    except operator_errors as failure:
        tell(str(failure))
        return STOPPED_BY_OPERATOR
    _settle()
    ready = {
        "port": server.port,
        "log_key": server.log_key,
        "witness_key": server.witness_key,
        **getattr(server, "more_ports", {}),
        **({"metrics_port": server.metrics_port} if server.metrics_port else {}),
    }
    signal.signal(signal.SIGHUP, lambda *_: server.hurry())
    print(json.dumps(ready), flush=True)
    if with_parent:
        threading.Thread(target=_await_parent, args=(stopping,), daemon=True).start()
    stopping.wait()
    server.stop()
    return 0


def _settle() -> None:
    """Spares the collector of cycles what a server holds for its life, and most of its looks.

    Calls leave few cycles behind; a look at every seven hundred new objects is a part of each call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 20, 20)


def tell(sentence: str) -> None:
    """A sentence for the operator, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def report(defect: BaseException) -> None:
    """Where a defect happened: types and places only, since a message could quote the data."""
    tell(f"defect: {type(defect).__name__} at {place(defect)}")


def _await_parent(stopping: threading.Event) -> None:
    # Not through sys.stdin: Python aborts when it ends while a thread holds that one's lock.
    while os.read(0, 1024):
        pass
    stopping.set()

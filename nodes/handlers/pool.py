"""The Python handlers of the policy in force, whatever replaces it while the node serves.

A changed policy's functions are started before the policy counts, so that one that does not run
keeps its policy out; calls under way at the earlier ones finish.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from landbridge.edge.seats import NOBODY, Who
from landbridge.errors import error
from nodes.engines.duckdb import Limits
from nodes.engines.engine import EngineNotStarted
from nodes.engines.file_key import FileKey
from nodes.handlers.functions import Functions
from nodes.store import Loaded, Store
from nodes.tables import Tables
from policies.handler import Handler, HandlerInvalid

Written = Mapping[str, Handler]


class FunctionPool:
    """Workers of functions; no process where no handler is one."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        who: Callable[[], Who] = lambda: NOBODY,
        key: FileKey | None = None,
    ) -> None:
        self._store = store
        self._limits = limits
        self._who = who
        self._key = key
        self._lock = threading.Lock()
        self._served: tuple[Written, Tables[Functions] | None] = ({}, None)
        self._prepared: tuple[Written, Tables[Functions] | None] = ({}, None)

    def prepare(self, contracts: tuple[str, ...], handlers: Mapping[str, Handler]) -> None:
        """Starts the functions among these; raises HandlerInvalid where one does not run."""
        written = {name: each for name, each in handlers.items() if each.source}
        with self._lock:
            kept = [each for each in (self._served, self._prepared) if each[0] == written]
            if kept:
                tables = kept[0][1]
                if tables is not None:
                    tables.serve(contracts)
                self._prepared = kept[0]
                return

        def start(files: Mapping[str, Path]) -> Functions:
            return Functions(files, self._limits, written, self._who, self._key)

        try:
            opened = Tables(self._store, contracts, start) if written else None
        except EngineNotStarted as stopped:
            raise HandlerInvalid("handlers", [str(stopped)]) from None
        with self._lock:
            earlier, self._prepared = self._prepared, (written, opened)
            if earlier[1] is not None and earlier[1] is not self._served[1]:
                earlier[1].retire()

    def serve(self) -> None:
        """What was prepared last counts from now on."""
        with self._lock:
            earlier, self._served = self._served, self._prepared
            if earlier[1] is not None and earlier[1] is not self._served[1]:
                earlier[1].retire()

    @contextmanager
    def open(self, handler: Handler) -> Iterator[tuple[Functions, Mapping[str, Loaded]]]:
        """The workers that have this very handler; RUN_FAILED where it was replaced meanwhile."""
        with self._lock:
            written, tables = self._served
        if tables is None or written.get(handler.name) != handler:
            raise error("RUN_FAILED")
        with tables.open() as opened:
            yield opened

    def close(self) -> None:
        """Ends every worker."""
        with self._lock:
            for _, tables in (self._served, self._prepared):
                if tables is not None:
                    tables.close()

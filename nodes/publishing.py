"""When records that came in become visible to questions: as a new version of the whole table.

Every version is loaded like a file: contributions are ranked anew, cells' keys are the rows' own,
and the version is another. What was remembered of earlier versions is never looked at again; the
budget goes on. docs/submit.md says what each method lets an observer see of two versions.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from landbridge.errors import LandbridgeError
from nodes.engines.process import WorkerLate, WorkerLost, WorkerProcess, encode
from nodes.intake import Intakes
from nodes.store import Store, StoreDamaged
from policies.collection import Turn, ends, turn
from policies.contract import Contract

SECONDS: Final = 600.0
"""For one table."""
LOOK: Final = 1.0
"""Seconds between two looks."""

Collecting = Callable[[], Mapping[str, tuple[Contract, bytes]]]
"""The contracts that collect now, with their documents."""


class Publishing:
    """Renews tables, on a thread of its own. `clock` gives seconds since 1970.

    `over` is told at every look of a contract that takes nothing any more and is counted.
    """

    def __init__(
        self,
        folder: Path,
        data: Path,
        intakes: Intakes,
        collecting: Collecting,
        clock: Callable[[], float],
        tell: Callable[[str], None],
        report: Callable[[BaseException], None],
        over: Callable[[Contract], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._store = Store(data)
        self._setup = {"store": str(data.resolve()), "parent": os.getpid()}
        self._intakes = intakes
        self._collecting = collecting
        self._clock = clock
        self._tell = tell
        self._report = report
        self._over = over
        self._process: WorkerProcess | None = None
        self._shown: dict[str, float] = {}
        self._failing: set[str] = set()
        self._stopping = threading.Event()
        # The process asks to be killed when the thread that started it ends.
        self._thread = threading.Thread(target=self._run, name="publishing", daemon=True)

    def start(self) -> None:
        """Looks from now on."""
        self._thread.start()

    def close(self) -> None:
        """Returns when it looks no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for contract, document in list(self._collecting().values()):
                try:
                    self.look(contract, document)
                except LandbridgeError:
                    continue  # it cannot be read now; the next look tries again
                except Exception as defect:  # noqa: BLE001 - the next look must come whatever happened
                    self._report(defect)
            self._stopping.wait(LOOK)
        self._end()

    def counted(self, contract: Contract) -> bool:
        """Whether nothing is taken any more, and questions see all that was."""
        end = None if contract.collection is None else ends(contract.collection)
        return end is not None and self._shown.get(contract.id, 0.0) >= end.timestamp()

    def look(self, contract: Contract, document: bytes) -> bool:
        """Renews the contract's table if it is its turn; says whether it did."""
        assert contract.collection is not None
        try:
            there = self._store.current(contract.id) is not None
        except StoreDamaged:
            there = False
        if contract.id not in self._shown:
            found = self._intakes.of(contract).standing()
            self._shown[contract.id] = float(found["shown_at"])
        now = self._clock()
        decided = turn(
            contract.disclosure.method,
            contract.collection,
            datetime.fromtimestamp(self._shown[contract.id], UTC),
            datetime.fromtimestamp(now, UTC),
        )
        if there and decided is Turn.NOTHING:
            if self.counted(contract):
                self._over(contract)
            return False
        if not there and decided is Turn.NOTHING and contract.collection.every:
            # Nothing is shown yet, of a table that is shown once: an empty one, so that it is
            # there to be asked.
            return self._tried(contract, lambda: self._empty(contract, document))
        least = contract.collection.least if there and decided is Turn.RENEW_IF else 0
        return self._tried(contract, lambda: self._renew(contract, document, least, now))

    def _tried(self, contract: Contract, make: Callable[[], bool]) -> bool:
        """What `make` says; a disk that fails is no defect, and the next look tries it."""
        try:
            return make()
        except OSError:
            self._failed(contract)
            return False

    def _renew(self, contract: Contract, document: bytes, least: int, now: float) -> bool:
        intake = self._intakes.of(contract)
        place = self._folder / contract.id / "export.parquet"
        unit = contract.unit or ""
        try:
            written = intake.export(place, unit, least)
            if not written.written:
                intake.shown(written.seq, now)
                self._shown[contract.id] = now
                return False
            source = str(place) if written.changed or not self._has(contract) else ""
            if not self._made(contract, document, source):
                return False
        finally:
            place.unlink(missing_ok=True)
        intake.shown(written.seq, now)
        self._shown[contract.id] = now
        return True

    def _empty(self, contract: Contract, document: bytes) -> bool:
        place = self._folder / contract.id / "empty.csv"
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.write_text(",".join(column.name for column in contract.columns) + "\n", "utf-8")
        try:
            return self._made(contract, document, str(place))
        finally:
            place.unlink(missing_ok=True)

    def _has(self, contract: Contract) -> bool:
        try:
            return self._store.current(contract.id) is not None
        except StoreDamaged:
            return False

    def _made(self, contract: Contract, document: bytes, source: str) -> bool:
        frame = {"contract": contract.id, "document": document.decode(), "source": source}
        if self._ask(frame) is None:
            self._failed(contract)
            return False
        self._failing.discard(contract.id)
        return True

    def _failed(self, contract: Contract) -> None:
        """Says so, once until it is well again; the next look tries it."""
        if contract.id not in self._failing:
            self._failing.add(contract.id)
            self._tell(
                f"what was collected of {contract.id} cannot be made a table; questions see the "
                "earlier one"
            )

    def _ask(self, frame: Mapping[str, Any]) -> dict[str, Any] | None:
        process = self._process
        try:
            if process is None:
                process = WorkerProcess("nodes.engines.publisher")
                self._process = process
                process.ask(encode(self._setup), time.monotonic() + SECONDS)
            reply = process.ask(encode(frame), time.monotonic() + SECONDS)
        except (WorkerLost, WorkerLate, OSError):
            self._end()
            return None
        return None if "failed" in reply else reply

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.reap()

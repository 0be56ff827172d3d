"""The loaded tables and the engine that has them open, always of one data version.

A load that finishes while the node serves is picked up by the next question: a new engine opens
the new files, and the old one closes when the last question on it has ended. So an answer's data
version is always that of the data it was computed from.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from nodes.shape import fits
from nodes.store import Loaded, Store, StoreDamaged
from policies.contract import Contract


class Opened(Protocol):
    """Whatever has files open until it is closed."""

    def close(self) -> None:
        """Lets go of them."""
        ...


Held = TypeVar("Held", bound=Opened)


@dataclass(slots=True)
class _Opened(Generic[Held]):
    engine: Held
    loaded: Mapping[str, Loaded]
    users: int = 0
    replaced: bool = False


class Tables(Generic[Held]):
    """The department's tables, by contract id."""

    def __init__(
        self,
        store: Store,
        contracts: tuple[str, ...],
        open_engine: Callable[[Mapping[str, Path]], Held],
    ) -> None:
        self._store = store
        self._contracts = contracts
        self._open_engine = open_engine
        self._lock = threading.Lock()
        self._opened = self._open(self._current())

    def serve(self, contracts: Iterable[str]) -> None:
        """Opens these contracts' tables too, once they are loaded.

        None is let go of: a question that began under the earlier contracts still reads its own,
        and whether anybody may ask is not decided here.
        """
        with self._lock:
            self._contracts = tuple(dict.fromkeys((*self._contracts, *contracts)))

    def waiting(self, contracts: Collection[Contract]) -> tuple[str, ...]:
        """Those of these contracts whose tables must be loaded before they can be asked."""
        with self._lock:
            found = {contract.id: self._store.current(contract.id) for contract in contracts}
        return tuple(
            contract.id
            for contract in contracts
            if (loaded := found[contract.id]) is None or not fits(loaded, contract)
        )

    def as_of(self, contract_id: str) -> str:
        """The day that the contract's loaded table is of, as its owner said; else empty."""
        with self._lock:
            try:
                loaded = self._store.current(contract_id)
            except StoreDamaged:
                return ""
        return loaded.as_of if loaded is not None else ""

    @contextmanager
    def open(self) -> Iterator[tuple[Held, Mapping[str, Loaded]]]:
        """The engine and what it has open, held until the end of the block."""
        with self._lock:
            current = self._current()
            if current != self._opened.loaded:
                earlier, self._opened = self._opened, self._open(current)
                earlier.replaced = True
                if not earlier.users:
                    earlier.engine.close()
            opened = self._opened
            opened.users += 1
        try:
            yield opened.engine, opened.loaded
        finally:
            with self._lock:
                opened.users -= 1
                if opened.replaced and not opened.users:
                    opened.engine.close()

    def retire(self) -> None:
        """Ends the engine once nobody uses it any more; none may open it from now on."""
        with self._lock:
            self._opened.replaced = True
            if not self._opened.users:
                self._opened.engine.close()

    def close(self) -> None:
        """Ends the engine."""
        with self._lock:
            self._opened.engine.close()

    def _current(self) -> Mapping[str, Loaded]:
        found = {name: self._store.current(name) for name in self._contracts}
        return {name: loaded for name, loaded in found.items() if loaded is not None}

    def _open(self, loaded: Mapping[str, Loaded]) -> _Opened[Held]:
        return _Opened(self._open_engine({name: at.path for name, at in loaded.items()}), loaded)

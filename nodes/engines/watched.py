"""An engine whose statements are seen in traces and metrics: that they ran, how long, not what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from landbridge.edge.telemetry import Telemetry
from nodes.engines.engine import Cell, Engine, Parameter


class WatchedEngine:
    """An engine over these tables, by contract; the statement's text goes nowhere."""

    def __init__(self, engine: Engine, telemetry: Telemetry, tables: Mapping[str, Path]) -> None:
        self._engine = engine
        self.dialect = engine.dialect
        self._telemetry = telemetry
        self._collection = next(iter(tables)) if len(tables) == 1 else ""

    def run(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[tuple[Cell, ...]]:
        """As the engine does."""
        with self._telemetry.database(self.dialect.name, self._collection):
            return self._engine.run(sql, parameters, timeout=timeout, maximum_rows=maximum_rows)

    def columns(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[bytes]:
        """As the engine does."""
        with self._telemetry.database(self.dialect.name, self._collection):
            return self._engine.columns(sql, parameters, timeout=timeout, maximum_rows=maximum_rows)

    def close(self) -> None:
        """Ends the engine."""
        self._engine.close()

"""What a node asks of an engine: run SQL that the node wrote itself, within limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nodes.dialects.dialect import Dialect

Parameter = int | float | str | bool | None
"""A bound value. Dates and timestamps travel as ISO 8601 text, and the SQL casts them."""

Cell = int | float | str | bool | None
"""A value of a result. A DATE comes back as `2013-01-31`, a TIMESTAMP as `2013-01-31T05:00:00`;
any other type of the engine must be cast by the SQL, or the run fails."""


class EngineNotStarted(Exception):
    """An operator's error: the engine could not open what it is to serve. One sentence, no data."""


class Engine(Protocol):
    """Runs statements over one department's tables.

    Safe to share between threads. Each run starts from the same state, whatever ran before.
    `dialect` is how its statements are spelled, the places of parameters included.
    """

    dialect: Dialect

    def run(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[tuple[Cell, ...]]:
        """All rows of the one SELECT in `sql`, its places bound to `parameters` in order.

        `timeout` is in seconds of wall clock and includes waiting for a free worker; a run over it
        is killed and raises DEADLINE. Everything else that goes wrong, more than `maximum_rows`
        rows included, raises RUN_FAILED. Both carry the catalogue's constant sentence, and neither
        has a cause or a context: the engine's own words can quote the data.
        """
        ...

    def columns(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[bytes]:
        """The columns of the one SELECT in `sql`, each as the bytes of its values in a row.

        The first is a BLOB of 16 bytes a row, the others are whole numbers, 8 bytes each, as this
        machine writes them. Limits and errors as `run`; a NULL makes the run fail.
        """
        ...

    def close(self) -> None:
        """Ends the engine and what runs in it; later runs raise SHUTTING_DOWN."""
        ...

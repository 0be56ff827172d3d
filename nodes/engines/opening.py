"""From the choice of an engine to one that is open.

The client of a kind is imported by the nodes that have chosen it, and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import assert_never

from nodes.engines.choice import EngineChoice
from nodes.engines.duckdb import DuckDBEngine, Limits
from nodes.engines.engine import Engine, EngineNotStarted
from nodes.engines.kind import Kind

NOT_INSTALLED = "{0} cannot be asked: install its client, pip install 'landbridge[{1}]'."


def opener(
    choice: EngineChoice,
    limits: Limits,
    workers: tuple[int, int],
    contracts: Callable[[], tuple[str, ...]],
) -> Callable[[Mapping[str, Path]], Engine]:
    """What opens an engine over tables; `contracts` are the ids of all that are served.

    `workers` are those that stay, and how many there may be while more are asked for.

    Raises EngineNotStarted where the kind's client is not installed, EvidenceError for a key that
    cannot be used.
    """
    kept, most = workers
    match choice.kind:
        case Kind.DUCKDB:
            key = choice.file_key  # read once: a file that is changed counts from the next start
            return lambda tables: DuckDBEngine(tables, limits, most, kept=kept, key=key)
        case Kind.POSTGRESQL:
            try:
                from nodes.engines.postgresql.engine import PostgreSQLEngine
            except ImportError:
                raise EngineNotStarted(NOT_INSTALLED.format("PostgreSQL", "postgres")) from None
            return lambda tables: PostgreSQLEngine(
                tables, choice.connection, choice.schema, contracts(), most
            )
        case Kind.SPARK:
            try:
                from nodes.engines.spark.engine import SparkEngine
            except ImportError:
                raise EngineNotStarted(NOT_INSTALLED.format("Spark", "spark")) from None
            return lambda tables: SparkEngine(
                tables, choice.connection, choice.secret, choice.folder, most
            )
        case _:
            assert_never(choice.kind)

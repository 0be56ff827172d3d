"""One load after the other, into the engine that the node's settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

from nodes.engines.choice import EngineChoice
from nodes.engines.engine import EngineNotStarted
from nodes.engines.kind import Kind
from nodes.engines.opening import NOT_INSTALLED
from nodes.load_existing import load_existing
from nodes.load_report import Report
from nodes.store import Store
from policies.contract import Contract

Load = Callable[[Contract, str, str], Report]
"""Loads a file, or for another engine than DuckDB what it calls by that name; the last is the day
that the rows are of, see `landbridge.days`."""


@contextmanager
def loading(choice: EngineChoice, store: Store) -> Iterator[Load]:
    """What loads; raises EngineNotStarted, EvidenceError for a key, the rest as `nodes.load`."""
    match choice.kind:
        case Kind.DUCKDB:
            from nodes.load import load

            key, source_key = choice.file_key, choice.source_secret
            yield lambda contract, source, as_of: load(
                contract, Path(source), store, key=key, source_key=source_key, as_of=as_of
            )
        case Kind.POSTGRESQL:
            try:
                from nodes.engines.postgresql.connection import parts
                from nodes.engines.postgresql.loading import PostgreSQLLoader
            except ImportError:
                raise EngineNotStarted(NOT_INSTALLED.format("PostgreSQL", "postgres")) from None
            reader = (parts(choice.connection) or {}).get("user", "")
            if not choice.loader or not reader:
                raise EngineNotStarted(
                    "A load into PostgreSQL needs engine.loader, the connection of the role that "
                    "owns the schema, and the role that asks (user=...) in engine.connection."
                )
            loader = PostgreSQLLoader(choice.loader, choice.schema, reader)
            try:
                yield lambda contract, source, as_of: load_existing(
                    contract, source, store, choice.kind, loader, as_of
                )
            finally:
                loader.close()
        case Kind.SPARK:
            try:
                from nodes.engines.spark.loading import SparkLoader
            except ImportError:
                raise EngineNotStarted(NOT_INSTALLED.format("Spark", "spark")) from None
            lake = SparkLoader(choice.loader or choice.connection, choice.secret, choice.folder)
            try:
                yield lambda contract, source, as_of: load_existing(
                    contract, source, store, choice.kind, lake, as_of
                )
            finally:
                lake.close()
        case _:
            assert_never(choice.kind)

"""A load within Spark: the cluster reads the lake's Parquet files and writes the node's own.

What is staged stays with the executors, as one checkpoint each; no file of it is left. Old versions
are removed where the folder is one that this process sees too, and left to the lake's owner else.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

from nodes.dialects.dialect import Dialect
from nodes.dialects.spark import SPARK
from nodes.engines.found import Built, Rule, Violation
from nodes.engines.preparing import Unfinished, prepare
from nodes.engines.spark.casts import lossless
from nodes.engines.spark.engine import opened, table_path
from nodes.engines.spark.session import Failed, Session
from policies.contract import Contract, Type, Value


class SparkLoader:
    """A `nodes.load_existing.Loader`. Raises EngineNotStarted."""

    def __init__(self, remote: str, token: str, folder: str) -> None:
        self._folder = folder
        self._session = opened(remote, token)

    def build(self, contract: Contract, source: str, version: str, secret: bytes) -> Built:
        """Checks every row of the Parquet files at `source`; writes the version, or nothing."""
        path = table_path(self._folder, contract.id, version)
        built = Built(0, (), (Violation("", Rule.UNFINISHED, 0),))
        with suppress(Unfinished):
            built = prepare(contract, _Workshop(self._session, source, path), secret)
        return built

    def forget(self, contract_id: str, keep: Collection[str]) -> None:
        """Removes the contract's files of other versions than these."""
        folder = Path(self._folder.removeprefix("file://")) / contract_id
        if folder.is_absolute() and folder.is_dir():
            for version in folder.iterdir():
                if version.name not in keep:
                    shutil.rmtree(version, ignore_errors=True)

    def close(self) -> None:
        """Ends the session."""
        self._session.close()


class _Workshop:
    """Spark while it loads; see `nodes.engines.preparing.Workshop`."""

    def __init__(self, session: Session, source: str, path: str) -> None:
        self.dialect: Dialect = SPARK
        self._session = session
        self._path = source
        self._target = path
        self._kept: list[Any] = []

    @property
    def source(self) -> str:
        return '"landbridge_source"'

    def described(self) -> dict[str, str]:
        with suppress(Failed):
            found = self._session.described(self._path)
            self._session.show("landbridge_source", self._path)
            return found
        return {}

    def keep(self, name: str, select: str) -> None:
        kept = None
        with suppress(Failed):
            kept = self._session.keep(name, select)
        if kept is None:
            raise Unfinished
        self._kept.append(kept)  # the server lets go of it when nobody holds it

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        found = None
        with suppress(Failed):
            found = self._session.rows(sql)
        if found is None:
            raise Unfinished
        return found

    def lossless(self, value: str, source: str, target: Type) -> str:
        return lossless(value, source, target)

    def literal(self, value: Value) -> str:
        match value:
            case bool():
                return "TRUE" if value else "FALSE"
            case int():
                return f"CAST({value} AS BIGINT)"
            case float():
                return f"CAST('{value!r}' AS DOUBLE)"
            case str():
                escaped = value.replace("\\", "\\\\").replace("'", "\\'")
                return f"'{escaped}'"
            case datetime():
                return f"CAST('{value.isoformat(sep=' ')}' AS TIMESTAMP_NTZ)"
            case date():
                return f"CAST('{value.isoformat()}' AS DATE)"

    def number(self, order: str) -> str:
        # A row number over all of a lake's people would be one task's work.
        del order
        return "monotonically_increasing_id()"

    def hide(self, outer: str, inner: str) -> None:
        hidden = False
        with suppress(Failed):
            self._session.values("secret", (outer, inner), ("o", "i"))
            hidden = True
        if not hidden:
            raise Unfinished

    def hashed(self, message: str) -> str:
        def digest(of: str) -> str:
            return f"sha2(encode({of}, 'UTF-8'), 256)"

        inner = digest(f"concat((SELECT i FROM secret), {message})")
        whole = digest(f"concat((SELECT o FROM secret), {inner})")
        return f"CAST(conv(substr({whole}, 1, 8), 16, 10) AS BIGINT)"

    def write(self, select: str, first: str) -> None:
        # What counts comes first, so that the rest is skipped by its statistics.
        parts = [f"{select} WHERE {first}", f"{select} WHERE NOT ({first})"] if first else [select]
        done = False
        with suppress(Failed):
            for part in parts:
                self._session.write(part, self._target)
            self._session.show("landbridge_written", self._target)
            done = True
        if not done:
            raise Unfinished

    def read(self, select: str) -> list[tuple[Any, ...]]:
        return self.rows(select.format(table='"landbridge_written"'))

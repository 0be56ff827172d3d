"""A load within Spark: the cluster reads the lake's Parquet files and writes the node's own.

What is drawn by lot must be drawn once, whatever machine is lost meanwhile: so what is staged lies
in files beside the table until the load has ended. Files are removed where the folder is one that
this process sees too; else those of the staging are emptied, and old versions are their owner's.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
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
        shop = _Workshop(self._session, source, path, f"{self._folder}/staged-{version}")
        built = Built(0, (), (Violation("", Rule.UNFINISHED, 0),))
        try:
            with suppress(Unfinished):
                built = prepare(contract, shop, secret)
        finally:
            self._clear(shop)
        return built

    def _clear(self, shop: _Workshop) -> None:
        local = self._local(shop.staging)
        if local is not None:
            shutil.rmtree(local, ignore_errors=True)
            return
        for path in shop.staged:
            with suppress(Failed):
                self._session.clear(path)

    @staticmethod
    def _local(path: str) -> Path | None:
        """The folder, where this process sees what Spark's machines see."""
        found = Path(path.removeprefix("file://"))
        return found if found.is_absolute() and found.is_dir() else None

    def forget(self, contract_id: str, keep: Collection[str]) -> None:
        """Removes the contract's files of other versions than these."""
        folder = self._local(f"{self._folder}/{contract_id}")
        if folder is not None:
            for version in folder.iterdir():
                if version.name not in keep:
                    shutil.rmtree(version, ignore_errors=True)

    def close(self) -> None:
        """Ends the session."""
        self._session.close()


@contextmanager
def _finishing() -> Iterator[None]:
    """Whatever failed, the load did."""
    try:
        yield
    except Failed:
        raise Unfinished from None


class _Workshop:
    """Spark while it loads; see `nodes.engines.preparing.Workshop`."""

    def __init__(self, session: Session, source: str, path: str, staging: str) -> None:
        self.dialect: Dialect = SPARK
        self._session = session
        self._path = source
        self._target = path
        self.staging = staging
        self.staged: list[str] = []

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
        path = f"{self.staging}/{name}"
        self.staged.append(path)
        with _finishing():
            self._session.write(select, path)
            self._session.show(name, path)

    def view(self, name: str, select: str) -> None:
        with _finishing():
            self._session.view(name, select)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with _finishing():
            return self._session.rows(sql)
        raise Unfinished

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
        with _finishing():
            self._session.values("secret", (outer, inner), ("o", "i"))

    def hashed(self, message: str) -> str:
        def digest(of: str) -> str:
            return f"sha2(encode({of}, 'UTF-8'), 256)"

        inner = digest(f"concat((SELECT i FROM secret), {message})")
        whole = digest(f"concat((SELECT o FROM secret), {inner})")
        return f"CAST(conv(substr({whole}, 1, 8), 16, 10) AS BIGINT)"

    def write(self, select: str, first: str) -> None:
        # What counts comes first, so that the rest is skipped by its statistics.
        parts = [f"{select} WHERE {first}", f"{select} WHERE NOT ({first})"] if first else [select]
        with _finishing():
            for part in parts:
                self._session.write(part, self._target)
            self._session.show("landbridge_written", self._target)

    def read(self, select: str) -> list[tuple[Any, ...]]:
        return self.rows(select.format(table='"landbridge_written"'))

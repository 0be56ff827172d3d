"""Loading: a source file becomes a served table if every row keeps what the contract promises.

Runs in the command line's process or one of its own; the node's server process never imports it,
because DuckDB comes with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from nodes.engines.database import opens
from nodes.engines.file_key import FileKey
from nodes.engines.found import Built, Rule, Violation
from nodes.engines.table import build
from nodes.load_report import LoadRefused, Report
from nodes.shape import shape_digest, stored_shape
from nodes.store import FORMAT, Loaded, Store, StoreDamaged
from policies.contract import Contract, Method

__all__ = ["LoadRefused", "Report", "Rule", "Violation", "load"]


def load(
    contract: Contract,
    source: Path,
    store: Store,
    *,
    missing: Sequence[str] = ("", "NA"),
    key: FileKey | None = None,
    source_key: str = "",
    as_of: str = "",
) -> Report:
    """Loads a CSV, Parquet or DuckDB file as the contract's table; all rows or LoadRefused.

    A folder is all Parquet files below it, with the columns that folders' names give (`year=2024`).
    A file whose name ends in `.duckdb` has the contract's rows as its only table or view, or as the
    one of the contract's name; where it is encrypted, `source_key` opens it. A file whose name ends
    in neither is CSV: UTF-8, commas, a header; the texts in `missing` stand for NULL in it. Columns
    are found by name. Every violation of every column is in the report. With a `key`, what is
    stored is encrypted. `as_of` is the day that the rows are of, see `landbridge.days`.

    The stored table holds the contract's columns in their own types. For each column with a domain
    there is `__c_<name>`, the 0-based index of the value in `Column.domain` (NULL for NULL;
    UTINYINT, or USMALLINT for more than 256 values), and for each whose values are found by
    selection a number for each of them (USMALLINT, at most `MAXIMUM_FOUND` values, in random
    order); for each with a clip interval narrower than its bounds `__k_<name>`, the value clamped
    to it. For a protected contract there are `__unit` (UINTEGER, dense from 0, numbered in random
    order) and `__rank` (UINTEGER, from 1, a random order of the rows within their unit): `__rank <=
    n` keeps at most n rows of each unit, whatever they hold, and rows within the contract's bound
    come first. Rows whose unit is NULL, where the contract allows that, are set aside. By
    `cell_key` there are `__key` and `__unit_key` (UINTEGER): record keys that depend on the row or
    unit and on the department's secret alone, so that a reload of the same rows gives the same.
    -0.0 is stored as 0.0.

    Raises LoadRefused; StoreBusy if another load runs; OSError if the store cannot be written.
    """
    with store.loading(contract.id) as folder:
        before = _stamp(source)
        content = _content(contract, source, missing)
        known = _known(store, contract, content, key)
        if known is not None:
            known = dataclasses.replace(known, as_of=as_of)
            store.publish(contract.id, known)
            rows = known.rows + known.set_aside
            return Report(contract.id, source.name, rows, loaded=known, unchanged=True)
        version = secrets.token_hex(16)
        draft = folder / f"{version}.part"
        spill = folder / "spill"
        spill.mkdir(mode=0o700)
        keyed = contract.disclosure.method is Method.CELL_KEY
        secret = store.record_secret() if keyed else b""
        built = build(
            contract, source, draft, spill=spill, missing=missing, secret=secret,
            key=key.of(draft) if key else "", source_key=source_key,
        )  # fmt: skip
        if not built.violations and (before is None or _stamp(source) != before):
            built = Built(built.rows, built.ignored, (Violation("", Rule.CHANGING, 0),))
        if built.violations:
            raise LoadRefused(
                Report(contract.id, source.name, built.rows, built.ignored, built.violations)
            )
        loaded = Loaded(
            path=folder / f"{version}.duckdb",
            version=version,
            contract_digest=contract.digest,
            rows=built.stored,
            units=built.units,
            set_aside=built.set_aside,
            largest_unit=built.largest_unit,
            content=content,
            shape=shape_digest(contract),
            as_of=as_of,
        )
        store.publish(contract.id, loaded, draft)
        return Report(contract.id, source.name, built.rows, built.ignored, loaded=loaded)


def _known(store: Store, contract: Contract, content: str, key: FileKey | None) -> Loaded | None:
    """What is served now, under the contract's present digest, if it came from the same content.

    Not where it is encrypted otherwise than it is to be.
    """
    try:
        current = store.current(contract.id)
    except StoreDamaged:
        return None
    if current is None or not content or current.content != content:
        return None
    if not opens(str(current.path), key.of(current.path) if key else ""):
        return None
    return dataclasses.replace(
        current, contract_digest=contract.digest, shape=shape_digest(contract)
    )


def _files(source: Path) -> list[Path]:
    """The files that are loaded, in order."""
    return sorted(source.rglob("*.parquet")) if source.is_dir() else [source]


def _stamp(source: Path) -> list[tuple[str, int, int, int]] | None:
    """What changes when one of the files does; None if one cannot be read."""
    try:
        found = [(str(path), path.stat()) for path in _files(source)]
    except OSError:
        return None
    return [(name, each.st_ino, each.st_size, each.st_mtime_ns) for name, each in found]


def _content(contract: Contract, source: Path, missing: Sequence[str]) -> str:
    """SHA-256, in hex, over the files' bytes and all that decides what is stored of them.

    Of a folder the names count too, which can hold values. Empty if a file cannot be read.
    Descriptions, levels and terms may change without new data.
    """
    kind = source.suffix
    unit, method, columns = stored_shape(contract)
    decided = repr((FORMAT, kind, unit, method, columns, tuple(missing)))
    digest = hashlib.sha256()
    try:
        for path in _files(source):
            with path.open("rb") as file:
                if source.is_dir():
                    name = str(path.relative_to(source)).encode()
                    digest.update(hashlib.sha256(name).digest())
                    digest.update(hashlib.file_digest(file, "sha256").digest())
                else:
                    digest = hashlib.file_digest(file, "sha256")
    except OSError:
        return ""
    digest.update(decided.encode())
    return digest.hexdigest()

"""Where a department's loaded tables live: immutable files, and one name that is switched.

    <folder>/<contract>/<version>.duckdb   written once, never changed; `.postgresql` or `.spark`
                                           where the table lies with that engine: it says where
    <folder>/<contract>/current.json       which version is served; replaced by rename
    <folder>/record.key                    the secret behind record keys; back it up with the rest
    <folder>/<contract>/lock               held by the load that is running

Whatever moment a load dies at, `current.json` names a whole file: the earlier one or the new one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landbridge.days import is_day
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key, write_key
from nodes.engines.kind import Kind

FORMAT: Final = 3
"""Of the stored table (see `nodes.load.load`). A change makes every source count as changed, and a
table of another format must be loaded again before it is served."""

_CONTRACT_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION: Final = re.compile(r"[0-9a-f]{32}")


class StoreDamaged(Exception):
    """A file of the store is missing or not what a load wrote. One sentence, no data."""


class StoreBusy(Exception):
    """Another load of the same contract is running. One sentence."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One loaded version of a contract's table.

    `path` is the table, or says where an engine has it; its suffix is the engine's `Kind`.
    `version` is random: it changes whenever the data does, and tells nothing about the data, so
    that it may stand in logs. A digest would let whoever can guess a row confirm the guess.
    `rows`, `set_aside` (rows without a unit) and `largest_unit` (rows of the unit that has most)
    are the owner's own knowledge and never leave the node; `units` and `largest_unit` are 0 for an
    unprotected contract. `content` is the digest by which a load knows the same source again; it
    stays in the store for the reason above. `shape` is what of the contract decided how it is
    stored (`nodes.shape`); empty for a table of an earlier release. `as_of` is the day that the
    data are of, as the owner said (RFC 3339 full-date), or empty; it is told to everybody.
    """

    path: Path
    version: str
    contract_digest: str
    rows: int
    units: int
    set_aside: int
    largest_unit: int
    content: str = ""
    shape: str = ""
    as_of: str = ""


class Store:
    """The loaded tables under one folder, which only this department's user can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._remembered: dict[str, tuple[tuple[int, ...], Loaded, str]] = {}

    def current(self, contract_id: str) -> Loaded | None:
        """The version that is served, or None before the first load; raises StoreDamaged.

        Every request asks. The file is read again when it is another one or was written to: its
        place on the disk, its times (one of which nobody can set) and its length say so.
        """
        known = self._remembered.get(contract_id)
        if known is not None:
            state, served, name_of_file = known
            if state == _state(name_of_file) and os.path.isfile(served.path):  # noqa: PTH113
                return served
        folder = self._of(contract_id)
        name = folder / "current.json"
        state = _state(str(name))  # before it is read: what is written meanwhile is seen next time
        try:
            text = name.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            text = ""
        loaded = _parsed(text, folder)
        if loaded is None:
            raise StoreDamaged(f"{name} is not a file that a load wrote; load {contract_id} again.")
        if not loaded.path.is_file():
            raise StoreDamaged(f"{name} names a version that is missing; load {contract_id} again.")
        self._remembered[contract_id] = (state, loaded, str(name))
        return loaded

    def tables(self) -> Mapping[str, Path]:
        """The file to serve for each contract id that has been loaded; raises StoreDamaged."""
        tables = {}
        if self._folder.is_dir():
            for folder in sorted(self._folder.iterdir()):
                if _CONTRACT_ID.fullmatch(folder.name) and (loaded := self.current(folder.name)):
                    tables[folder.name] = loaded.path
        return tables

    def record_secret(self) -> bytes:
        """What record keys are made with, 32 random bytes, made when first needed.

        Another secret would be other perturbations of the same cells: two draws to average.
        Raises EvidenceError where others could read the file.
        """
        path = self._folder / "record.key"
        if not path.exists():
            with suppress(EvidenceError):  # another load was first
                write_key(path, secrets.token_bytes(32))
        return read_key(path)

    @contextmanager
    def loading(self, contract_id: str) -> Iterator[Path]:
        """The contract's folder, for one load at a time; raises StoreBusy.

        What the load leaves there other than published versions is removed, at its end or, if it
        died, at the beginning of the next.
        """
        folder = self._of(contract_id)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreBusy(
                    f"Another load of {contract_id} is running; wait until it has ended."
                ) from None
            _sweep(folder)
            try:
                yield folder
            finally:
                _sweep(folder)
        finally:
            os.close(lock)

    def publish(self, contract_id: str, loaded: Loaded, draft: Path | None = None) -> None:
        """Serves `loaded` from now on, within `loading`; durable when this returns.

        `draft` becomes `loaded.path` by rename; None when that file is there already. The version
        served before is kept, because an engine that is running may open it again; older ones go.
        """
        folder = self._of(contract_id)
        try:
            before = self.current(contract_id)
        except StoreDamaged:
            before = None  # this load is the repair
        if draft is not None:
            draft.chmod(0o600)
            _sync(draft)
            os.replace(draft, loaded.path)  # noqa: PTH105 - the seam that tests interrupt
            _sync(folder)
        temporary = folder / "current.json.part"
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(_text(loaded))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / "current.json")  # noqa: PTH105 - the same seam
        _sync(folder)
        # The contract's folder may be new itself.
        _sync(self._folder)
        keep = {loaded.path, before.path if before else loaded.path}
        for kind in Kind:
            for file_of_version in folder.glob(f"*{kind.suffix}"):
                if file_of_version not in keep:
                    file_of_version.unlink()

    def _of(self, contract_id: str) -> Path:
        if not _CONTRACT_ID.fullmatch(contract_id):
            raise ValueError(
                "A contract id is a lower-case letter, then at most 62 letters, digits or _."
            )
        return self._folder / contract_id


def _state(path: str) -> tuple[int, ...]:
    """Which file lies there and when it was last touched; empty where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a path object costs more than the look
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _text(loaded: Loaded) -> str:
    fields = {
        "format": FORMAT,
        "engine": loaded.path.suffix.removeprefix("."),
        "version": loaded.version,
        "contract_digest": loaded.contract_digest,
        "rows": loaded.rows,
        "units": loaded.units,
        "set_aside": loaded.set_aside,
        "largest_unit": loaded.largest_unit,
        "content": loaded.content,
        "shape": loaded.shape,
        "as_of": loaded.as_of,
    }
    return json.dumps(fields, indent=1) + "\n"


def _parsed(text: str, folder: Path) -> Loaded | None:
    try:
        fields = json.loads(text)
        known = fields["format"] == FORMAT
        version = fields["version"]
        kind = Kind(fields.get("engine", "duckdb"))  # tables of an earlier release are DuckDB's
        counts = [fields[name] for name in ("rows", "units", "set_aside", "largest_unit")]
        digests = [fields[name] for name in ("contract_digest", "content")]
        # Tables of earlier releases have neither.
        digests.append(fields.get("shape", ""))
        as_of = fields.get("as_of", "")
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not known or not isinstance(version, str) or not _VERSION.fullmatch(version):
        return None
    if not all(type(count) is int and count >= 0 for count in counts):
        return None
    if not all(isinstance(digest, str) for digest in digests):
        return None
    if as_of != "" and not (isinstance(as_of, str) and is_day(as_of)):
        return None
    return Loaded(
        path=folder / f"{version}{kind.suffix}",
        version=version,
        contract_digest=digests[0],
        rows=counts[0],
        units=counts[1],
        set_aside=counts[2],
        largest_unit=counts[3],
        content=digests[1],
        shape=digests[2],
        as_of=as_of,
    )


def _sweep(folder: Path) -> None:
    """Removes drafts, their write-ahead logs and spilled data."""
    for leftover in folder.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover)
        elif leftover.suffix in (".part", ".wal"):
            leftover.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

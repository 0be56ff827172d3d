"""The keys that token issuers sign with: a JWKS (RFC 7517) that rotates while we run."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Final, Protocol

from landbridge.identity.json_object import json_object
from landbridge.identity.signature import PublicKey

_LARGEST: Final = 256 * 1024
_NOBODY: Final[Mapping[str, PublicKey]] = MappingProxyType({})
_LOG: Final = logging.getLogger(__name__)


class KeySetError(ValueError):
    """A JWKS that cannot be used; the text is one sentence with the source and the entry."""


class KeySource(Protocol):
    """Where a JWKS document comes from. A file now; an address is the same three members.

    `read` answers at once: a source that has to wait for somebody does so on its own time and
    gives what it has last fetched.
    """

    @property
    def name(self) -> str:
        """What an operator calls it; opens every sentence about it."""

    @property
    def interval(self) -> float:
        """Seconds for which one reading is fresh."""

    def read(self) -> bytes:
        """The document; OSError or KeySetError where there is none just now."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A JWKS file. Replace it by renaming a complete new file over it."""

    path: Path
    interval: float = 1.0

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    def read(self) -> bytes:
        """Its bytes, at most 256 KiB.

        A pipe, a device or an endless file at that path must not stall the server.
        """
        # The files are small: reading the bytes finds also the change that size and time hide.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise KeySetError(f"{self.name} is not a regular file; point to a JWKS file.")
            document = stream.read(_LARGEST + 1)
        if len(document) > _LARGEST:
            raise KeySetError(f"{self.name} is larger than 256 KiB, which no JWKS needs to be.")
        return document


@dataclass(frozen=True, slots=True)
class Keys:
    """One state of a key set: its keys by id, and the number of that state."""

    generation: int
    by_id: Mapping[str, PublicKey]


def read_keys(document: bytes, name: str) -> Mapping[str, PublicKey]:
    """The signature keys of a JWKS document by their id; `name` is the source, for the sentence.

    Every entry must be usable, so that a mistake is seen at once and not when that key is first
    needed; only entries for encryption (`use` is "enc") are passed over. An empty `keys` list is
    valid and trusts nobody: the quickest way to revoke everything.
    Raises KeySetError.
    """
    try:
        entries = json_object(document).get("keys")
    except ValueError as reason:
        raise KeySetError(f"{name} is not a JWKS: {reason}.") from None
    if not isinstance(entries, list):
        raise KeySetError(f'{name} is not a JWKS: it has no list "keys".')
    keys: dict[str, PublicKey] = {}
    for place, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise KeySetError(f"{name}: entry {place} is not a JSON object.")
        kid = entry.get("kid")
        called = f"entry {place} (kid {kid[:80]!a})" if isinstance(kid, str) else f"entry {place}"
        if entry.get("use") == "enc":
            continue
        try:
            key = PublicKey.read(entry)
        except ValueError as reason:
            raise KeySetError(f"{name}: {called} {reason}.") from None
        if key.id in keys:
            raise KeySetError(f"{name}: {called} repeats the kid of an earlier entry.")
        keys[key.id] = key
    return MappingProxyType(keys)


class KeySet:
    """The keys in force now, followed as their source changes. Safe to share between threads.

    A source that cannot be read, or whose document is broken, leaves the last good keys in force
    until `grace` seconds after they were last seen good; then no key is, and every token is refused
    until the source is good again. `clock` gives seconds and need not agree with the calendar.
    """

    def __init__(
        self,
        source: KeySource,
        clock: Callable[[], float] = time.monotonic,
        grace: float = 3600.0,
    ) -> None:
        self._source = source
        self._clock = clock
        self._grace = grace
        self._lock = Lock()
        self._trouble = ""
        self._asked = self._good = clock()
        self._document: bytes | None = self._read()
        self._keys = Keys(1, read_keys(self._document, source.name))

    @classmethod
    def load(
        cls,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        grace: float = 3600.0,
    ) -> KeySet:
        """The keys of a JWKS file, looked at again at most once a second.

        Raises KeySetError, one sentence with the file and the entry.
        """
        return cls(KeyFile(path), clock, grace)

    @property
    def generation(self) -> int:
        """A number that grows whenever the keys in force change."""
        return self.current().generation

    @property
    def trouble(self) -> str:
        """Why the source could not be used when it was last looked at; empty if it could."""
        return self._trouble

    def current(self) -> Keys:
        """The keys in force at this moment."""
        with self._lock:
            now = self._clock()
            # A clock that was set back must not keep us from looking.
            if not 0 <= now - self._asked < self._source.interval:
                self._asked = now
                self._look(now)
            return self._keys

    def _look(self, now: float) -> None:
        try:
            document = self._read()
            if document != self._document:
                by_id = read_keys(document, self._source.name)
                self._document = document
                self._keys = Keys(self._keys.generation + 1, by_id)
        except KeySetError as problem:
            self._keep_or_close(str(problem), now)
        else:
            self._good = now
            self._trouble = ""

    def _keep_or_close(self, trouble: str, now: float) -> None:
        if trouble != self._trouble:
            _LOG.warning("%s", trouble)
            self._trouble = trouble
        # Counted from when the keys were last seen good, not from when the trouble was noticed: an
        # idle server must not lengthen the life of a withdrawn key.
        if not 0 <= now - self._good < self._grace and self._document is not None:
            _LOG.error("%s: the last good keys are too old; no token passes.", self._source.name)
            # Forgetting the document makes the same good file count as new when it comes back.
            self._document = None
            self._keys = Keys(self._keys.generation + 1, _NOBODY)

    def _read(self) -> bytes:
        try:
            return self._source.read()
        except OSError as reason:
            why = reason.strerror or type(reason).__name__
            raise KeySetError(f"{self._source.name} cannot be read: {why}.") from None

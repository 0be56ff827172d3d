"""The keys that token issuers sign with: a JWKS (RFC 7517) that rotates while we run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from landbridge.identity.followed import File, Followed, Source, SourceError
from landbridge.identity.json_object import json_object
from landbridge.identity.signature import PublicKey

_NOBODY: Final[Mapping[str, PublicKey]] = MappingProxyType({})
_LOG: Final = logging.getLogger(__name__)

KeySetError = SourceError
"""A JWKS that cannot be used; the text is one sentence with the source and the entry."""

KeySource = Source
"""Where a JWKS document comes from: a file, or an address (`jwks_address`)."""

KeyFile = File


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
    Raises KeySetError where the first document is not good.
    """

    def __init__(
        self,
        source: KeySource,
        clock: Callable[[], float] = time.monotonic,
        grace: float = 3600.0,
    ) -> None:
        self._followed = Followed(source, read_keys, _NOBODY, clock=clock, grace=grace, log=_LOG)

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
        return self._followed.trouble

    def current(self) -> Keys:
        """The keys in force at this moment."""
        state = self._followed.current()
        return Keys(state.generation, state.value)

    def renew(self) -> None:
        """Looks at the source now; for whoever has just fetched it."""
        self._followed.renew()

    def missed(self) -> None:
        """A token names a key that is not here: the source may look sooner; nobody waits for it."""
        self._followed.hurry()

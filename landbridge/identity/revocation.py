"""Who is not to be served any more, though their tokens are sound: a list that is followed.

The document is JSON: `{"revoked": [{"subject": "alice", "reason": "left", "until":
"2027-01-31T00:00:00Z"}]}`. Each entry names one thing, by `token` (a `jti`), `subject`,
`organisation`, `key` (a `kid`) or `certificate` (SHA-256 of the DER, or the serial number), and
counts until that moment. docs/identity.md describes it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from landbridge.identity.caller import Caller
from landbridge.identity.followed import File, Followed, Source, SourceError
from landbridge.identity.json_object import json_object

KINDS: Final = ("token", "subject", "organisation", "key", "certificate")
"""What an entry can name."""

Named = tuple[str, str]
"""A kind and a name of that kind."""

_LOG: Final = logging.getLogger(__name__)
_LONGEST_TEXT: Final = 200
_CERTIFICATE: Final = re.compile(r"[1-9a-f][0-9a-f]{0,39}|[0-9a-f]{64}", re.ASCII)
_UNTIL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def read_revocations(document: bytes, name: str) -> Mapping[Named, float]:
    """What is revoked and until when, in seconds since 1970; the later where two entries agree.

    An entry that says anything unforeseen makes the whole list unusable, so that a slip is seen and
    not taken for a person who may go on. Raises SourceError, which names the place and no person.
    """
    try:
        whole = json_object(document)
    except ValueError as reason:
        raise SourceError(f"{name} is not a revocation list: {reason}.") from None
    entries = whole.get("revoked")
    if not isinstance(entries, list) or len(whole) != 1:
        raise SourceError(f'{name} is not a revocation list: it has not one list "revoked" alone.')
    revoked: dict[Named, float] = {}
    for place, entry in enumerate(entries, start=1):
        try:
            named, until = _entry(entry)
        except ValueError as reason:
            raise SourceError(f"{name}: entry {place} {reason}.") from None
        revoked[named] = max(until, revoked.get(named, until))
    return MappingProxyType(revoked)


def _entry(entry: object) -> tuple[Named, float]:
    if not isinstance(entry, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - the file is wrong, no argument
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1 or entry.keys() != {kinds[0], "reason", "until"}:
        raise ValueError(f'must have one of {", ".join(KINDS)}, a "reason" and an "until"')
    for member in (kinds[0], "reason"):
        text = entry[member]
        if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_TEXT:
            raise ValueError(f'must have a text of 1 to 200 characters as "{member}"')
    if kinds == ["certificate"] and not _CERTIFICATE.fullmatch(entry["certificate"]):
        raise ValueError(
            'must have as "certificate" a SHA-256 fingerprint (64 hexadecimal digits) or a serial '
            "number, in lower case and without colons or leading zeros"
        )
    until = entry["until"]
    if not isinstance(until, str) or not _UNTIL.fullmatch(until):
        raise ValueError('must have an "until" like 2027-01-31T00:00:00Z')
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        raise ValueError('has an "until" that is in no calendar') from None
    return (kinds[0], entry[kinds[0]]), moment.timestamp()


class Revocations:
    """The list in force now, followed as its source changes. Safe to share between threads.

    A list that cannot be read leaves the last good one in force for `grace` seconds; then everybody
    counts as revoked. Raises SourceError where the first list is not good.
    """

    def __init__(
        self,
        source: Source,
        clock: Callable[[], float] = time.monotonic,
        grace: float = 3600.0,
    ) -> None:
        nothing: Mapping[Named, float] = MappingProxyType({})
        self._followed = Followed(
            source, read_revocations, nothing, clock=clock, grace=grace, log=_LOG
        )

    @classmethod
    def load(
        cls, path: Path, clock: Callable[[], float] = time.monotonic, grace: float = 3600.0
    ) -> Revocations:
        """The list in a file, looked at again at most once a second."""
        return cls(File(path), clock, grace)

    @property
    def trouble(self) -> str:
        """Why the list could not be used when it was last looked at; empty if it could."""
        return self._followed.trouble

    @property
    def certificates(self) -> bool:
        """Whether the list names any certificate, or can be used no more."""
        state = self._followed.current()
        return state.closed or any(kind == "certificate" for kind, _ in state.value)

    def hold_certificate(self, fingerprint: str, serial: str, now: float) -> bool:
        """Whether that certificate is revoked at `now`; every one is where the list is unusable."""
        state = self._followed.current()
        return state.closed or any(
            now < state.value.get(("certificate", name), now) for name in (fingerprint, serial)
        )

    def hold(self, caller: Caller, key: str, now: float) -> bool:
        """Whether a token of that caller, signed by that key, is revoked at `now`."""
        state = self._followed.current()
        names = (
            ("token", caller.token_id),
            ("subject", caller.subject),
            ("organisation", caller.organisation),
            ("key", key),
        )
        return state.closed or any(now < state.value.get(named, now) for named in names)

"""The manifest that a department has accepted, in its state folder, durable before it counts."""

from __future__ import annotations

import json
import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from landbridge.evidence.finding import EvidenceError
from landbridge.membership.acceptance import Change, Departed, changes
from landbridge.membership.manifest import Manifest, ManifestInvalid, read_manifest

_PINNED: Final = "pinned.json"
_WAITING: Final = "waiting.json"
Accepted = Callable[[Manifest, tuple[Change, ...]], None]
"""Told of every change before it counts; where it raises, the change does not count."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What came of an offer: the version pinned now, and whether the offered one waits."""

    pinned: int
    waiting: bool


class Pinned:
    """One department's pin. Threads may use it at the same time."""

    def __init__(self, state: Path, department: str, accepted: Accepted = lambda *_: None) -> None:
        """The pin in that folder; EvidenceError where there is none or it is damaged."""
        self._state = state
        self._department = department
        self._accepted = accepted
        self._lock = threading.Lock()
        self._document, self._manifest, self._departed = _read(state / _PINNED)

    @classmethod
    def first(cls, state: Path, document: bytes) -> Manifest:
        """Pins the manifest that an operator has just confirmed, over none or any earlier one."""
        manifest = read_manifest(document)
        _write(state / _PINNED, document, {})
        (state / _WAITING).unlink(missing_ok=True)
        return manifest

    @property
    def manifest(self) -> Manifest:
        """The accepted one."""
        return self._manifest

    def gateway_key(self) -> Ed25519PublicKey:
        """Whose signature every question carries."""
        return self._manifest.gateway_key

    def offer(self, document: bytes) -> Offered:
        """Pins what may be taken unasked; what needs a yes is kept for `accept`.

        Raises ManifestInvalid for what is not this gateway's or not newer.
        """
        with self._lock:
            offered = read_manifest(document, self._manifest.gateway_key)
            if document == self._document:
                return Offered(self._manifest.version, waiting=False)
            found = self._changes(offered)
            if any(change.needs_yes for change in found):
                replace_durably(self._state / _WAITING, document)
                return Offered(self._manifest.version, waiting=True)
            self._pin(document, offered, found)
            return Offered(offered.version, waiting=False)

    def waiting(self) -> tuple[Manifest, tuple[Change, ...]] | None:
        """The manifest that waits for the operator, with what it would change."""
        try:
            document = (self._state / _WAITING).read_bytes()
            offered = read_manifest(document, self._manifest.gateway_key)
            return offered, self._changes(offered)
        except (FileNotFoundError, ManifestInvalid):  # overtaken by a newer one that was taken
            return None

    def accept(self, version: int) -> Manifest:
        """Pins the waiting manifest, if it is still that version; raises ManifestInvalid."""
        with self._lock:
            found = self.waiting()
            if found is None or found[0].version != version:
                raise ManifestInvalid("No such version waits for an answer.")
            offered, differences = found
            self._pin((self._state / _WAITING).read_bytes(), offered, differences)
            return offered

    def _changes(self, offered: Manifest) -> tuple[Change, ...]:
        return changes(self._manifest, offered, self._departed, self._department)

    def _pin(self, document: bytes, offered: Manifest, found: tuple[Change, ...]) -> None:
        staying = {each.department for each in offered.members}
        departed = {
            **self._departed,
            **{
                each.department: Departed(each.raw_keys, each.log_key)
                for each in self._manifest.members
                if each.department not in staying
            },
        }
        departed = {name: keys for name, keys in departed.items() if name not in staying}
        self._accepted(offered, found)
        _write(self._state / _PINNED, document, departed)
        (self._state / _WAITING).unlink(missing_ok=True)
        self._document, self._manifest, self._departed = document, offered, departed


def replace_durably(path: Path, content: bytes) -> None:
    """The file's whole content, on disk when this returns; never half of it."""
    unfinished = path.with_name(f"{path.name}.new")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, document: bytes, departed: dict[str, Departed]) -> None:
    content = {
        "document": document.decode(),
        "departed": {
            name: {"keys": [b64encode(raw).decode() for raw in each.keys], "log_key": each.log_key}
            for name, each in departed.items()
        },
    }
    replace_durably(path, json.dumps(content).encode())


def _read(path: Path) -> tuple[bytes, Manifest, dict[str, Departed]]:
    try:
        content = json.loads(path.read_bytes())
        document = content["document"].encode()
        manifest = read_manifest(document)
        departed = {}
        for name, each in content["departed"].items():
            signing, sealing, masking = map(b64decode, each["keys"])
            departed[name] = Departed((signing, sealing, masking), each["log_key"])
    except FileNotFoundError:
        raise EvidenceError(
            str(path), "the department has no manifest yet; join a federation first"
        ) from None
    except (ManifestInvalid, ValueError, KeyError, TypeError, AttributeError):
        raise EvidenceError(str(path), "it is not the pin of a manifest") from None
    return document, manifest, departed

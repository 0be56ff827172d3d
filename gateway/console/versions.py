"""Versions of policy texts: each kept under its digest when the console first sees it in force.

The log names versions by their digests and holds no text and no plain name of a person. So texts,
and what is known of who wrote them, lie beside it in a folder that only the console reads.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from landbridge.membership.pinned import replace_durably

MOST: Final = 100
"""Texts that are kept of one department: a node that changes them all day fills no disk."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_DEPARTMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")


@dataclass(frozen=True, slots=True)
class Author:
    """Who committed a text, as git has it; git does not check the name."""

    name: str
    commit: str
    time: str


@dataclass(frozen=True, slots=True)
class Version:
    """A text that was in force.

    `department` is empty for the gateway's own policy, `what` "" or a contract's id. `since` is
    when it was first seen (RFC 3339). Of the gateway's, `owner` is whose the file was and `author`
    who committed it, None where git does not say; of a department's, `owner` is its log's key.
    """

    digest: str
    since: str
    owner: str
    department: str = ""
    what: str = ""
    author: Author | None = None

    @property
    def key(self) -> str:
        """What names it in an address."""
        return f"{self.department}.{self.digest}" if self.department else self.digest

    @property
    def of(self) -> tuple[str, str]:
        """What it is a version of."""
        return self.department, self.what


class Versions:
    """The texts in a folder. Safe for many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, Version] | None = None

    def has(self, department: str, digest: str) -> bool:
        """Whether that text is kept already, or can never be."""
        if not _DIGEST.fullmatch(digest) or (department and not _DEPARTMENT.fullmatch(department)):
            return True
        with self._lock:
            return Version(digest, "", "", department).key in self._read()

    def keep(self, version: Version, text: bytes) -> None:
        """Keeps the text, which must be the digest's; nothing happens where it cannot be kept.

        Of a department the oldest goes where there are more than `MOST`.
        """
        if self.has(version.department, version.digest):
            return
        if sha256(text).hexdigest() != version.digest:
            return
        try:
            said = {**_said(version), "text": text.decode("utf-8")}
        except UnicodeDecodeError:
            return
        with self._lock:
            known = self._read()
            theirs = [each for each in known.values() if each.department == version.department]
            path = self._path(version)
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if version.department and len(theirs) >= MOST:
                    oldest = min(theirs, key=lambda each: each.since)
                    self._path(oldest).unlink(missing_ok=True)
                    del known[oldest.key]
                replace_durably(path, json.dumps(said).encode())
            except OSError:
                return
            known[version.key] = version

    def all(self) -> list[Version]:
        """Every version: the gateway's first, each text's latest first."""
        with self._lock:
            found = sorted(self._read().values(), key=lambda each: each.since, reverse=True)
        return sorted(found, key=lambda each: each.of)

    def text(self, key: str) -> tuple[Version, str] | None:
        """A version and its text; None where it is not kept, or is not what its name says."""
        with self._lock:
            version = self._read().get(key)
        if version is None:
            return None
        try:
            text = str(json.loads(self._path(version).read_bytes())["text"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (version, text) if sha256(text.encode()).hexdigest() == version.digest else None

    def _read(self) -> dict[str, Version]:
        """What is kept, read once; a file that is not what its name says is none."""
        if self._known is None:
            self._known = {each.key: each for each in self._on_disk()}
        return self._known

    def _on_disk(self) -> Iterator[Version]:
        for path in (*self._folder.glob("*.json"), *self._folder.glob("departments/*/*.json")):
            department = path.parent.name if path.parent.parent.name == "departments" else ""
            try:
                said = json.loads(path.read_bytes())
                if sha256(str(said["text"]).encode()).hexdigest() == path.stem:
                    yield _version(path.stem, department, said)
            except (OSError, ValueError, KeyError, TypeError):
                continue

    def _path(self, version: Version) -> Path:
        name = f"{version.digest}.json"
        if not version.department:
            return self._folder / name
        return self._folder / "departments" / version.department / name


def _said(version: Version) -> dict[str, Any]:
    said: dict[str, Any] = {"since": version.since, "owner": version.owner}
    if version.what:
        said["what"] = version.what
    if version.author is not None:
        said["author"] = [version.author.name, version.author.commit, version.author.time]
    return said


def _version(digest: str, department: str, said: dict[str, Any]) -> Version:
    author = said.get("author")
    return Version(
        digest,
        str(said["since"]),
        str(said["owner"]),
        department,
        str(said.get("what", "")),
        None if author is None else Author(*map(str, author)),
    )

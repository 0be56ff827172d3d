"""Policies: what lets out what, which versions there were, how they differ, who changed them.

The log names versions by their digests; their texts are kept here when they come into force, each
under its digest, so that a text cannot be another than the one that the log names.
"""

from __future__ import annotations

import difflib
import json
import pwd
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from gateway.catalogue import Catalogue
from gateway.console.browse import instant
from gateway.console.index import Index, Wanted
from gateway.console.page import Looking, Page
from gateway.console.reading import Reading
from landbridge.errors import error
from landbridge.evidence.selection import Selection
from landbridge.membership.pinned import replace_durably
from policies.access import AccessPolicy
from policies.outlet import Outlet, budget_of, kind_of, outlets

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Version:
    """A text that was in force: since when it is kept, and whose the file was that held it."""

    digest: str
    text: str
    since: str
    owner: str


class History:
    """The texts of the gateway's access policy, in a folder. Safe for many threads."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._folder = folder
        self._source = source
        self._lock = threading.Lock()

    def keep(self, digest: str, now: float) -> None:
        """Keeps the text of that digest if the policy's file holds it and it is not kept yet."""
        path = self._folder / f"{digest}.json"
        if path.exists() or not _DIGEST.fullmatch(digest):
            return
        with self._lock:
            try:
                text = self._source.read_bytes()
                if sha256(text).hexdigest() != digest:
                    return  # the file is another by now; the next look may find it
                owner = _owner(self._source)
                said = {"text": text.decode("utf-8"), "since": instant(now), "owner": owner}
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                replace_durably(path, json.dumps(said).encode())
            except (OSError, UnicodeDecodeError):
                return

    def versions(self) -> list[Version]:
        """Every version, the latest first; a file that is not what its name says is none."""
        found = []
        for path in self._folder.glob("*.json"):
            try:
                said = json.loads(path.read_bytes())
                text, since, owner = str(said["text"]), str(said["since"]), str(said["owner"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if sha256(text.encode()).hexdigest() == path.stem:
                found.append(Version(path.stem, text, since, owner))
        return sorted(found, key=lambda each: each.since, reverse=True)


class PolicyPages:
    """The pages. `source` is the policy's file, `catalogue` what departments serve."""

    def __init__(
        self,
        history: History,
        access: Callable[[], AccessPolicy],
        catalogue: Callable[[], Catalogue],
        index: Index,
        reading: Reading,
    ) -> None:
        self._history = history
        self._access = access
        self._catalogue = catalogue
        self._index = index
        self._reading = reading
        self._lock = threading.Lock()
        self._seen: tuple[str, Catalogue, list[dict[str, Any]]] | None = None

    def show(self, looking: Looking) -> Page:
        """What the policy in force lets out, and what came before it."""
        looking.roles.require(looking.roles.looks)
        access = self._access()
        self._history.keep(access.digest, looking.now)
        self._index.look()
        sees = looking.roles.sees
        rows = [each for each in self._rows(access) if sees is None or each["department"] in sees]
        return Page(
            "policies.html",
            {
                "rows": rows,
                "digest": access.digest,
                "versions": self._history.versions() if looking.roles.audits else [],
                "changes": self._changes() if looking.roles.audits else [],
            },
            "policies",
        )

    def compare(self, looking: Looking) -> Page:
        """Two versions of the gateway's policy, line by line."""
        looking.roles.require(looking.roles.audits)
        versions = {each.digest: each for each in self._history.versions()}
        ask = looking.visit.ask
        old, new = versions.get(ask.one("old")), versions.get(ask.one("new"))
        if old is None or new is None:
            raise error("INVALID_ARGUMENT", "There is no such version of the policy.")
        return Page(
            "difference.html",
            {"old": old, "new": new, "lines": differing(old.text, new.text)},
            f"policies/diff?old={old.digest}&new={new.digest}",
        )

    def _rows(self, access: AccessPolicy) -> list[dict[str, Any]]:
        """By department, resource, who and purpose; made once for a policy and a catalogue."""
        known = self._catalogue()
        with self._lock:
            if self._seen is None or self._seen[0] != access.digest or self._seen[1] is not known:
                self._seen = (access.digest, known, list(_rows(known, access)))
            return self._seen[2]

    def _changes(self) -> list[dict[str, Any]]:
        """What the log says of changes, the latest first."""
        wanted = Wanted(Selection(kinds=frozenset({"policy_change", "membership_change", "start"})))
        shown = self._reading.entries(self._index.newest(wanted, 0, MOST))
        return [
            {
                "index": each.index,
                "time": str(each.fields.get("time", ""))[:19].replace("T", " "),
                "kind": str(each.fields.get("kind", "")),
                "outcome": str(each.fields.get("outcome", "")),
                "program": str(each.fields.get("program", "")),
                "changed": [str(line) for line in each.fields.get("changed", ())],
                "note": str(each.fields.get("note", "")),
                "digest": str(each.fields.get("policy_digest", "")),
            }
            for each in shown
        ]


def differing(old: str, new: str) -> list[tuple[str, str]]:
    """Lines of both texts: ("same", "gone" or "new", the line); long same passages are left out."""
    found: list[tuple[str, str]] = []
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3)
    for line in [*lines][2:]:
        kind = {"+": "new", "-": "gone", "@": "place"}.get(line[:1], "same")
        found.append((kind, line if kind == "place" else line[1:]))
    return found


def _rows(known: Catalogue, access: AccessPolicy) -> Iterable[dict[str, Any]]:
    for department, offer in known.offers.items():
        grouped: dict[tuple[str, str, str], list[Outlet]] = {}
        for each in outlets(department, offer.contracts, {}, [access]):
            grouped.setdefault((each.resource, str(each.who), each.purpose), []).append(each)
        for (resource, who, purpose), these in grouped.items():
            contract = offer.contracts[resource]
            yield {
                "department": department,
                "resource": resource,
                "who": who,
                "purpose": purpose,
                "columns": sorted({each.column for each in these}),
                "clearance": min(each.clearance for each in these).label,
                "policies": sorted({name for each in these for name in each.policies}),
                "kind": kind_of(contract),
                "budget": budget_of(contract.disclosure),
            }


def _owner(path: Path) -> str:
    user = path.stat().st_uid
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)

"""Policies: what lets out what, which versions there were, how they differ, who changed them."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable
from typing import Any, Final

from gateway.catalogue import Catalogue
from gateway.console.index import Index, Wanted
from gateway.console.page import Looking, Page
from gateway.console.published import let_out, own_policy, terms
from gateway.console.reading import Reading
from gateway.console.versions import Version, Versions
from landbridge.errors import error
from landbridge.evidence.selection import Selection
from policies.access import AccessPolicy

MOST: Final = 200


class PolicyPages:
    """The pages. `catalogue` is what departments serve, `loader` the key of the log of the gateway
    that loaded its policy.
    """

    def __init__(
        self,
        versions: Versions,
        access: Callable[[], AccessPolicy],
        catalogue: Callable[[], Catalogue],
        index: Index,
        reading: Reading,
        loader: str,
    ) -> None:
        self._versions = versions
        self._access = access
        self._catalogue = catalogue
        self._index = index
        self._reading = reading
        self._loader = loader
        self._lock = threading.Lock()
        self._seen: tuple[str, Catalogue, list[dict[str, Any]]] | None = None

    def show(self, looking: Looking) -> Page:
        """What the policies in force let out, what departments publish, and what came before."""
        looking.roles.require(looking.roles.looks)
        access, known, sees = self._access(), self._catalogue(), looking.roles.sees
        self._index.look()

        def seen(department: str) -> bool:
            return sees is None or department in sees

        return Page(
            "policies.html",
            {
                "rows": [each for each in self._rows(access, known) if seen(each["department"])],
                "digest": access.digest,
                "departments": [each for each in _own(known) if seen(each["department"])],
                "terms": [each for each in terms(known) if seen(each["department"])],
                "versions": [each for each in self._versions.all() if _shown(each, sees)],
                "loader": self._loader.rsplit("+", 1)[0],
                "changes": self._changes() if looking.roles.audits else [],
            },
            "policies",
        )

    def compare(self, looking: Looking) -> Page:
        """Two versions of one text, line by line."""
        looking.roles.require(looking.roles.looks)
        ask, sees = looking.visit.ask, looking.roles.sees
        old, new = self._versions.text(ask.one("old")), self._versions.text(ask.one("new"))
        if old is None or new is None or not (_shown(old[0], sees) and _shown(new[0], sees)):
            raise error("INVALID_ARGUMENT", "There is no such version of the policy.")
        if old[0].of != new[0].of:
            raise error("INVALID_ARGUMENT", "These are versions of two different texts.")
        return Page(
            "difference.html",
            {"old": old[0], "new": new[0], "lines": differing(old[1], new[1])},
            f"policies/diff?old={old[0].key}&new={new[0].key}",
        )

    def _rows(self, access: AccessPolicy, known: Catalogue) -> list[dict[str, Any]]:
        """Made once for a policy and a catalogue: each row is decided by Cedar."""
        with self._lock:
            if self._seen is None or self._seen[0] != access.digest or self._seen[1] is not known:
                self._seen = (access.digest, known, list(let_out(known, access)))
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


def _shown(version: Version, sees: frozenset[str] | None) -> bool:
    """The gateway's own texts are for auditors, a department's for its officers too."""
    return sees is None or version.department in sees


def _own(known: Catalogue) -> list[dict[str, Any]]:
    """Each member, the version of its rules, and whether its access policy can be read here."""
    found = []
    for name in known.members:
        offer = known.offers.get(name)
        own = None if offer is None else own_policy(offer)
        found.append(
            {
                "department": name,
                "digest": "" if own is None else own.digest,
                "text": "" if offer is None else offer.access.decode("utf-8", "replace"),
                "problem": "" if own is None else own.problem,
                "described": offer is not None,
            }
        )
    return found

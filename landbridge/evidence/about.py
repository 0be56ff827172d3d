"""What a person may be told of the entries about them: who asked, when, why, and for what kind of
answer. Never the answer, which no log holds, and never a person who asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from landbridge.evidence.selection import Found
from landbridge.evidence.subject import SubjectKey


@dataclass(frozen=True, slots=True)
class Access:
    """One access. `what` is the handler or contract, `outcome` whether there was an answer."""

    log: str
    time: str
    organisation: str
    purpose: str
    kind: str
    what: str
    outcome: str


def digests_of(subject: str, keys: Iterable[SubjectKey]) -> frozenset[str]:
    """How the person appears under each of these keys."""
    return frozenset(key.digest(subject) for key in keys)


def accesses(found: Iterable[Found], digests: Collection[str], now: str) -> Iterator[Access]:
    """The accesses that the person may be told of now, an instant as entries spell it.

    Entries whose purpose's disclosure delay is not over are left out without a word: that there is
    one would tell it.
    """
    for each in found:
        fields = each.fields
        if fields.get("kind") == "about" or fields.get("subject") not in digests:
            continue
        if str(fields.get("disclosable_from", "")) > now:
            continue
        yield Access(
            each.log,
            _text(fields, "time"),
            _text(fields, "organisation"),
            _text(fields, "purpose"),
            _text(fields, "kind"),
            _text(fields, "resource"),
            _text(fields, "outcome"),
        )


def _text(fields: Any, name: str) -> str:
    return str(fields.get(name, ""))

"""The kinds of log entries: a closed list, and what only some of them may say.

docs/log-entry.schema.json says the same to programs, docs/log-entry.md to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KINDS: Final[Mapping[str, str]] = {
    "query": "a question was asked",
    "explain": "the plan of a question was asked for",
    "call": "a handler was asked about one subject",
    "submit": "records were handed in under a contract",
    "watch": "a standing question was made, is evaluated from now on, or has ended",
    "alert": "a watch reported that its condition holds",
    "consult": "a consultation was opened, on a stated legal basis, moved, looked at or used",
    "group": "a notice was published to a group, or somebody looked at a group or was told of it",
    "step": "a step of a case was taken",
    "about": "a portal asked for the entries about one person",
    "console": "somebody signed in to the console, looked at something there, or did something",
    "policy_change": "the policy is another than at the last start, or than before this entry",
    "membership_change": "the list of members changed, or somebody asked to change it",
    "refused_login": "somebody was not let in",
    "start": "the server began to serve",
    "stop": "the server ended in order",
    "parts": "departments' parts of the entry that follows, which are too many for one",
}
"""Kind to the event that it stands for."""

OWN_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "program": frozenset({"start", "stop", "policy_change", "membership_change"}),
    "digests": frozenset({"start"}),
    "changed": frozenset({"policy_change", "membership_change"}),
    "records": frozenset({"submit"}),
    "count": frozenset(
        {
            "refused_login",
            "query",
            "explain",
            "call",
            "submit",
            "watch",
            "consult",
            "group",
            "step",
            "about",
        }
    ),
    "watch": frozenset({"watch", "alert"}),
    "basis": frozenset({"consult"}),
    "procedure": frozenset({"step"}),
    "case": frozenset({"step", "consult"}),
    "step": frozenset({"step"}),
    "disclosable_from": frozenset({"query", "call", "step", "consult"}),
}
"""Field to the kinds that may carry it; a field that is not here may stand in any."""

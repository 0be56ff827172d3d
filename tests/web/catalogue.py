"""Every sentence that a console can say: what its templates hold, and words of our own lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from jinja2.ext import babel_extract

from gateway.console.anomalies import RULES
from gateway.console.overview import OUTCOMES
from landbridge.levels import Level
from policies.progress import CaseState, StepState
from policies.terms import PERIODS

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "landbridge" / "web"
CONSOLE = ROOT / "gateway" / "console"
DESK = ROOT / "landbridge" / "desk"
ROOMS = {SHARED: "shared", CONSOLE: "console", DESK: "desk"}

OWN: dict[Path, Iterable[str]] = {
    SHARED: (
        "There is no such page.",
        "Too many requests; wait a moment.",
        "You are not signed in.",
        "The bearer token is not valid.",
        "This form is not one that was made for your session.",
        "The provider that people sign in at cannot be used now.",
        "No policy of the owner permits this request.",
    ),
    CONSOLE: (
        *OUTCOMES,
        *PERIODS,
        *(each.value for each in CaseState),
        *(each.value for each in StepState),
        *(each.label for each in Level),
        *(text for rule in RULES for text in (rule.name, rule.sentence)),
        "kind", "outcome", "organisation", "purpose", "resource",
        "opened", "replied", "accepted", "withdrawn", "used",
    ),
    DESK: (
        "open", "asked", "offered", "approved", "declined", "expired", "withdrawn",
        "opened", "approved_once", "narrowed", "replied", "accepted", "escalated",
        "Consultations",
    ),
}  # fmt: skip


def said(room: Path) -> set[str]:
    """Every message of a room."""
    found = {text for text in OWN[room] if text}
    for path in sorted((room / "templates").glob("*.html")):
        with path.open("rb") as file:
            for _, _, message, _ in babel_extract(
                file, ["_", "_.text"], [], {"encoding": "utf-8", "silent": "false"}
            ):
                first = message if isinstance(message, str) else (message or ("",))[0]
                found |= {first} if first else set()
        found |= set(re.findall(r'\("\w+", "([A-Z][^"]+)"\)', path.read_text()))
    for path in sorted(room.glob("*.py")):
        text = path.read_text()
        found |= set(re.findall(r'Tab\(\s*"[^"]+",\s*"([^"]+)"', text))
        found |= set(re.findall(r'\("(Questions by [^"]+)"', text))
    return found


def names_of_values(message: str) -> set[str]:
    """The names that a message's values have."""
    return set(re.findall(r"%\((\w+)\)s", message))

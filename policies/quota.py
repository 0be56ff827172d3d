"""How often a handler replies, and about how many: what bounds scraping.

Counted per organisation, so that a second account buys nothing; a caller's own rate beside it keeps
one program of an organisation from using up what its colleagues need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PERIODS: Final = ("day", "month", "year")
_KEYS: Final = (
    *(f"subjects_per_{period}" for period in PERIODS),
    "calls_per_minute",
    "calls_per_subject_per_day",
)
KEYS: Final = frozenset(_KEYS)
CALLS_PER_MINUTE: Final = 60_000
CALLS_PER_SUBJECT: Final = 1_000_000
"""Where the owner sets none: no bound that an honest caller could feel."""


@dataclass(frozen=True, slots=True)
class Quota:
    """`subjects` are pairs of a period and how many different subjects in it, at least one pair."""

    subjects: tuple[tuple[str, int], ...]
    calls_per_minute: int = CALLS_PER_MINUTE
    calls_per_subject_per_day: int = CALLS_PER_SUBJECT

    def limits(self) -> dict[str, int]:
        """Every limit by the key that declares it."""
        return {
            **{f"subjects_per_{period}": most for period, most in self.subjects},
            "calls_per_minute": self.calls_per_minute,
            "calls_per_subject_per_day": self.calls_per_subject_per_day,
        }

    def __str__(self) -> str:
        return ", ".join(f"{most} subjects a {period}" for period, most in self.subjects)


def read_quota(terms: Mapping[str, Any], problems: list[str]) -> Quota:
    """The quota that a handler's terms declare; adds a sentence for whatever is wrong."""
    found = {key: terms[key] for key in _KEYS if key in terms}
    for key, most in found.items():
        if type(most) is not int or most < 1:
            problems.append(f"{key} is a whole number above 0")
    subjects = tuple(
        (period, found[f"subjects_per_{period}"])
        for period in PERIODS
        if f"subjects_per_{period}" in found
    )
    if not subjects:
        problems.append("one of subjects_per_day, subjects_per_month, subjects_per_year is missing")
    return Quota(
        subjects,
        found.get("calls_per_minute", CALLS_PER_MINUTE),
        found.get("calls_per_subject_per_day", CALLS_PER_SUBJECT),
    )

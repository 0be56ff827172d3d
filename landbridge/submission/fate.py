"""What can come of a record that is handed in: a closed list, the same words at both ends."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Fate(StrEnum):
    """Of one record; docs/submit.md says of each what to do about it."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    """It was taken before; nothing happened a second time."""
    MALFORMED = "MALFORMED"
    OVERSIZED = "OVERSIZED"
    OUT_OF_DOMAIN = "OUT_OF_DOMAIN"
    REPLAYED = "REPLAYED"
    """Its id was used for another record."""
    EARLY = "EARLY"
    LATE = "LATE"
    CLOCK_SKEW = "CLOCK_SKEW"
    QUOTA = "QUOTA"
    ALREADY_REPORTED = "ALREADY_REPORTED"
    UNKNOWN_ORIGINAL = "UNKNOWN_ORIGINAL"
    FORGED = "FORGED"
    """It was sealed by or for somebody else, or changed on its way."""
    WRONG_KEY = "WRONG_KEY"
    """It was sealed to another key than the department has now."""
    FORM_CHANGED = "FORM_CHANGED"
    """It was made for another text of the contract."""


TAKEN: Final = frozenset({Fate.ACCEPTED, Fate.DUPLICATE})
"""The department has it."""

AGAIN: Final = frozenset({Fate.WRONG_KEY, Fate.FORM_CHANGED, Fate.FORGED})
"""What sealing the same record anew can mend: a key, a contract or a token has changed since."""

SENTENCES: Final = {
    Fate.ACCEPTED: "was taken",
    Fate.DUPLICATE: "had been taken before",
    Fate.MALFORMED: "is no record as the contract has them",
    Fate.OVERSIZED: "is too large",
    Fate.OUT_OF_DOMAIN: "holds a value that the contract does not allow",
    Fate.REPLAYED: "has the id of another record",
    Fate.EARLY: "came before the collection opens",
    Fate.LATE: "came after the collection, or the time for corrections, had ended",
    Fate.CLOCK_SKEW: "says that it was made in the future; set the device's clock",
    Fate.QUOTA: "is one more than this device or organisation may hand in now",
    Fate.ALREADY_REPORTED: "is about a subject and period that were reported already; correct it",
    Fate.UNKNOWN_ORIGINAL: "corrects a record that is not there or not yours to correct",
    Fate.FORGED: "was not sealed by whoever sent it, or was changed on its way",
    Fate.WRONG_KEY: "was sealed to a key that the department does not have now",
    Fate.FORM_CHANGED: "was made for another text of the contract",
}
"""Each completes "a record ..."."""

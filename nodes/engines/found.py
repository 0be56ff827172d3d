"""What a load found in its source: the rules that rows break, and what was written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policies.columns import MAXIMUM_WORD
from policies.selection import MAXIMUM_FOUND


class Rule(StrEnum):
    """What a file, or one of its columns, can break; the text completes "<n> rows ..."."""

    UNREADABLE = "cannot be read as the kind of file that its name says"
    UNFINISHED = "could not be processed; disk or memory may be full"
    LOCKED = "is encrypted, and engine.source_key, which is for such files, does not open it"
    OPEN = "has changes beside it (.wal): let whoever has it open checkpoint and close it"
    TABLES = "holds several tables, of which none is named as the contract, or none at all"
    LARGE = "makes a table of more than 16 GB, which is not encrypted as one file"
    CHANGING = "was written to while it was being loaded"
    ABSENT = "is not in the file"
    TYPE = "do not fit the type"
    NULL = "are missing where the contract allows none"
    BOUNDS = "lie outside the bounds"
    DOMAIN = "are not in the declared domain"
    UNIQUE = "repeat an earlier row's value"
    KEY = "repeat an earlier row's key of a link"
    VARIETY = f"hold more than {MAXIMUM_FOUND} different values"
    WORD = f"hold more than {MAXIMUM_WORD} characters or some that cannot be printed"


@dataclass(frozen=True, slots=True)
class Violation:
    """`rows` rows break `rule` in `column` (empty: the file itself, and `rows` is 0).

    `line` is where a CSV file became unreadable, 0 if that is not known. No value is ever in it.
    """

    column: str
    rule: Rule
    rows: int
    line: int = 0

    def __str__(self) -> str:
        if not self.column:
            return f"the file {self.rule}" + (f" (line {self.line})" if self.line else "")
        if self.rule is Rule.ABSENT:
            return f"column {self.column} {self.rule}"
        return f"column {self.column}: {self.rows} rows {self.rule}"


@dataclass(frozen=True, slots=True)
class Built:
    """What was found in the file, and, where `violations` is empty, written to the draft.

    `rows` counts the file's rows; `stored` those in the table; `set_aside` those without a unit.
    """

    rows: int
    ignored: tuple[str, ...]
    violations: tuple[Violation, ...]
    stored: int = 0
    units: int = 0
    set_aside: int = 0
    largest_unit: int = 0

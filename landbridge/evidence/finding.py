"""What a check of evidence found wrong."""

from __future__ import annotations


class EvidenceError(Exception):
    """Evidence that does not hold: `where` it is (file, index, part), `what` is wrong.

    Neither ever contains the content of an entry, so that the sentence may be shown to anybody.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what

    def __reduce__(self) -> tuple[type[EvidenceError], tuple[str, str]]:
        return type(self), (self.where, self.what)

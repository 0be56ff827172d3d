"""What a load found and did, for the owner's eyes."""

from __future__ import annotations

from dataclasses import dataclass

from nodes.engines.found import Violation
from nodes.store import Loaded


@dataclass(frozen=True, slots=True)
class Report:
    """What a load found. For the owner's eyes: it holds counts over the data, but no value.

    `ignored` names the file's columns that the contract does not list. `loaded` is None where
    something was violated. `unchanged`: this source had been loaded already, so that the data
    version stays, and with it the answers that were given.
    """

    contract: str
    source: str
    rows: int
    ignored: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()
    loaded: Loaded | None = None
    unchanged: bool = False


class LoadRefused(Exception):
    """The file breaks the contract: nothing was loaded, and what was served before still is."""

    def __init__(self, report: Report) -> None:
        found = "; ".join(str(violation) for violation in report.violations)
        super().__init__(f"{report.source} was not loaded as {report.contract}: {found}.")
        self.report = report

"""Exact cells of one data version: step (8). What they become is the release step's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from landbridge.days import AsOf, planned_for
from landbridge.edge.record import Draft
from landbridge.errors import LandbridgeError, error
from nodes.compile import Statement, compile_histograms, compile_question
from nodes.engines.engine import Cell, Engine
from nodes.shape import fits
from nodes.store import Loaded
from policies.contract import Contract
from policies.disclosure import ReleasePlan

MARGIN = 0.25
"""Seconds kept back from the deadline for the release, the log and the way back."""

Rows = list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Run:
    """What a computation needs, all of one data version."""

    engine: Engine
    contract: Contract
    plan: ReleasePlan
    data_version: str
    time_left: Callable[[], float]

    @property
    def too_late(self) -> bool:
        """Whether there is no time left to begin."""
        return self.time_left() <= MARGIN + self.plan.seconds

    def rows(self, statement: Statement) -> Rows:
        """What the engine gives for a statement; raises DEADLINE."""
        timeout = self.time_left() - MARGIN - self.plan.seconds
        if timeout <= 0:
            raise error("DEADLINE")
        return self.engine.run(
            statement.sql, statement.parameters, timeout=timeout, maximum_rows=statement.rows
        )

    def cells(self, plan: ReleasePlan, codes: tuple[int, ...] = ()) -> tuple[Rows, list[Rows]]:
        """The cells of all plain measures, and those of each histogram.

        `plan` is this run's, its open axis closed; `codes` are the engine's of what was found.
        """
        dialect = self.engine.dialect
        plain = [compile_question(plan, self.contract, codes, dialect)] if plan.plain else []
        cells = [row for statement in plain for row in self.rows(statement)]
        # One engine for all of them, so of one data version, and one deadline.
        histograms = compile_histograms(plan, self.contract, codes, dialect)
        return cells, [self.rows(each) for each in histograms]


def data_version(department: str, contract: Contract, tables: Mapping[str, Loaded]) -> str:
    """Which load of each table the answer is computed from, in the order of the parts."""
    versions = []
    for part in contract.each:
        loaded = tables.get(part.id)
        if loaded is None or not fits(loaded, part):
            raise not_loaded(department, part.id)
        versions.append(loaded.version)
    return " ".join(versions)


def require_day(
    department: str, contract: Contract, tables: Mapping[str, Loaded], planned: AsOf, draft: Draft
) -> None:
    """Raises DATE_CHANGED unless the tables are of the days that the question was planned for.

    Notes the days in the draft. `planned` names them where anybody says of which day data are.
    """
    found = {part.id: tables[part.id].as_of for part in contract.each if part.id in tables}
    stated = {name: day for name, day in found.items() if day}
    if stated:
        draft.note(as_of=stated)
    for name, day in found.items():
        if planned_for(planned, department, name) not in (None, day):
            raise error("DATE_CHANGED", missing=(department,))


def not_loaded(department: str, contract: str) -> LandbridgeError:
    """An operator's matter; the caller learns only that this department is not ready."""
    return error(
        "DEPARTMENT_MISSING",
        f"Department {department} has not loaded {contract} yet.",
        missing=(department,),
    )

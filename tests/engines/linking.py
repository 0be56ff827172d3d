"""Questions that link departments whose tables lie with several engines, and their truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any, Protocol

from nodes.engines.engine import Engine
from nodes.load_report import Report
from nodes.store import Store
from policies import odcs
from policies.contract import Contract
from tests.linked.world import SERVING, Truth, document, federation, rows_of

SEED = 3
PRICE = 900.0
"""Dear enough that a handful of dummies is all that there are."""
ASKED = (
    "SELECT earners.band AS k, count(*), count(DISTINCT person), sum(income), avg(rent), "
    "sum(marks) FROM tax.earners JOIN school.pupils USING (person) GROUP BY k",
    "SELECT earners.band AS k, count(*), sum(cost), count(kind) FROM tax.earners "
    "JOIN health.visits USING (person) WHERE income > 0 AND visits.town = 'B' GROUP BY k",
)


class Place(Protocol):
    """See `tests.engines.places`."""

    store: Store

    def load(self, contract: Contract, rows: Sequence[Sequence[Any]]) -> Report:
        """Puts rows there, and loads them."""
        ...

    def engine(self) -> Engine:
        """Over them."""
        ...


def contents(department: str) -> list[tuple[Any, ...]]:
    """A department's rows; the school keeps numbers as text."""
    rows = rows_of(department, SEED)
    return [(str(row[0]), *row[1:]) for row in rows] if department == "school" else rows


def contract(department: str) -> Contract:
    """Its contract."""
    return odcs.read(document(SERVING[department]), department)


def require_truth(folder: Path, places: Mapping[str, Callable[[], Place]]) -> None:
    """Without noise, what these engines and DuckDB's files say together is the truth."""
    departments = ("tax", "school", "health")
    elsewhere = {}
    for name, make in places.items():
        place = make()
        place.load(contract(name), contents(name))
        elsewhere[name] = (place.store, place.engine)
    simulated = federation(folder, departments, seed=SEED, elsewhere=elsewhere)
    truth = Truth({SERVING[name]: rows_of(name, SEED) for name in departments})
    try:
        for text in ASKED:
            found = {row[0]: row[1:] for row in simulated.query(text, epsilon=PRICE).rows()}
            expected = {row[0]: row[1:] for row in truth.ask(text)}
            assert len(expected) == 4  # bands, and those without
            for cell, numbers in expected.items():
                for ours, theirs in zip(found[cell], numbers, strict=True):
                    assert isclose(float(str(ours or 0)), theirs or 0, rel_tol=1e-6), (text, cell)
    finally:
        simulated.close()

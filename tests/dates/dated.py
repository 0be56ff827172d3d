"""Loads of a given day, as an owner makes them, over the rows that a department has."""

from __future__ import annotations

from dataclasses import replace

from nodes.store import Store
from tests.simulator import FederationSimulator

FIRST, SECOND = "2026-10-31", "2026-11-30"


def loaded(federation: FederationSimulator, department: str, contract: str, day: str) -> None:
    """The same rows again, of that day; the gateway has not heard of it yet."""
    store = Store(federation.folder / department / "data")
    with store.loading(contract):
        current = store.current(contract)
        assert current is not None
        store.publish(contract, replace(current, as_of=day))


def dated(federation: FederationSimulator, contract: str, days: dict[str, str]) -> None:
    """Loads of these days by department, which the gateway has heard of."""
    for department, day in days.items():
        loaded(federation, department, contract, day)
    federation.departments.refresh()


def asked(federation: FederationSimulator, department: str) -> list[str]:
    """What else than descriptions the gateway wanted of it."""
    kinds = (type(each).__name__ for each in federation.nodes[department].received)
    return [kind for kind in kinds if kind != "DescribeRequest"]


def spent(federation: FederationSimulator, department: str) -> int:
    """What its ledger has charged in all."""
    return sum(entry.charged_micro_rho for entry in federation.entries(department))

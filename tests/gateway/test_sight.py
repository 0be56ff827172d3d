"""A department whose log has two histories is not believed, whatever it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from landbridge.errors import LandbridgeError
from tests.people import crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
COUNT = "SELECT count(*) FROM people"


@dataclass
class Seen:
    """What a test lets the gateway have seen."""

    forked: set[str] = field(default_factory=set)
    size: int = 0

    def trusted(self, department: str) -> bool:
        """As `Sight.trusted`."""
        return department not in self.forked

    def sizes(self, departments: Iterable[str]) -> Mapping[str, int]:
        """As `Sight.sizes`."""
        return dict.fromkeys(departments, self.size)


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """Two departments."""
    return simulate({"north": crowd(20), "south": crowd(20, seed=8)})


def test_it_is_not_asked_and_is_named_as_missing(federation: FederationSimulator) -> None:
    """Nothing is charged there for an answer that nobody would take."""
    federation.asking._gathering._sight = Seen({"south"})
    before = federation.nodes["south"].runs
    with pytest.raises(LandbridgeError, match="DEPARTMENT_MISSING") as refused:
        federation.query(COUNT)
    assert refused.value.missing == ("south",)
    assert federation.query(COUNT, partial=True).missing == ("south",)
    assert federation.nodes["south"].runs == before


def test_an_entry_in_the_midst_of_what_was_seen_proves_nothing(
    federation: FederationSimulator,
) -> None:
    """A log that was put back gives its next entry a place that another one had."""
    seen = Seen()
    federation.asking._gathering._sight = seen
    federation.query(COUNT)
    seen.size = 100
    with pytest.raises(LandbridgeError, match="ANSWER_REJECTED") as refused:
        federation.query(f"{COUNT} WHERE age > 30")
    assert "stands where another one was seen" in str(refused.value)

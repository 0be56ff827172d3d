"""How workers share the tests: what has a fixture in common stays together, the longest goes first.

`pytest -n 2` gives each worker one unit after the other. A unit is a file, so that its federation
starts once; a folder where several files ask one federation. A long unit that starts last leaves
the other worker idle, so the long ones start first, in the order below; the rest follows in the
order of their names.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

TOGETHER = (
    "tests/attacks",
    "tests/journeys",
    "tests/console",
    "tests/submission",
    "tests/engines",
)
"""Folders whose files share what takes seconds to start."""

LONGEST_FIRST = (
    "tests/engines",
    "tests/attacks",
    "tests/journeys",
    "tests/console",
    "tests/examples/test_examples.py",
    "tests/cases/test_replicas.py",
    "tests/cli/test_journeys.py",
    "tests/audit/test_mechanisms.py",
    "tests/docs/test_snippets.py",
    "tests/submission",
    "tests/operating/test_rolling_restart.py",
    "tests/cases/test_faults.py",
    "tests/membership/test_renewal.py",
    "tests/disclosure/test_programme.py",
    "tests/cases/test_silent_offices.py",
    "tests/faults/test_storm.py",
    "tests/faults/test_lines.py",
    "tests/watch/test_journey.py",
    "tests/pooling/test_lies.py",
    "tests/linked/test_rounds.py",
    "tests/linked/test_shared.py",
    "tests/joins/test_cells.py",
    "tests/nodes_engine/test_load.py",
    "tests/examples/test_joint_questionnaire.py",
    "tests/pooling/test_faults.py",
    "tests/pooling/test_by_department.py",
    "tests/census/test_attacks.py",
    "tests/linked/test_truth.py",
    "tests/groups/test_journeys.py",
    "tests/watch/test_attending.py",
    "tests/linked/test_schemas.py",
    "tests/docs/test_site.py",
    "tests/audit/test_selection.py",
    "tests/consultation/test_deciding.py",
    "tests/gateway/test_questions.py",
)
"""Units of more than about twenty seconds of one core, the longest first."""


def unit(test: str) -> str:
    """What a test (its node id, from the root of the tree) is given to a worker with."""
    file = test.split("::", 1)[0]
    folder = next((each for each in TOGETHER if file.startswith(f"{each}/")), None)
    return folder or file


def ordered(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The tests, the longest units first; within a unit as they were."""
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    return sorted(items, key=lambda item: rank.get(unit(item.nodeid), len(rank)))

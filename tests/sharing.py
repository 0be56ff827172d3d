"""How workers share the tests: what has a fixture in common stays together, the longest goes first.

`pytest -n 3` gives each worker one unit after the other. A unit is a file, so that its federation
starts once; a folder where several files ask one federation. A long unit that starts last leaves
the other workers idle, so the long ones start first, in the order below; the rest follows in the
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
    "tests/attacks",
    "tests/engines",
    "tests/console",
    "tests/journeys",
    "tests/examples/test_examples.py",
    "tests/cli/test_journeys.py",
    "tests/submission",
    "tests/nodes_engine/test_pool.py",
    "tests/cases/test_silent_offices.py",
    "tests/docs/test_snippets.py",
    "tests/cases/test_replicas.py",
    "tests/disclosure/test_programme.py",
    "tests/linked/test_rounds.py",
    "tests/membership/test_renewal.py",
    "tests/nodes_engine/test_load.py",
    "tests/audit/test_crossing.py",
    "tests/faults/test_machine.py",
    "tests/faults/test_lives.py",
    "tests/faults/test_storm.py",
    "tests/pooling/test_lies.py",
    "tests/joins/test_cells.py",
    "tests/quantiles/test_interval.py",
    "tests/consultation/test_deciding.py",
    "tests/linked/test_truth.py",
    "tests/cli/test_policy.py",
    "tests/audit/test_random_texts.py",
    "tests/audit/test_selection.py",
    "tests/audit/test_attackers.py",
    "tests/docs/test_site.py",
    "tests/audit/test_advantage.py",
    "tests/gateway/test_questions.py",
    "tests/consultation/test_grants.py",
    "tests/cases/test_faults.py",
    "tests/linked/test_shared.py",
    "tests/faults/test_lines.py",
    "tests/census/test_attacks.py",
    "tests/linked/test_schemas.py",
    "tests/watch/test_journey.py",
    "tests/audit/test_mechanisms.py",
    "tests/audit/test_threshold.py",
    "tests/operating/test_rolling_restart.py",
    "tests/quantiles/test_asking.py",
    "tests/gateway/test_reconciliation.py",
    "tests/selection/test_questions.py",
    "tests/groups/test_journeys.py",
    "tests/pooling/test_rounds.py",
    "tests/watch/test_attending.py",
    "tests/policies/test_outlet.py",
    "tests/pooling/test_faults.py",
    "tests/watch/test_standing.py",
    "tests/cli/test_refusals.py",
    "tests/nodes_engine/test_limits.py",
    "tests/pooling/test_by_department.py",
    "tests/disclosure/test_worlds.py",
    "tests/joins/test_federation.py",
    "tests/cli/test_help.py",
    "tests/examples/test_joint_questionnaire.py",
    "tests/gateway/test_column_access.py",
    "tests/linked/test_transcript.py",
    "tests/linked/test_memory.py",
    "tests/gateway/test_arithmetic.py",
    "tests/census/test_journey.py",
    "tests/sql/test_flight.py",
    "tests/operating/test_workers.py",
    "tests/operating/test_keys.py",
    "tests/operating/test_large_questions.py",
    "tests/gateway/test_portal.py",
    "tests/gateway/test_levels.py",
    "tests/operating/test_doctor.py",
    "tests/audit/test_kinds_apart.py",
)
"""Units of more than about ten seconds, the longest first."""


def unit(test: str) -> str:
    """What a test (its node id, from the root of the tree) is given to a worker with."""
    file = test.split("::", 1)[0]
    folder = next((each for each in TOGETHER if file.startswith(f"{each}/")), None)
    return folder or file


def ordered(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The tests, the longest units first; within a unit as they were."""
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    return sorted(items, key=lambda item: rank.get(unit(item.nodeid), len(rank)))

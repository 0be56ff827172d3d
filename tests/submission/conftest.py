"""One town for the tests that need real processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

import landbridge.testing
from landbridge.federation.running import Federation
from landbridge.reasons import DepartmentMissing
from tests.submission.survey import survey
from tests.submission.town import PURPOSE, RULES, document, lay


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A gateway and the rescue service: real processes, real gRPC."""
    folder = lay(tmp_path_factory.mktemp("town") / "federation", {
        **RULES,
        "one": {"per": ["person"]},
        "correct": {"by": "contributor", "also": ["enumerators"]},
        "quota": {"device": {"records": 6_000, "period": "never"}},
    })  # fmt: skip
    (folder / "rescue" / "contracts" / "survey.odcs.yaml").write_text(survey())
    closed = datetime.now(UTC) - timedelta(days=2)
    past = document({
        "open": (closed - timedelta(days=30)).isoformat(),
        "close": closed.isoformat(),
        "grace": 24 * 30,
        "quota": {"device": {"records": 3, "period": "never"}},
    })  # fmt: skip
    (folder / "rescue" / "contracts" / "past.odcs.yaml").write_text(
        past.replace('"requests"', '"past"')
    )
    (folder / "rescue" / "contracts" / "bad.odcs.yaml").write_text(
        document({}).replace('"requests"', '"bad"')
    )
    with landbridge.testing.federation(folder) as running:
        _await_version(running)
        yield running


def _await_version(running: Federation) -> None:
    """Until the collection is there to be asked: its first version, of no record, comes a moment
    after the node listens.
    """
    with running.client("office") as office:
        for _ in range(240):
            try:
                office.query("SELECT count(*) AS n FROM requests", purpose=PURPOSE, epsilon=100)
            except DepartmentMissing:
                time.sleep(0.25)
            else:
                return
    raise AssertionError("No version of the collection came.")

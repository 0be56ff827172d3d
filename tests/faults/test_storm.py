"""Everything fails while callers ask; afterwards everything that must hold does."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.faults.nursery import Nursery
from tests.faults.storm import storm

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("LANDBRIDGE_KILLS", "6"))
SEED = int(os.environ.get("LANDBRIDGE_SEED", "0")) or secrets.randbelow(1 << 32)


def test_nothing_that_must_hold_breaks_whatever_fails_when(
    tmp_path: Path, nursery: Nursery
) -> None:
    """Kill -9, in recovery too, among stopped processes, full disks, cut and silent lines.

    LANDBRIDGE_SEED=... plays it again.
    """
    print(f"LANDBRIDGE_SEED={SEED}")  # noqa: T201 - shown when it fails
    with storm(tmp_path, nursery, SEED) as blown:
        blown.blow(KILLS)
        assert blown.findings() == []
        assert blown.clogs.count["kill"] >= KILLS

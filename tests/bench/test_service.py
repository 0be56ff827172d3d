"""The service beside which `log_on` measures: the real one, and really without a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.service import DEPARTMENT, service
from landbridge.evidence import Entry, verify_folder


@pytest.mark.journey
def test_a_service_without_a_log_answers_and_leaves_no_entry(tmp_path: Path) -> None:
    """A floor that logged after all would make the row look kept; one that failed, too."""
    with service("floor", tmp_path, lambda _: None, gateway=False, node=False) as asked:
        for _ in range(3):
            asked.ask()
        assert asked.processor_seconds() > 0
    kinds = {}
    for name in ("gateway", DEPARTMENT):
        folder = tmp_path / "floor" / "state" / name / "log"
        held = verify_folder(folder, (folder / "vkey").read_text("utf-8").strip())
        kinds[name] = [Entry.from_bytes(entry).kind for _, entry in held.entries()]
    assert kinds["gateway"] == ["start", "stop"], "of the real gateway before it"
    assert "start" in kinds[DEPARTMENT]
    assert "query" not in kinds[DEPARTMENT]

"""Records that cannot be made a table for a while: it is said once, and nobody has to help."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from landbridge.errors import Unavailable
from nodes import publishing
from nodes.intake import Intakes
from nodes.publishing import Publishing
from nodes.store import Store
from policies import odcs
from policies.contract import Contract
from tests.groups.documents import REPORTS, reports


def test_a_folder_that_cannot_be_made_is_said_once_and_made_when_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No defect is reported, callers are told to come again, and the table is there afterwards."""
    monkeypatch.setattr(publishing, "LOOK", 0.01)
    document = json.dumps(reports(REPORTS)).encode()
    contract = odcs.read(document, "reports")
    place, store = tmp_path / "intake", Store(tmp_path / "data")
    place.write_text("a file where a folder must be")
    told, defects, looks = list[str](), list[BaseException](), list[None]()

    def collecting() -> dict[str, tuple[Contract, bytes]]:
        looks.append(None)
        return {contract.id: (contract, document)}

    intakes = Intakes(place, time.time)
    looking = Publishing(
        place, tmp_path / "data", intakes, collecting, lambda: 60.0, told.append, defects.append
    )
    looking.start()
    try:
        with pytest.raises(Unavailable) as refusal:
            intakes.of(contract)
        assert refusal.value.reason == "INTAKE_UNAVAILABLE"
        _await(lambda: len(looks) > 3)
        assert told == []
        place.unlink()
        blocking = place / contract.id / "empty.csv"
        blocking.mkdir(parents=True)
        _await(lambda: bool(told))
        seen = len(looks)
        _await(lambda: len(looks) > seen + 3)
        assert told == [
            "what was collected of reports cannot be made a table; questions see the earlier one"
        ]
        blocking.rmdir()
        _await(lambda: store.current(contract.id) is not None)
    finally:
        looking.close()
        intakes.close()
    assert defects == []
    assert len(told) == 1


def _await(ready: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if ready():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")

"""A store or a log that fails once, between the two halves of a change: it goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.cases.database import Database
from gateway.watches.store import WatchStore
from gateway.watches.telling import Telling
from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry, SubjectKey
from landbridge.evidence.log import Log
from landbridge.evidence.lookup import Lookup
from landbridge.evidence.signer import Signer
from landbridge.v1 import watch_pb2
from tests.cases.test_replicas import standing
from tests.cases.test_silence import Town, notes

WHOLE = ["opened", "asked", "replied", "decided"]


class Failing:
    """A method that fails once, at its n-th call."""

    def __init__(self, patch: pytest.MonkeyPatch, of: object, name: str, reason: str, at: int):
        self.calls = 0
        real: Any = getattr(of, name)

        def called(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == at:
                raise error(reason)
            return real(*arguments, **options)

        patch.setattr(of, name, called)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """One office that replies at once."""
    made = Town(tmp_path, "refuse", 60)
    made.office.speaks.set()
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("where", "name", "reason", "at"),
    [
        ("store", "show", "CASES_UNAVAILABLE", 1),
        ("store", "show", "CASES_UNAVAILABLE", 2),
        ("store", "begin", "CASES_UNAVAILABLE", 1),
        ("recorder", "append_each", "LOG_UNAVAILABLE", 1),
        ("recorder", "append_each", "LOG_UNAVAILABLE", 2),
    ],
)
def test_a_case_goes_on_when_a_change_failed_half_way(
    town: Town, monkeypatch: pytest.MonkeyPatch, where: str, name: str, reason: str, at: int
) -> None:
    """I5, I10: what is stored and not shown would be stuck until somebody starts the gateway."""
    failing = Failing(monkeypatch, getattr(town.recording, f"_{where}"), name, reason, at)
    with suppress(LandbridgeError):  # whoever opens it is told to ask again, and it is open then
        town.open()
    assert town.when("a" * 32, lambda said: "approved" in said)[-1] == "approved"
    assert failing.calls >= at
    assert town.reported == []  # a store that is away for a moment is no defect
    town.stop()
    assert notes(town.folder / "log") == WHOLE
    town.start()


@pytest.mark.parametrize("name", ["show", "append"])
def test_an_alert_that_failed_half_way_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """I5: begun is begun, so nothing else would tell it before the next start."""
    store = WatchStore(Database(f"sqlite:///{tmp_path / 'cases.sqlite'}"), "town/gateway")
    log = Log.open(tmp_path / "log", tmp_path / "journal", Signer.create("town/gateway"))
    recorder = Recorder(log, SubjectKey.create(), "0" * 64, lambda: 1_790_000_000.0)
    asked = watch_pb2.CreateWatchRequest(purpose="p").SerializeToString()
    telling, watch = Telling(store, recorder), replace(standing(0), asked=asked)
    assert store.create(watch)
    reason = {"show": "CASES_UNAVAILABLE", "append": "LOG_UNAVAILABLE"}[name]
    Failing(monkeypatch, store if name == "show" else log, name, reason, 1)
    event = watch_pb2.WatchEvent(watch=watch.id, number=1, kind="alert", alert=1)
    with pytest.raises(LandbridgeError, match=reason):
        telling.tell(watch, event, alert=1)
    assert not telling.tell(watch, event, alert=1)
    telling.finish(watch.id)
    telling.finish(watch.id)
    assert store.unlogged() == []
    log.close()
    told = [
        entry
        for _, content in Lookup.of(tmp_path / "log").entries(0)
        if (entry := Entry.from_bytes(content)).outcome == "answered"
    ]
    assert [entry.note for entry in told] == ["event 1: alert"]

"""Records handed in, when the process that keeps them ends at any write, and when clocks jump.

The process is the real one, of a node that is not there: parcels go in as `Intaking` puts them.
"""

from __future__ import annotations

import json
import os
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from landbridge.errors import LandbridgeError
from landbridge.submission.check import Plain
from landbridge.submission.fate import TAKEN, Fate
from nodes import intake as intakes
from nodes.engines.process import WorkerProcess
from nodes.intake import Intake, Parcel, Row
from policies.acceptance import Rights
from policies.contract import Contract, Correctors
from policies.odcs import read
from tests.faults.mortal import SETTINGS, TOLD, traceable
from tests.submission.town import RULES, document

pytestmark = pytest.mark.skipif(not traceable(), reason="no process may trace another here")

SEED = int(os.environ.get("LANDBRIDGE_SEED", "0")) or secrets.randbelow(1 << 32)
LIVES: Final = 2
FIRST: Final = 36
"""Operations of which one is the last here; `make torture` ends the process at every one."""
NOON: Final = 1_795_780_800.0
DAY: Final = 86_400.0
RIGHTS: Final = Rights(Correctors.CONTRIBUTOR, frozenset(), open=True)


def contract() -> Contract:
    """Requests for help, one a person."""
    return read(document({**RULES, "one": {"per": ["person"]}}).encode(), "requests")


@dataclass
class Kept:
    """What was logged, and what callers were told, by record."""

    logged: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    fates: dict[str, Fate] = field(default_factory=dict)


def record(person: int, version: str = "a") -> Row:
    """Of one person; another version of it is another record about the same subject."""
    name = f"{person:015x}{version}"
    values: list[Plain] = [f"P-{person}", "north", person % 50, "2026-05-01", True, None]
    return Row(name * 2, name * 4, f"P-{person}", "", values)


def hand_in(intake: Intake, kept: Kept, rows: list[Row], **quotas: tuple[int, str]) -> list[Fate]:
    """One parcel, as far as it comes; raises what the sender is told."""
    found: list[Fate] = []

    def log(fates: list[Fate]) -> Callable[[], None]:
        found[:] = fates

        def durable() -> None:
            kept.logged.update(row.id for row, fate in zip(rows, fates, strict=True)
                               if fate is Fate.ACCEPTED)  # fmt: skip

        return durable

    parcel = Parcel("ann", "volunteers", rows, RIGHTS, quotas, log)
    intake.put(parcel)
    parcel.wait()
    for row, fate in zip(rows, found, strict=True):
        kept.fates[row.id] = fate
        kept.told[row.id] += fate is Fate.ACCEPTED
    return found


@contextmanager
def dying(folder: Path, at: int) -> Iterator[None]:
    """Processes that are started meanwhile end at that operation."""
    (folder / SETTINGS).write_text(json.dumps({"at": at}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intakes, "WorkerProcess", lambda _: WorkerProcess("tests.faults.mortal"))
        yield


def life(folder: Path, at: int, *, lived: bool) -> str:
    """One life of the process, then another that is well; gives what the first one ended at."""
    folder.mkdir(parents=True)
    kept = Kept()
    parcels = [[record(3 * number + place) for place in range(3)] for number in range(4)]
    if lived:
        first = Intake(contract(), folder, lambda: NOON)
        hand_in(first, kept, parcels[0])
        os.kill(first.pid, 9)
        first.close()
    with dying(folder, at):
        suffering = Intake(contract(), folder, lambda: NOON)
        for each in parcels:
            with suppress(LandbridgeError):
                hand_in(suffering, kept, each)
            with suppress(LandbridgeError):
                suffering.export(folder / "export.parquet", "person", 0)
        suffering.close()
    told = folder / TOLD
    ended = told.read_text() if told.exists() else ""
    before = Counter(kept.told)
    again = Intake(contract(), folder, lambda: NOON)
    for each in parcels:
        fates = hand_in(again, kept, each)
        for row, fate in zip(each, fates, strict=True):
            assert fate in TAKEN, (ended, fate)
            assert fate is Fate.DUPLICATE or not before[row.id], (ended, "it was lost")
    others = hand_in(again, kept, [record(number, "b") for number in range(12)])
    assert set(others) == {Fate.ALREADY_REPORTED}, ended
    standing = again.standing()
    exported = again.export(folder / "export.parquet", "person", 0)
    again.close()
    assert standing["records"] == 12, (ended, standing)
    assert exported.seq == 12, ended
    assert not [each for each in kept.told if kept.told[each] > 1], (ended, "taken twice")
    assert not [each for each in kept.told if kept.told[each] > kept.logged[each]], ended
    return ended


def test_records_are_kept_once_whichever_write_is_the_last(tmp_path: Path) -> None:
    """F1, F4, I1, I5: killed before any operation on files, half of a write done; nothing is lost,
    doubled or taken without an entry, and the next process needs no hand.
    """
    print(f"LANDBRIDGE_SEED={SEED}")  # noqa: T201 - shown when it fails
    chance = random.Random(SEED)
    ended = [
        life(tmp_path / str(number), chance.randint(1, FIRST), lived=bool(number % 2))
        for number in range(LIVES)
    ]
    assert any(ended)


@pytest.mark.parametrize("jump", [-3 * DAY, 2 * DAY, 20 * 366 * DAY])
def test_a_clock_that_jumps_loses_no_record_and_opens_no_quota_again(
    tmp_path: Path, jump: float
) -> None:
    """F23, I2: ahead there is another day's quota; put back, what was handed in counts there."""
    now = NOON
    kept = Kept()
    intake = Intake(contract(), tmp_path / "records", lambda: now)
    quota = {"device": (2, "day")}

    def fates(person: int) -> list[Fate]:
        return hand_in(intake, kept, [record(person)], **quota)

    assert fates(0) + fates(1) + fates(2) == [Fate.ACCEPTED, Fate.ACCEPTED, Fate.QUOTA]
    now = NOON + jump
    ahead = fates(3) + fates(4) + fates(5)
    new = [Fate.ACCEPTED, Fate.ACCEPTED, Fate.QUOTA]
    assert ahead == (new if jump > 0 else [Fate.QUOTA] * 3)
    now = NOON
    assert fates(6) == [Fate.QUOTA]
    intake.close()
    again = Intake(contract(), tmp_path / "records", lambda: now)
    assert hand_in(again, kept, [record(7)], **quota) == [Fate.QUOTA]
    assert again.standing()["records"] == sum(kept.told.values())
    again.close()

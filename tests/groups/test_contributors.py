"""Who voted is known for as long as the vote needs it, and then by nobody."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from landbridge.submission.fate import Fate
from nodes.contributors import KEY, Contributors
from nodes.intake import Intakes, Parcel, Row
from policies.acceptance import Rights
from policies.contract import Correctors
from tests.groups.documents import BALLOTS, PURPOSE, voting

CONTRACT = voting(BALLOTS)
MINA = Caller("mina", "residents", "app", Level.OPEN, frozenset({PURPOSE}), "", 0.0)


@pytest.fixture(scope="module")
def intakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intakes]:
    """The department's records; one process for the contract."""
    found = Intakes(tmp_path_factory.mktemp("intake"), lambda: 1_795_810_500.0)
    yield found
    found.close()


def folder(intakes: Intakes) -> Path:
    """Where the contract's records lie."""
    return intakes._folder / CONTRACT.id


def test_a_voter_is_known_again_until_the_poll_is_over(intakes: Intakes) -> None:
    """The same person has one digest, over restarts; after the end nobody has one.

    While there are ballots a lost key is not made anew: who has voted could vote again.
    """
    contributors = Contributors(intakes._folder, intakes)
    mina = contributors.digest(CONTRACT, MINA)
    assert contributors.digest(CONTRACT, replace(MINA, client="another", token_id="x")) == mina
    assert contributors.digest(CONTRACT, replace(MINA, subject="theo")) != mina
    assert contributors.digest(CONTRACT, replace(MINA, organisation="visitors")) != mina
    assert Contributors(intakes._folder, intakes).digest(CONTRACT, MINA) == mina
    key = folder(intakes) / KEY
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    _vote(intakes, mina)
    lasting = key.read_bytes()
    beside = folder(intakes) / "copy"
    beside.hardlink_to(key)
    contributors.forget(CONTRACT)
    contributors.forget(CONTRACT)
    assert not key.exists()
    assert beside.read_bytes() == bytes(len(lasting))  # what lay on the disk is overwritten
    for each in (contributors, Contributors(intakes._folder, intakes)):
        with pytest.raises(LandbridgeError) as caught:
            each.digest(CONTRACT, MINA)
        assert caught.value.reason == "INTAKE_UNAVAILABLE"


def test_with_a_ballot_stands_the_day_alone(intakes: Intakes) -> None:
    """An hour beside a ballot and an hour in the log would be a name beside a choice."""
    import duckdb

    intake = intakes.of(CONTRACT)
    assert intake.standing()["records"] == 1
    copy = folder(intakes) / "read.duckdb"
    copy.write_bytes((folder(intakes) / "records.duckdb").read_bytes())
    log = folder(intakes) / "records.duckdb.wal"
    if log.exists():
        copy.with_name("read.duckdb.wal").write_bytes(log.read_bytes())
    with duckdb.connect(str(copy)) as read:
        (found,) = read.execute("SELECT came, organisation, contributor FROM record").fetchall()
    assert found[:2] == ("2026-11-27", "")
    assert "mina" not in found[2]


def _vote(intakes: Intakes, voter: str) -> None:
    parcel = Parcel(
        voter,
        "",
        [Row("0" * 32, "1" * 32, "key", "", [voter, "keep"])],
        Rights(Correctors.CONTRIBUTOR, frozenset(), open=True),
        {},
        _logged,
        daily=True,
    )
    intakes.of(CONTRACT).put(parcel)
    parcel.wait()


def _logged(fates: list[Fate]) -> Callable[[], None]:
    assert fates == [Fate.ACCEPTED]
    return lambda: None

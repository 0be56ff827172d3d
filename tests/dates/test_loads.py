"""An owner says at a load of which day its data are; a department and a gateway pass it on."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError
from landbridge.federation.folder import FederationInvalid, read
from landbridge.testing import federation
from nodes.__main__ import main
from nodes.engines.found import Built
from nodes.engines.kind import Kind
from nodes.load import load
from nodes.load_existing import load_existing
from nodes.store import Store, StoreDamaged
from policies.contract import Contract
from tests.dates.dated import FIRST, SECOND
from tests.faults import town
from tests.people import contract, crowd, write

QUESTION = "SELECT topic, count(*) AS n FROM loans GROUP BY topic"


def served(store: Store) -> tuple[str, str]:
    """Day and version of what is served."""
    current = store.current("people")
    assert current is not None
    return current.as_of, current.version


def test_a_day_belongs_to_a_load_and_not_to_the_rows(tmp_path: Path) -> None:
    """The same rows of another day are the same version: what was answered is not drawn anew."""
    rows, store = write(crowd(20), tmp_path / "rows.csv"), Store(tmp_path / "data")
    load(contract(), rows, store, as_of=FIRST)
    day, version = served(store)
    assert day == FIRST
    assert load(contract(), rows, store, as_of=SECOND).unchanged
    assert served(store) == (SECOND, version)
    load(contract(), rows, store)
    assert served(store) == ("", version)
    assert served(Store(tmp_path / "data")) == ("", version)


class Elsewhere:
    """An engine that has the rows already."""

    def build(self, contract: Contract, source: str, version: str, secret: bytes) -> Built:
        """They are as the contract says."""
        del contract, source, version, secret
        return Built(3, (), (), stored=3, units=3, largest_unit=1)

    def forget(self, contract_id: str, keep: Collection[str]) -> None:
        """There are no others."""


def test_a_table_of_another_engine_has_a_day_too(tmp_path: Path) -> None:
    """It lies with the store's word of where the table is."""
    store = Store(tmp_path / "data")
    load_existing(contract(), "registry.people", store, Kind.POSTGRESQL, Elsewhere(), FIRST)
    assert served(store)[0] == FIRST


def test_a_day_that_is_none_damages_the_stores_file(tmp_path: Path) -> None:
    """And a file of an earlier release, which says no day, is as good as it was."""
    store = Store(tmp_path / "data")
    load(contract(), write(crowd(20), tmp_path / "rows.csv"), store, as_of=FIRST)
    path = tmp_path / "data" / "people" / "current.json"
    fields = json.loads(path.read_text())
    for wrong in ("2026-13-01", "yesterday", "2026-10-31T00:00:00Z", "٢٠٢٦-10-31"):
        path.write_text(json.dumps(fields | {"as_of": wrong}))
        with pytest.raises(StoreDamaged, match="load people again"):
            store.current("people")
    del fields["as_of"]
    path.write_text(json.dumps(fields))
    assert served(store)[0] == ""


@pytest.mark.parametrize("day", ["31.10.2026", "2026-02-30", "2026-1-1", "today\x1b[2J"])
def test_what_is_no_day_loads_nothing(day: str, capfd: pytest.CaptureFixture[str]) -> None:
    """One sentence, before anything is read."""
    assert main(["load", "nowhere/node.toml", "people", "rows.csv", "--as-of", day]) == 2
    said = capfd.readouterr()
    assert "as in 2026-10-31" in said.err
    assert "\x1b" not in said.err


def test_a_federations_folder_says_a_day_or_none(tmp_path: Path) -> None:
    """Another word in its place is refused, and the file is named."""
    place = town.write(tmp_path / "town")
    assert [member.as_of for member in read(place).members] == ["", ""]
    description = place / "federation.toml"
    text = description.read_text()
    description.write_text(f"{text}as_of = {FIRST}\n")
    assert [member.as_of for member in read(place).members] == ["", FIRST]
    description.write_text(f'{text}as_of = "soon"\n')
    with pytest.raises(FederationInvalid, match="as_of is a day"):
        read(place)


@pytest.mark.journey
def test_two_real_departments_are_asked_together_when_both_are_of_one_day(tmp_path: Path) -> None:
    """Real processes: from the loader's command to the answer that a caller holds."""
    place = town.write(tmp_path / "town")
    description = place / "federation.toml"
    description.write_text(
        description.read_text().replace("port = 0\n", f'port = 0\nas_of = "{FIRST}"\n')
        .replace(f'[gateway]\nport = 0\nas_of = "{FIRST}"\n', "[gateway]\nport = 0\n")
    )  # fmt: skip
    with federation(place, state=tmp_path / "state") as running, running.client("planner") as asker:
        answer = asker.query(QUESTION, purpose=town.PURPOSE)
        assert answer.as_of == {"loans": FIRST}
        every = {f"{name}.loans": FIRST for name in town.DEPARTMENTS}
        listed = {
            f"{member.department}.{each.id}": each.as_of
            for member in asker.directory().members
            for each in member.contracts
        }
        assert every.items() <= listed.items()
        source = place / "library" / "data" / "loans.csv"
        running.load("library", "loans", source, as_of=SECOND)
        said = set()
        for _ in range(600):
            try:
                asker.query(QUESTION, purpose=town.PURPOSE)
            except LandbridgeError as refusal:
                said.add(refusal.reason)
            if "DATES_DIFFER" in said:
                break
            time.sleep(0.05)
        assert said <= {"DATE_CHANGED", "DATES_DIFFER"}
        assert "DATES_DIFFER" in said
        mixed = asker.query(QUESTION, purpose=town.PURPOSE, mixed_dates=True)
        assert mixed.as_of == {**every, "library.loans": SECOND}
        assert mixed.cost.epsilon == 0  # the same rows: remembered, whatever day they are of

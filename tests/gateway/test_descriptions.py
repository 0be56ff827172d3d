"""A gateway that starts while a department is away says that it is missing, by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.departments import Departments
from gateway.descriptions import Descriptions
from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from landbridge.v1 import node_pb2
from tests.people import crowd, document, write
from tests.simulator import FederationSimulator


@pytest.fixture
def town(tmp_path: Path) -> FederationSimulator:
    """One department."""
    rows = write(crowd(20), tmp_path / "rows.csv")
    return FederationSimulator(tmp_path, {"north": rows}, document())


def started(town: FederationSimulator, kept: Path) -> Departments:
    """The departments, as a gateway with that folder begins with them."""
    members = list(town.departments._members.values())
    found = Departments(members, town._connect, town.told.append, Descriptions(kept))
    found.refresh()
    return found


def said(act: Callable[[], object]) -> tuple[str, str, tuple[str, ...]]:
    """Reason, sentence and who is missing."""
    with pytest.raises(LandbridgeError) as refused:
        act()
    return refused.value.reason, str(refused.value), refused.value.missing


def test_what_was_known_at_the_last_start_is_known_while_its_department_is_away(
    town: FederationSimulator, tmp_path: Path
) -> None:
    """So that a question is answered by who is missing, from the first moment on."""
    first = started(town, tmp_path / "kept")
    contract = first.catalogue().table("people", None).contract
    town.nodes["north"].down = True
    again = started(town, tmp_path / "kept")
    assert again.silent == ("north",)
    assert again.catalogue().table("people", None).contract == contract
    assert again.catalogue().agrees("north", contract)
    again.outdated = lambda: pytest.fail("a round that finds somebody away wants the next one")
    assert again.refresh() == ("north",)
    town.nodes["north"].down = False
    assert again.refresh() == ()


def test_of_a_department_never_heard_of_the_same_is_said_whatever_is_asked(
    town: FederationSimulator, tmp_path: Path
) -> None:
    """Its tables and handlers, and those that never were: nobody learns which there are."""
    town.nodes["north"].down = True
    known = started(town, tmp_path / "none").catalogue()
    answers = {
        said(lambda: known.table("people", "north")),
        said(lambda: known.table("nothing", "north")),
        said(lambda: known.handler("north.anything", Level.OPEN)),
    }
    ((reason, sentence, missing),) = answers
    assert (reason, missing) == ("DEPARTMENT_MISSING", ("north",))
    assert "No word has come yet from north" in sentence
    assert said(lambda: known.table("people", "south"))[0] == "NOT_AVAILABLE"
    assert said(lambda: known.table("people", None))[0] == "NOT_AVAILABLE"


@pytest.mark.parametrize("spoil", [b"", b"x", b"\0" * 40])
def test_a_file_that_is_not_what_was_written_is_as_if_there_was_none(
    tmp_path: Path, spoil: bytes
) -> None:
    """Half of one, or another's: the department is asked anyway."""
    kept = Descriptions(tmp_path / "kept")
    assert kept.find("north") is None
    kept.keep("north", node_pb2.DescribeResponse(log_key="key"))
    assert kept.find("north") == node_pb2.DescribeResponse(log_key="key")
    (path,) = (tmp_path / "kept").iterdir()
    path.write_bytes(spoil)
    assert kept.find("north") is None


def test_a_full_disk_costs_what_is_remembered_and_nothing_else(
    town: FederationSimulator, tmp_path: Path
) -> None:
    """No member and no disk makes a look at everybody fail."""
    (tmp_path / "kept").write_text("no folder")
    found = started(town, tmp_path / "kept")
    assert found.catalogue().table("people", "north").departments == ("north",)
    assert any("cannot be kept for the next start" in each for each in town.told)

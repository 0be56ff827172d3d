"""`landbridge init`: what it writes can be used, and nothing is overwritten."""

from __future__ import annotations

import csv
import re
import tomllib
from pathlib import Path

import pytest

from gateway import settings as gateway_settings
from landbridge.cli import init
from landbridge.edge.settings import SettingsInvalid
from landbridge.federation.folder import read
from landbridge.membership.keys import signing_key
from nodes import policy
from nodes import settings as node_settings
from policies import access, odcs
from tests.cli.commands import Run

KINDS = ("federation", "node", "gateway")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_overwritten(kind: str, run: Run, tmp_path: Path) -> None:
    """A second run in the same folder would undo an operator's work."""
    (tmp_path / "mine.txt").write_text("mine")
    ended = run("init", kind, str(tmp_path))
    assert ended.status == 2
    assert "nothing was written" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_folder_may_be_there_already(kind: str, run: Run, tmp_path: Path) -> None:
    """People make the folder first."""
    assert run("init", kind, str(tmp_path)).status == 0
    assert run("init", kind, str(tmp_path)).status == 2


def test_the_federation_is_a_federation(run: Run, tmp_path: Path) -> None:
    """Every file of it is read by the part that it is for."""
    folder = tmp_path / "town"
    ended = run("init", "federation", str(folder))
    assert ended.status == 0
    assert f"up {folder}" in ended.out
    assert init.QUESTION in ended.out
    town = read(folder)
    (member,) = town.members
    assert list(member.files) == ["loans"]
    assert list(town.callers) == ["planner", "desk"]
    found = policy.read(
        "library", member.folder / "contracts", member.folder / "handlers",
        member.folder / "access.cedar",
    )  # fmt: skip
    assert (list(found.contracts), list(found.handlers)) == (["loans"], ["reader_standing"])
    access.AccessPolicy.load(
        (folder / "gateway" / "access.cedar").read_text(),
        "access.cedar",
        contracts=["loans"],
        handlers=["library.reader_standing"],
    )


def test_the_fifty_rows_keep_what_their_contract_promises(run: Run, tmp_path: Path) -> None:
    """Loading them is the first thing that a new user sees."""
    assert run("init", "federation", str(tmp_path / "town")).status == 0
    library = tmp_path / "town" / "library"
    document = library / "contracts" / "loans.odcs.yaml"
    contract = odcs.read(document.read_bytes(), str(document))
    with (library / "data" / "loans.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50
    readers = [row["reader"] for row in rows]
    assert max(readers.count(reader) for reader in readers) <= contract.disclosure.rows_per_unit
    assert {row["topic"] for row in rows} == set(contract.by_name["topic"].domain)
    for name in ("month", "days"):
        bounds = contract.by_name[name].bounds
        assert bounds is not None
        assert all(bounds.low <= int(row[name]) <= bounds.high for row in rows)


def test_the_nodes_settings_are_read_by_a_node(run: Run, tmp_path: Path) -> None:
    """Every key that there is stands in the template, and none that there is not."""
    folder = tmp_path / "node"
    ended = run("init", "node", str(folder))
    assert f"node serve {folder / 'node.toml'}" in ended.out
    found = node_settings.read(folder / "node.toml")
    assert found.contracts == folder / "contracts"
    assert (folder / "contracts" / "loans.odcs.yaml").is_file()
    assert (folder / "handlers" / "reader_standing.sql").is_file()
    assert found.access.is_file()


def test_the_gateways_settings_are_read_by_a_gateway(run: Run, tmp_path: Path) -> None:
    """The manifest is not written by hand: the gateway makes and signs it."""
    folder = tmp_path / "gateway"
    assert run("init", "gateway", str(folder)).status == 0
    found = gateway_settings.read(folder / "gateway.toml")
    empty = gateway_settings.open_manifest(found, signing_key(folder))
    assert (empty.members, empty.version) == ((), 1)
    assert gateway_settings.open_manifest(found, signing_key(folder)) == empty
    assert found.access.is_file()


def test_node_and_gateway_of_the_templates_belong_together(run: Run, tmp_path: Path) -> None:
    """Whoever writes both can start both."""
    run("init", "node", str(tmp_path / "node"))
    run("init", "gateway", str(tmp_path / "gateway"))
    node = node_settings.read(tmp_path / "node" / "node.toml")
    gateway = gateway_settings.read(tmp_path / "gateway" / "gateway.toml")
    assert (node.federation, node.gateway) == (gateway.federation, gateway.name)
    assert node.trust.issuers[0].name == gateway.trust.issuers[0].name
    assert node.trust.issuers[0].audience == gateway.trust.issuers[0].audience


def test_the_port_for_certificates_needs_to_know_whose(run: Run, tmp_path: Path) -> None:
    """A port that asks for nobody's certificates in particular would be open to all, or none."""
    run("init", "gateway", str(tmp_path / "gateway"))
    path = tmp_path / "gateway" / "gateway.toml"
    template = path.read_text(encoding="utf-8")
    both = template.replace("# listen_mutual", "listen_mutual").replace("# callers", "callers")
    for half in (
        template.replace("# listen_mutual", "listen_mutual"),
        template.replace("# callers", "callers"),
    ):
        assert half not in {template, both}
        path.write_text(half, encoding="utf-8")
        with pytest.raises(SettingsInvalid, match="belong together"):
            gateway_settings.read(path)
    path.write_text(both, encoding="utf-8")
    found = gateway_settings.read(path)
    assert (found.listen_mutual, found.tls_callers) == (
        "127.0.0.1:8444",
        tmp_path / "gateway" / "callers.pem",
    )


def test_what_is_commented_out_can_be_taken_in_as_it_is() -> None:
    """An operator takes a setting in by taking its `#` away; its explanation is one of its own."""
    taken = [
        line[2:]
        for path in (Path(init.__file__).parent / "templates").rglob("*.toml")
        for line in path.read_text("utf-8").splitlines()
        if re.match(r"# [a-z_]+ = ", line)
    ]
    assert len(taken) > 40
    for setting in taken:
        assert tomllib.loads(setting), setting

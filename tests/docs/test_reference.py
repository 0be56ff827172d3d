"""Nothing is undocumented: settings, commands, contract properties, errors, public names."""

from __future__ import annotations

import re

import pytest

import landbridge
from docs.site import reference
from landbridge.errors import CATALOGUE

PAGES = reference.pages()


def test_every_setting_has_its_sentence() -> None:
    """Add a setting, and say what it is in docs/words/settings.toml."""
    known = {each.name for server, _ in reference.SERVERS for each in reference.settings_of(server)}
    said = reference.words("settings")
    assert known == set(said)
    assert all(sentence.endswith(".") for sentence in said.values())


@pytest.mark.parametrize("server", ["gateway", "node"])
def test_every_setting_stands_in_the_template(server: str) -> None:
    """Whoever edits the file that `init` wrote sees all there is, in comments at least."""
    path = reference.ROOT / "landbridge" / "cli" / "templates" / server / f"{server}.toml"
    text = path.read_text()
    for each in reference.settings_of(server):
        if each.name.startswith("issuer") or each.name in (
            "identity.organisations",
            "identity.jwks_ca",
        ):
            continue  # docs/identity.md shows these
        assert re.search(rf"(?m)\b{each.name.rpartition('.')[2]}\b", text), each.name


def test_every_contract_property_has_its_sentence() -> None:
    """Add a property, and say what it is in docs/words/contract.toml."""
    assert reference.contract_properties() == set(reference.words("contract"))


def test_every_command_is_on_its_page() -> None:
    """With its whole help."""
    names = [name for name, _, _ in reference.commands()]
    assert "landbridge log verify" in names
    for name in names:
        assert f"## `{name}`\n" in PAGES["command-line"]
        assert f"Usage: {name} " in PAGES["command-line"]


def test_every_error_is_on_its_page() -> None:
    """Reason, status and sentence."""
    for reason, row in CATALOGUE.items():
        assert (
            f"| [`{reason}`](../errors/{reason}.md) | `{row.exception.__name__}` | {row.status} |"
            in PAGES["errors"]
        )


def test_every_public_name_is_on_its_page() -> None:
    """With a docstring."""
    for name in landbridge.__all__:
        assert f"## `{name}`\n" in PAGES["python"]
        assert getattr(landbridge, name).__doc__


def test_every_proto_is_on_its_page() -> None:
    """The protos are the contract."""
    for path in (reference.ROOT / "proto" / "landbridge" / "v1").glob("*.proto"):
        assert f"## `{path.name}`\n" in PAGES["protocol"]

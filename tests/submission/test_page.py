"""docs/submit.md is true: its rules are read, and its lines run."""

from __future__ import annotations

import secrets

import pytest
import yaml

from landbridge.federation.running import Federation
from landbridge.submission.fate import Fate
from landbridge.submission.randomised import Response
from policies import odcs
from tests.docs.fences import DOCS, blocks
from tests.submission.survey import contract
from tests.submission.town import document, record

PAGE = DOCS / "submit.md"


def block(language: str) -> str:
    """The page's first block of that language."""
    return next(each.text for each in blocks(PAGE) if each.language == language)


def test_the_rules_on_the_page_are_rules() -> None:
    """All that there are, at once."""
    ((rule,),) = (yaml.safe_load(block("yaml")),)
    assert rule["property"] == "landbridgeCollection"
    found = odcs.read(document(rule["value"]), "page").collection
    assert found is not None
    assert found.device is not None


def test_the_randomised_column_on_the_page_is_one() -> None:
    """As an owner would copy it into a contract that collects."""
    _, written = (each.text for each in blocks(PAGE) if each.language == "yaml")
    ((column,),) = (yaml.safe_load(written),)
    found = contract(columns={"smokes": column}).by_name["smokes"].randomised
    assert found == Response(1.0, 2)


def test_every_fate_is_explained() -> None:
    """A contributor who is refused looks it up."""
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{fate}`" in text for fate in Fate)


@pytest.mark.journey
def test_the_lines_on_the_page_run(town: Federation) -> None:
    """As a developer would type them."""
    first = secrets.randbelow(10**12) + 10**9
    names: dict[str, object] = {
        "records": [record(first), record(first + 1, area="nowhere")],
        "token": town.token("ann"),
        "ca": town.ca,
        "vkey": (town.log("rescue") / "vkey").read_text().strip(),
    }
    lines = "import landbridge\n" + block("python").replace("127.0.0.1:4711", town.address)
    exec(compile(lines, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    assert names["receipt"].accepted == 1  # type: ignore[attr-defined]

"""With whom a department computes together, as a reviewer reads it, and what a change does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nodes.policy_folder import compare, review
from policies import odcs
from policies.change import changes
from policies.contract import Contract, Link, Pooling
from policies.together import differences, exposed, together
from tests.cli.commands import ROOT
from tests.linked.world import document as linked_document
from tests.people import contract

EXAMPLE = ROOT / "examples" / "nyc_flights"


def linked(**terms: Any) -> Contract:
    """The earners' contract."""
    return odcs.read(linked_document("earners", **terms), "earners")


def test_the_demo_s_owners_say_with_whom() -> None:
    """Nobody's noise in the demo can be made smaller by members that a gateway makes up."""
    found = {
        name: contract
        for each in review(EXAMPLE)
        for name, contract in each.policy.contracts.items()
    }
    assert not any(map(exposed, found.values()))
    said = " ".join(together(found["flights"]))
    assert "Totals of 2 departments or more, with ewr, jfk, lga; noise of all but one" in said
    assert "Linked with ewr, faa, jfk, lga on tailnum; cells from 20 linked keys on." in said
    assert "on origin, time_hour; cells from 20 tailnum on." in said
    assert "its keys are shown to them" in " ".join(together(found["weather"]))


@pytest.mark.parametrize(
    ("pooling", "warned"),
    [
        (None, False),
        ({"minimum": 5}, False),
        ({"honest": 1}, False),
        ({"honest": 2}, True),
        ({"honest": 2, "with": ["a", "b", "c"]}, False),
    ],
)
def test_who_trusts_members_without_naming_them_is_warned(pooling: Any, warned: bool) -> None:
    """Members that a gateway makes up count among those that are trusted."""
    found = exposed(contract(landbridgePooling=pooling))
    assert bool(found) is warned
    assert not warned or "landbridgePooling.with" in found


WIDER: dict[str, tuple[Any, Any]] = {
    "fewer members": ({"minimum": 4}, {"minimum": 3}),
    "another member": ({"with": ["a", "b"]}, {"with": ["a", "b", "c"]}),
    "any member": ({"with": ["a", "b"]}, None),
    "more trusted": ({"honest": 1}, {"honest": 2}),
    "parts again": ({"alone": False}, None),
    "the column department": (None, {"department": True}),
}


@pytest.mark.parametrize("case", WIDER)
def test_a_change_of_totals_is_told_with_its_direction(case: str) -> None:
    """One way lets out more, the other less; a reviewer's eye goes to the first."""
    less, more = (contract(landbridgePooling=terms) for terms in WIDER[case])
    for old, new, wider in ((less, more, True), (more, less, False)):
        found = changes(({"people": old}, {}, ()), ({"people": new}, {}, ()))
        assert [change.wider for change in found] == [wider], found


@pytest.mark.parametrize("name", sorted(Pooling.__dataclass_fields__))
def test_no_term_of_totals_changes_in_silence(name: str) -> None:
    """One that is added one day must be told too."""
    other: Any = {
        "minimum": 3, "honest": 2, "alone": False, "department": True,
        "departments": frozenset({"a", "b"}),
    }[name]  # fmt: skip
    was = contract()
    terms = replace(was.disclosure, pooling=replace(Pooling(), **{name: other}))
    assert list(differences(was, replace(was, disclosure=terms)))


@pytest.mark.parametrize("name", sorted(Link.__dataclass_fields__))
def test_no_term_of_links_changes_in_silence(name: str) -> None:
    """The same."""
    other: Any = {
        "departments": frozenset({"a"}), "on": ("town",), "unique": True, "minimum": 77, "keys": 7,
    }[name]  # fmt: skip
    was = linked()
    links = tuple(replace(each, **{name: other}) for each in was.links)
    assert list(differences(was, replace(was, links=links)))


def test_a_change_of_links_is_told_with_its_direction() -> None:
    """With whom, and from which number of keys on."""

    def told(old: Contract, new: Contract) -> list[tuple[bool, str]]:
        found = changes(({"earners": old}, {}, ()), ({"earners": new}, {}, ()))
        # A contract with links keeps delta apart too, which is another change.
        return [(c.wider, c.what) for c in found if c.what.startswith("linked with")]

    none, some = linked(link=False), linked()
    new = told(none, some)
    assert (True, "linked with school on person") in new
    assert all(wider for wider, _ in new)
    assert (False, "linked with school on person, no more") in told(some, none)
    stricter = linked(link={"minimum": 20})
    assert (False, "linked with school on person: cells from 1 -> 20 linked keys on") in told(
        some, stricter
    )
    assert all(wider for wider, _ in told(stricter, some))


def test_policy_diff_compares_folders_by_it(tmp_path: Path) -> None:
    """The same, from files as they lie there."""
    import shutil

    changed = Path(shutil.copytree(EXAMPLE / "ewr", tmp_path / "ewr"))
    file = changed / "contracts" / "flights.odcs.yaml"
    file.write_text(file.read_text().replace("{with: [ewr, jfk, lga]}", "{with: [ewr, jfk]}"))
    (found,) = compare(EXAMPLE / "ewr", changed).values()
    assert [(each.wider, each.what) for each in found] == [
        (False, "pooled with ewr, jfk, lga -> ewr, jfk")
    ]

"""Contracts: a sound one is read whole, and any other text is refused and nothing else."""

from __future__ import annotations

import copy
import hashlib
from datetime import date, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landbridge.levels import Level
from policies.contract import Allowance, Bounds, Column, Contract, Disclosure, Method, Noise, Type
from policies.odcs import ContractInvalid, read
from tests.policies.documents import Change, column, open_table, sound, text

# UTC without tzinfo, as contract values are; the document says it with an offset.
MIDNIGHT = datetime.fromisoformat("2000-01-31T00:00:00")


def test_a_sound_document_is_read_whole() -> None:
    """Every declared word reaches the value that the rest of the house works on."""
    document = text(sound())
    assert read(document, "people.yaml") == Contract(
        id="people",
        version="1.0.0",
        title="People",
        description="Who lives here.",
        columns=(
            # A sealed column groups nothing, whatever it declares.
            Column("person_id", Type.TEXT, Level.SEALED, nullable=True),
            Column(
                "age",
                Type.INTEGER,
                Level.OPEN,
                bounds=Bounds(0, 120),
                clip=Bounds(18, 100),
                domain=tuple(range(121)),
            ),
            Column(
                "income",
                Type.NUMBER,
                Level.RESTRICTED,
                description="A year's.",
                nullable=True,
                unique=True,
                bounds=Bounds(0, 1e6),
                clip=Bounds(0, 1e6),
                step=100.0,
            ),
            Column("sex", Type.TEXT, Level.OPEN, nullable=True, domain=("f", "m")),
            Column("citizen", Type.BOOLEAN, Level.INTERNAL, nullable=True, domain=(False, True)),
            Column("born", Type.DATE, Level.OPEN, nullable=True, domain=(date(2000, 1, 31),)),
            Column("seen", Type.TIMESTAMP, Level.OPEN, nullable=True, domain=(MIDNIGHT,)),
        ),
        unit="person_id",
        purposes=frozenset({"dpv:ResearchAndDevelopment", "city:FloodWatch"}),
        disclosure=Disclosure(
            method=Method.DP,
            rows_per_unit=3,
            recipient=Allowance(8, 1e-6),
            overall=Allowance(12, 1e-5),
            units_span=2,
            period="year",
            noise=Noise.LAPLACE,
            default_epsilon=1.0,
            maximum_epsilon=1.25,
            maximum_cells=500,
        ),
        digest=hashlib.sha256(document.encode()).hexdigest(),
    )


def test_bytes_and_text_are_the_same_contract() -> None:
    """The digest names the document, however it was handed over."""
    document = text(sound())
    assert read(document.encode(), "a") == read(document, "b")


def test_a_table_that_describes_nobody_needs_no_budget() -> None:
    """Its owner says so, and nothing is charged."""
    contract = read(text(open_table()), "people.yaml")
    assert contract.unit is None
    assert contract.disclosure == Disclosure(method=Method.UNPROTECTED)


def test_what_the_owner_leaves_out_gets_the_cautious_default() -> None:
    """One department, Gaussian noise, no bounds where none are declared."""
    tree = sound()
    for name in ("landbridgeUnitsSpan", "landbridgeNoise", "landbridgeMaximumCells"):
        tree = Change(name).of(tree, None)
    tree["schema"][0]["properties"].append(column("rooms", "integer"))
    contract = read(text(tree), "people.yaml")
    assert contract.disclosure.units_span == 1
    assert contract.disclosure.noise is Noise.GAUSSIAN
    assert contract.disclosure.maximum_cells == 10_000
    assert contract.by_name["rooms"] == Column("rooms", Type.INTEGER, Level.OPEN, nullable=True)


def test_a_unique_unit_has_one_row_without_saying_so() -> None:
    """One row per unit is then a fact and no choice."""
    tree = Change("person_id", "unique").of(sound(), True)
    tree = Change("landbridgeRowsPerUnit").of(tree, None)
    assert read(text(tree), "people.yaml").disclosure.rows_per_unit == 1


def _places(tree: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = [at] if at else []
    for key, child in children:
        here = (*at, key)
        found += _places(child, here) if isinstance(child, dict | list) else [here]
    return found


PLACES = _places(sound())
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["none", "dp", "open", "sealed", "integer", "person_id", 1e308, -1, 2**70]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "property", "value", "minimum", "epsilon", "\n", "x"]),
            children,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(st.sets(st.sampled_from(PLACES), min_size=1, max_size=4), st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_damaged_contract_is_sound_or_invalid_and_nothing_else(
    places: set[tuple[str | int, ...]], data: st.DataObject
) -> None:
    """Whatever stands in whichever place, an operator gets a contract or a list of sentences."""
    tree = copy.deepcopy(sound())
    for place in sorted(places, key=str, reverse=True):
        holder: Any = tree
        try:
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = data.draw(JUNK)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    _sound_or_invalid(text(tree))


@given(JUNK)
def test_any_tree_is_sound_or_invalid(tree: object) -> None:
    """A document need not look like a contract at all."""
    _sound_or_invalid(text(tree))


@given(st.text() | st.binary())
def test_any_text_is_sound_or_invalid(document: str | bytes) -> None:
    """Nor like a document."""
    _sound_or_invalid(document)


def _sound_or_invalid(document: str | bytes) -> None:
    try:
        contract = read(document, "x")
    except ContractInvalid as invalid:
        sentences = invalid.problems
    else:
        _check(contract)
        return
    assert sentences
    assert all(each.strip() and "\n" not in each for each in sentences)


def _check(contract: Contract) -> None:
    for each in contract.columns:
        if each.bounds and each.clip:
            assert each.bounds.low <= each.clip.low <= each.clip.high <= each.bounds.high
        assert len(set(each.domain)) == len(each.domain)
        assert each.step > 0
    terms = contract.disclosure
    if terms.method is Method.DP:
        assert contract.unit is not None
        assert contract.by_name[contract.unit].level is Level.SEALED
        assert 0 < terms.default_epsilon <= terms.maximum_epsilon <= terms.recipient.epsilon
        assert terms.recipient.epsilon <= terms.overall.epsilon
        assert 0 < terms.recipient.delta <= terms.overall.delta <= 1e-3
    else:
        assert contract.unit is None

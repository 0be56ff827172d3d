"""Which rows of a unit count is chance: neither what they hold nor where they stood has a say.

A choice that prefers some rows bends every answer. That no rank is missing or doubled, on which
privacy rests, is in tests/nodes_engine/test_load.py.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from landbridge.levels import Level
from nodes.engines.database import open_sealed
from nodes.load import load
from nodes.store import Store
from policies.contract import Bounds, Column, Contract, Disclosure, Method, Type

UNITS = 20_000
EACH = 5
KEPT = 2

VISITS = Contract(
    "visits",
    "1",
    "",
    "",
    (
        Column("person", Type.INTEGER, Level.SEALED),
        Column("place", Type.INTEGER, Level.OPEN, bounds=Bounds(0, EACH - 1)),
    ),
    "person",
    frozenset(),
    Disclosure(Method.DP, rows_per_unit=KEPT),
    "d",
)


def _ranks(folder: Path, people: list[int], places: list[int]) -> list[tuple[int, int, int, int]]:
    """Person, place, number and rank of every stored row."""
    source = folder / "visits.parquet"
    parquet.write_table(pa.table({"person": people, "place": places}), source)
    loaded = load(VISITS, source, Store(folder / "data")).loaded
    assert loaded is not None
    connection = open_sealed({"visits": str(loaded.path)}, memory_bytes=256 << 20, threads=1)
    try:
        return connection.execute("SELECT person, place, __unit, __rank FROM visits").fetchall()
    finally:
        connection.close()


def _alarm(freedom: int) -> float:
    """The chi-square that chance exceeds once in a million runs (Wilson and Hilferty, 1931)."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + 4.753 * math.sqrt(part)) ** 3


def _chi_square(seen: Iterable[int], expected: float) -> float:
    return sum((each - expected) ** 2 / expected for each in seen)


@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
@pytest.mark.parametrize("bound", [KEPT, 3], ids=["the contract's bound", "a later bound"])
def test_every_choice_of_rows_is_as_likely_as_any_other(
    tmp_path: Path, together: bool, bound: int
) -> None:
    """Whether a unit's rows stand together in the file or apart, and for a bound set afterwards.

    Chi-square over the ten sets that can be kept of five rows, 20,000 units; four runs with a false
    alarm once in a million each.
    """
    rows = [(person, place) for person in range(UNITS) for place in range(EACH)]
    if not together:
        rows.sort(key=lambda row: row[1])
    kept: dict[int, list[int]] = {}
    for person, place, _, rank in _ranks(tmp_path, *map(list, zip(*rows, strict=True))):
        if rank <= bound:
            kept.setdefault(person, []).append(place)
    seen = Counter(tuple(sorted(places)) for places in kept.values())
    choices = list(combinations(range(EACH), bound))
    assert sum(seen[choice] for choice in choices) == UNITS
    chi = _chi_square((seen[choice] for choice in choices), UNITS / len(choices))
    assert chi < _alarm(len(choices) - 1), seen


def test_a_units_number_says_nothing_of_where_or_who_it_is(tmp_path: Path) -> None:
    """Chi-square over 16 x 16 fields of (person, number); false alarm once in a million runs."""
    people = list(range(UNITS))
    number = {unit: n for unit, _, n, _ in _ranks(tmp_path, people, [0] * UNITS)}
    assert sorted(number.values()) == people
    seen = Counter((unit * 16 // UNITS, n * 16 // UNITS) for unit, n in number.items())
    fields = (seen[row, column] for row in range(16) for column in range(16))
    assert _chi_square(fields, UNITS / 256) < _alarm(15 * 15)


def test_a_table_of_which_all_rows_count_is_written_in_one_go(tmp_path: Path) -> None:
    """The bound 0 keeps everything and cuts nothing."""
    everything = dataclasses.replace(VISITS.disclosure, method=Method.EXACT, rows_per_unit=0)
    source = tmp_path / "visits.parquet"
    parquet.write_table(pa.table({"person": [1, 1, 2], "place": [0, 1, 2]}), source)
    contract = dataclasses.replace(VISITS, disclosure=everything)
    loaded = load(contract, source, Store(tmp_path / "data")).loaded
    assert loaded is not None
    assert (loaded.rows, loaded.units, loaded.largest_unit) == (3, 2, 2)

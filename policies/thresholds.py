"""The owner's terms for `cell_key` and `exact`, read from a contract's custom properties.

Minimum units, dominance, the p % rule, rounding, the perturbation table, and for whom.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import prod
from typing import Final

from landbridge.levels import Level
from policies.cell_key import smallest_variance
from policies.contract import CellKey, Column, Disclosure, Dominance, Method
from policies.place import Place

MINIMUM: Final = "landbridgeMinimumUnits"
DOMINANCE: Final = "landbridgeDominance"
P_PERCENT: Final = "landbridgePPercent"
ROUNDING: Final = "landbridgeRounding"
CELL_KEY: Final = "landbridgeCellKey"
EXACT_FOR: Final = "landbridgeExactFor"
EXACT_BY: Final = "landbridgeExactBy"
THRESHOLDS: Final = (MINIMUM, DOMINANCE, P_PERCENT, ROUNDING, CELL_KEY, EXACT_FOR, EXACT_BY)
FOR_CELL_KEY: Final = (MINIMUM, DOMINANCE, P_PERCENT, CELL_KEY)
FOR_EXACT: Final = (MINIMUM, DOMINANCE, P_PERCENT, ROUNDING, EXACT_FOR, EXACT_BY)

LARGEST_MINIMUM: Final = 10_000
LARGEST_PERTURBATION: Final = 25
LARGEST_SMALL: Final = 10
LARGEST_N: Final = 10
LARGEST_BASE: Final = 1_000_000
MAXIMUM_ORGANISATIONS: Final = 100
EXACT_CELLS: Final = 1_000
"""Most cells of the one exact table of a contract, its margins not counted."""
EXACT_COLUMNS: Final = 4

_ORGANISATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def read_thresholds(
    term: Callable[[str], Place],
    method: Method,
    unit: Column | None,
    span: int,
    columns: Mapping[str, Column],
) -> Disclosure:
    """The terms; whatever is wrong goes to the places' problems.

    `span` is in how many departments one unit can be; `columns` are the contract's sound ones.
    """
    exact = method is Method.EXACT
    lowest = 3 if exact else 0
    place = term(MINIMUM).must("the owner says how many units a cell must have")
    minimum = place.integer(lowest, LARGEST_MINIMUM) or 0
    return Disclosure(
        method=method,
        # Where a unit has one row, one row bounds what it can add to a sum.
        rows_per_unit=1 if unit is not None and unit.unique else 0,
        units_span=span,
        default_epsilon=0.0,
        maximum_epsilon=0.0,
        maximum_cells=EXACT_CELLS if exact else Disclosure(method).maximum_cells,
        minimum_units=minimum,
        dominance=_dominance(term(DOMINANCE)),
        p_percent=_percent(term(P_PERCENT)) or 0.0,
        rounding=(term(ROUNDING).integer(1, LARGEST_BASE) or 1) if exact else 1,
        cell_key=None if exact else _cell_key(term(CELL_KEY)),
        exact_for=_organisations(term(EXACT_FOR)) if exact else frozenset(),
        exact_by=_table(term(EXACT_BY), columns) if exact else (),
    )


def _dominance(place: Place) -> Dominance | None:
    place.only(("n", "k"))
    if not isinstance(place.tree, dict):
        return None
    n = place.at("n").must("a dominance rule is a pair of n and k").integer(1, LARGEST_N)
    k = _percent(place.at("k").must("a dominance rule is a pair of n and k"))
    return None if n is None or k is None else Dominance(n, k)


def _percent(place: Place) -> float | None:
    value = place.number()
    if value is not None and not 0 < value < 100:
        place.wrong("must be a percentage larger than 0 and smaller than 100.")
        return None
    return value


def _cell_key(place: Place) -> CellKey | None:
    place.must("the owner chooses the perturbation table").only(("D", "V", "js", "magnitude"))
    if not isinstance(place.tree, dict):
        return None
    why = "a perturbation table has a maximum D, a variance V and a threshold js"
    maximum = place.at("D").must(why).integer(1, LARGEST_PERTURBATION)
    small = place.at("js").must(why).integer(0, LARGEST_SMALL)
    variance = place.at("V").must(why).number()
    magnitude = place.at("magnitude").number()
    if magnitude is not None and not 0.01 <= magnitude <= 1:
        place.at("magnitude").wrong("must be from 0.01 to 1.")
        magnitude = None
    if maximum is None or small is None or variance is None:
        return None
    if small > maximum:
        place.at("js").wrong("must be no larger than D.")
        return None
    # Between what an unbiased table needs to avoid 1..js and what D allows.
    low, high = smallest_variance(small), maximum * (maximum + 1) / 3
    if not low * 1.001 < variance <= high or variance < 0.1:
        place.at("V").wrong(f"must be larger than {low or 0.1} and at most {high:g}, by D and js.")
        return None
    return CellKey(maximum, variance, small, 0.3 if magnitude is None else magnitude)


def _organisations(place: Place) -> frozenset[str]:
    found = set()
    entries = place.must("exact numbers are for named organisations").entries()
    if isinstance(place.tree, list) and not 1 <= len(entries) <= MAXIMUM_ORGANISATIONS:
        place.wrong(f"must list from 1 to {MAXIMUM_ORGANISATIONS} organisations.")
    for entry in entries:
        name = entry.must("an organisation is text").text()
        if name is not None and not _ORGANISATION.fullmatch(name):
            entry.wrong("must be an organisation as tokens name it, without spaces.")
        elif name is not None:
            found.add(name)
    return frozenset(found)


def _table(place: Place, columns: Mapping[str, Column]) -> tuple[str, ...]:
    """The columns of the one table, in the contract's order; none for totals only."""
    found: set[str] = set()
    for entry in place.must("the owner names the columns that exact tables are by").entries():
        name = entry.must("a column is named by text").text()
        if name is None:
            continue
        column = columns.get(name)
        if column is None or not column.domain or column.level is Level.SEALED:
            entry.wrong("must name a column with a declared domain that is not sealed.")
        elif name in found:
            entry.wrong("is listed twice.")
        else:
            found.add(name)
    table = tuple(column for name, column in columns.items() if name in found)
    cells = prod(len(column.domain) + column.nullable for column in table)
    if len(table) > EXACT_COLUMNS:
        place.wrong(f"must list at most {EXACT_COLUMNS} columns.")
    elif cells > EXACT_CELLS:
        place.wrong(f"must make at most {EXACT_CELLS} cells; these columns make {cells}.")
    return tuple(column.name for column in table)

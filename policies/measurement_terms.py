"""Which columns two servers measure, read from the contract's `landbridgeMeasurements`.

A list of `{column, owner, with, minimum, each}`. The same document lies at both departments: each
reads in it which of the two it is, and takes part by its own policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from landbridge.levels import Level
from policies.contract import Column, Measurement, Method
from policies.measurement import MOST_REPORTS, kind_of
from policies.place import Place

MEASUREMENTS: Final = "landbridgeMeasurements"
SMALLEST_BATCH: Final = 10
MOST_EACH: Final = 1_000_000
_DEPARTMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")


def read_measurements(
    place: Place, method: Method | None, columns: Mapping[str, Column], names: frozenset[str]
) -> tuple[Measurement, ...]:
    """The measurements; problems are told at their place."""
    found: list[Measurement] = []
    entries = place.entries()
    if entries and method not in (None, Method.DP):
        # Neither department sees a cell, so neither could withhold a small one.
        place.wrong("must be left out; only contracts by the method dp are measured.")
        return ()
    for entry in entries:
        entry.only(("column", "owner", "with", "minimum", "each"))
        column = _column(entry.at("column"), columns, names)
        owner = _department(entry.at("owner").must("one of the two departments collects"))
        second = _department(entry.at("with").must("a second department holds the other shares"))
        least = entry.at("minimum").must("a batch has a smallest size")
        minimum = least.integer(SMALLEST_BATCH, MOST_REPORTS)
        number = entry.at("each").must("one caller hands in so many reports; 0: any number")
        each = number.integer(0, MOST_EACH)
        if owner and owner == second:
            entry.at("with").wrong("must be another department than the owner.")
            continue
        if column is None or owner is None or second is None or minimum is None or each is None:
            continue
        if any(one.column == column for one in found):
            entry.at("column").wrong("is measured by an earlier entry too.")
            continue
        found.append(Measurement(column, owner, second, minimum, each))
    return tuple(found)


def _column(place: Place, columns: Mapping[str, Column], names: frozenset[str]) -> str | None:
    name = place.must("a measurement is of one column").text()
    if name is None:
        return None
    if names and name not in names:
        place.wrong("must be a column of this contract.")
        return None
    column = columns.get(name)
    if column is None:
        return None  # it has a problem of its own
    if column.level is Level.SEALED or kind_of(column) is None:
        place.wrong(
            "must be a boolean, a whole number with bounds, or have a declared domain, and not be "
            "sealed."
        )
        return None
    return name


def _department(place: Place) -> str | None:
    name = place.text()
    if name is not None and not _DEPARTMENT.fullmatch(name):
        place.wrong("must be a department's name.")
        return None
    return name

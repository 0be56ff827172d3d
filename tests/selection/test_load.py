"""What a column must keep to whose values are found: checked for every row, before any question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from nodes.load import LoadRefused, Rule, load
from nodes.store import Store
from policies.selection import MAXIMUM_FOUND
from tests.people import Row, contract, crowd, write
from tests.selection.contracts import found


def named(*names: str | None) -> list[Row]:
    """One person for each diagnosis."""
    people = crowd(len(names))
    return [(*row[:6], name, *row[7:]) for row, name in zip(people, names, strict=True)]


def refused(rows: list[Row], folder: Path) -> list[tuple[str, Rule, int]]:
    """Why a file is not loaded."""
    with pytest.raises(LoadRefused) as caught:
        load(found(), write(rows, folder / "people.csv"), Store(folder / "store"))
    report = caught.value.report
    assert "secret" not in str(caught.value)
    return [(each.column, each.rule, each.rows) for each in report.violations]


def test_too_many_different_values_are_refused(tmp_path: Path) -> None:
    """So that no question can ever fail because there are too many candidates."""
    rows = named(*(f"v{n}" for n in range(MAXIMUM_FOUND)))
    load(found(), write(rows, tmp_path / "fits.csv"), Store(tmp_path / "fits"))
    one_more = [*rows, (99, *rows[0][1:6], "one more", *rows[0][7:])]
    assert refused(one_more, tmp_path) == [("diagnosis", Rule.VARIETY, MAXIMUM_FOUND + 1)]


@pytest.mark.parametrize(
    "word", ["s" * 257, "secret\x1b[2J", "secret\u202e", "secret\nline", "\x00secret"]
)
def test_what_could_not_be_shown_is_refused(word: str, tmp_path: Path) -> None:
    """Two rows of it, counted; the value itself is told to nobody."""
    rows = named("flu", word, word, "cold", None)
    assert refused(rows, tmp_path) == [("diagnosis", Rule.WORD, 2)]


def test_other_columns_may_hold_anything(tmp_path: Path) -> None:
    """Only what can be shown has to be fit for it."""
    rows = [(*row[:1], "n" * 300, *row[2:]) for row in named("flu", "ö" * 256, "", "日本")]
    report = load(found(), write(rows, tmp_path / "people.csv"), Store(tmp_path / "store"))
    assert report.loaded is not None


def test_codes_are_numbers_in_random_order(tmp_path: Path) -> None:
    """One for each value, none for NULL; their order says nothing of the values."""
    store = Store(tmp_path / "store")
    names = [f"v{n:03}" for n in range(300)]
    load(found(), write(named(*names, None), tmp_path / "people.csv"), store)
    with duckdb.connect(store.tables()["people"], read_only=True) as connection:
        rows = connection.execute("SELECT diagnosis, __c_diagnosis FROM data ORDER BY 1").fetchall()
    assert rows[-1] == (None, None)
    codes = [code for _, code in rows[:-1]]
    assert sorted(codes) == list(range(300))
    assert codes != sorted(codes)  # by chance once in 300!


def test_opting_in_needs_a_load_of_its_own(tmp_path: Path) -> None:
    """A file that was loaded before the owner opted in has no codes."""
    store, rows = Store(tmp_path / "store"), named("flu", "cold")
    path = write(rows, tmp_path / "people.csv")
    versions: list[Any] = [
        load(each, path, store).loaded for each in (contract(), found(), found())
    ]
    assert versions[0].version != versions[1].version == versions[2].version

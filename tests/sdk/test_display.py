"""What a person sees of an answer, and what other libraries read: numbers with their error bars."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from html.parser import HTMLParser

import duckdb
import matplotlib as mpl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib import pyplot as plt

from landbridge.answers import Answer, Cell, Column, ColumnType, Cost, Note, Value
from landbridge.errors import InvalidQuestion

mpl.use("Agg")

EVIL = "<script>alert('x')</script>\x1b[2J"


def answer(*rows: tuple[Value | None, int, float], kind: ColumnType = ColumnType.TEXT) -> Answer:
    """A key, a count within 12 and a mean within 0.5."""
    return Answer(
        (
            Column("district", kind, released=False),
            Column("n", ColumnType.INTEGER, released=True),
            Column("mean", ColumnType.REAL, released=True),
        ),
        tuple((Cell(key, None), Cell(n, 12.0), Cell(mean, 0.5)) for key, n, mean in rows),
        (Note("clipping", "Delays are clipped."),),
        (),
        ("ewr",),
        Cost(1.0, 1e-6, ()),
        None,
    )


ROWS = (("D1", 100, 3.5), ("D2", 250, -1.25), (None, 7, 0.0))


def test_polars_pandas_duckdb_and_pyarrow_take_an_answer_directly() -> None:
    """The Arrow PyCapsule interface is how tools read it without being told how."""
    given = answer(*ROWS)
    expected = [("D1", 100, 3.5), ("D2", 250, -1.25), (None, 7, 0.0)]
    assert pl.DataFrame(given).rows() == expected
    assert duckdb.connect().execute("SELECT * FROM given ORDER BY n DESC").fetchall() == [
        expected[1],
        expected[0],
        expected[2],
    ]
    assert pa.table(given).to_pylist() == [
        dict(zip(("district", "n", "mean"), row, strict=True)) for row in expected
    ]
    assert pa.RecordBatchReader.from_stream(given).read_all().num_rows == 3
    assert pa.schema(given) == given.to_arrow().schema
    frame = pd.DataFrame.from_arrow(given)  # type: ignore[attr-defined]
    assert frame["n"].tolist() == [100, 250, 7]
    assert given.to_pandas()["n"].tolist() == [100, 250, 7]


class Reader(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)
        if tag not in ("br", "line", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "circle"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_a_notebook_shows_numbers_with_error_bars() -> None:
    """Both in digits and drawn: a number alone gets quoted as if it were exact."""
    page = Reader(answer(*ROWS)._repr_html_())
    assert page.open == []
    assert page.tags.count("tr") == 4
    assert page.tags.count("svg") == 6
    assert "100 ± 12" in page.texts
    assert "-1.25 ± 0.50" in page.texts
    assert any("clipping: Delays are clipped." in text for text in page.texts)


def test_texts_from_departments_are_no_markup_in_a_notebook() -> None:
    """A notebook runs what it shows."""
    given = answer((EVIL, 1, 1.0))
    whole = Answer(
        (Column(EVIL, ColumnType.TEXT, released=False), *given.columns[1:]),
        given.cells,
        (Note(EVIL, EVIL),),
        (EVIL,),
        (),
        given.cost,
        None,
    )
    page = Reader(whole._repr_html_())
    assert "script" not in page.tags
    assert sum("<script>" in text for text in page.texts) == 4
    assert "\x1b" not in whole._repr_html_()


def test_numbers_without_error_bars_have_no_drawing() -> None:
    """Exact numbers, NULLs and unknown half-widths stand as text."""
    columns = (Column("n", ColumnType.INTEGER, released=True),)
    cells = ((Cell(5, 0.0),), (Cell(None, None),), (Cell(6, None),))
    page = Reader(Answer(columns, cells, (), (), (), Cost(0, 0, ()), None)._repr_html_())
    assert "svg" not in page.tags
    assert {"5", "NULL", "6 ± ?"} <= set(page.texts)


def test_a_chart_has_one_point_and_one_bar_per_number() -> None:
    """What is drawn is what was released: value, half-width, label."""
    axes = answer(*ROWS).plot("n")
    (series,) = axes.containers
    line, _, (bars,) = series
    assert line.get_ydata().tolist() == [100.0, 250.0, 7.0]
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert ends == [[88.0, 112.0], [238.0, 262.0], [-5.0, 19.0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["D1", "D2", "NULL"]
    plt.close("all")


def test_dates_and_numbers_are_drawn_where_they_are() -> None:
    """A missing month must show as a gap, not vanish."""
    months = answer(
        (date(2026, 1, 1), 1, 1.0), (date(2026, 4, 1), 2, 2.0), kind=ColumnType.DATE
    ).plot()
    assert len(months.containers) == 2
    left, right = months.containers[0][0].get_xdata()
    assert right - left == (date(2026, 4, 1) - date(2026, 1, 1)) or right - left == 90
    plt.close("all")


def test_a_chart_of_a_column_that_is_not_there_is_refused_by_name() -> None:
    """With the names that there are."""
    with pytest.raises(InvalidQuestion, match="There is n, mean"):
        answer(*ROWS).plot("cost")
    with pytest.raises(InvalidQuestion):
        answer(*ROWS).plot("district")


def test_without_matplotlib_the_extra_is_named() -> None:
    """And everything else of an answer works."""
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from landbridge.answers import Answer, Cost\n"
        "answer = Answer((), (), (), (), (), Cost(0, 0, ()), None)\n"
        "answer._repr_html_()\n"
        "answer.plot()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'landbridge[plot]'" in ran.stderr.strip().splitlines()[-1]

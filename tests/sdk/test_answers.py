"""What a caller can do with an answer."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from landbridge.answers import Answer, Cell, Column, ColumnType, Cost, Note, Value
from landbridge.errors import LandbridgeError, error
from landbridge.receipt import Receipt
from landbridge.table import cell_text
from landbridge.v1 import evidence_pb2, gateway_pb2, question_pb2
from landbridge.wire import error_receipt, read_answer, read_literal, write_literal

Wire = gateway_pb2.ResultColumn

SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1


def response() -> gateway_pb2.QueryResponse:
    """Two districts, one of them NULL, with a count and an average."""

    def row(
        key: question_pb2.Literal | None, count: int, mean: float, half_width: float
    ) -> gateway_pb2.ResultRow:
        return gateway_pb2.ResultRow(
            values=[
                gateway_pb2.ResultValue(value=key),
                gateway_pb2.ResultValue(value=question_pb2.Literal(integer=count), half_width=12.4),
                gateway_pb2.ResultValue(
                    value=question_pb2.Literal(real=mean), half_width=half_width
                ),
            ]
        )

    return gateway_pb2.QueryResponse(
        columns=[
            Wire(name="district", type=Wire.TYPE_TEXT),
            Wire(name="n", type=Wire.TYPE_INTEGER, released=True),
            Wire(name="mean", type=Wire.TYPE_REAL, released=True),
        ],
        rows=[
            row(question_pb2.Literal(text="D1"), 1_204, 37.123456, 0.0321),
            row(None, 18, 12.5, 250.0),
        ],
        notes=[gateway_pb2.Note(kind="clipping", text="Delays are clipped to [-30, 180].")],
        missing=["lga"],
        departments=["ewr", "jfk"],
        cost=gateway_pb2.Cost(
            epsilon=1.0,
            delta=1e-6,
            budgets=[gateway_pb2.DepartmentBudget(department="ewr", left_share=0.25)],
        ),
        receipt=evidence_pb2.Receipt(entry=b'{"v":1}', proof="proof"),
    )


def of(kind: ColumnType, value: Value | None) -> Answer:
    """An answer of one grouping column and one row."""
    columns = (Column("x", kind, released=False),)
    return Answer(columns, ((Cell(value, None),),), (), (), (), Cost(0, 0, ()), None)


typed_values = st.one_of(
    st.tuples(st.just(ColumnType.INTEGER), st.integers(SMALLEST_INTEGER, LARGEST_INTEGER)),
    st.tuples(st.just(ColumnType.REAL), st.floats(allow_nan=False, allow_infinity=False)),
    st.tuples(st.just(ColumnType.TEXT), st.text()),
    st.tuples(st.just(ColumnType.BOOLEAN), st.booleans()),
    st.tuples(st.just(ColumnType.DATE), st.dates()),
    st.tuples(st.just(ColumnType.TIMESTAMP), st.datetimes(timezones=st.just(UTC))),
)


def test_rows_accuracy_and_the_rest_are_there() -> None:
    """The names that others rely on."""
    answer = read_answer(response())
    assert answer.rows() == [("D1", 1_204, 37.123456), (None, 18, 12.5)]
    assert answer.accuracy == {"n": [12.4, 12.4], "mean": [0.0321, 250.0]}
    assert answer.half_widths() == [(None, 12.4, 0.0321), (None, 12.4, 250.0)]
    assert answer.columns[1] == Column("n", ColumnType.INTEGER, released=True)
    assert answer.notes == (Note("clipping", "Delays are clipped to [-30, 180]."),)
    assert (answer.missing, answer.departments) == (("lga",), ("ewr", "jfk"))
    assert (answer.cost.epsilon, answer.cost.budgets[0].left_share) == (1.0, 0.25)
    assert answer.receipt == Receipt(b'{"v":1}', "proof")


def test_the_table_shows_each_number_with_its_error_bar() -> None:
    """A number without its error bar gets quoted as if it were exact."""
    page = repr(read_answer(response()))
    assert "1204 ± 12" in page
    assert "37.123 ± 0.032" in page
    assert "PARTIAL, without: lga" in page
    assert "clipping: Delays are clipped to [-30, 180]." in page
    assert "charged epsilon 1, delta 1e-06" in page


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [
        (2**60 + 1, 3.0, "1152921504606846977 ± 3.0"),
        (5, 0.0, "5"),
        (5.25, None, "5.25 ± ?"),
        (1234.5678, 1000.0, "1235 ± 1000"),
        (0.5, 1e-30, "0.500000000000000 ± 0.000000000000000"),
        (None, 1.0, "NULL"),
    ],
)
def test_a_number_is_shown_to_the_digits_that_mean_something(
    value: Value | None, half_width: float | None, text: str
) -> None:
    """Digits below the noise are no information, and large counts must not pass a float."""
    column = Column("x", ColumnType.REAL, released=True)
    assert cell_text(column, Cell(value, half_width)) == text


def test_texts_from_departments_cannot_drive_the_terminal() -> None:
    """A group's label or a note is written by somebody else than who reads it."""
    evil = "\x1b[2J[red]x[/red]\nspoof\u202e"
    answer = of(ColumnType.TEXT, evil)
    console = Console(width=100, force_terminal=True, color_system="truecolor")
    with console.capture() as captured:
        console.print(answer)
    page = captured.get()
    assert "\x1b[2J" not in page
    assert "\u202e" not in page
    assert "\\x1b[2J[red]x[/red]\\nspoof\\u202e" in page


def test_a_long_answer_is_shown_in_part_and_says_so() -> None:
    """Ten thousand cells in a traceback help nobody."""
    message = response()
    for _ in range(100):
        message.rows.append(message.rows[0])
    page = repr(read_answer(message))
    assert "… 62 more rows" in page


@given(typed_values)
def test_any_value_survives_the_wire_and_arrow(typed: tuple[ColumnType, Value]) -> None:
    """Dates before 1970 and microseconds are where such code goes wrong."""
    kind, value = typed
    assert read_literal(write_literal(value, "x")) == (kind, value)
    assert of(kind, value).to_arrow().to_pylist() == [{"x": value}]


def test_a_timestamp_of_another_zone_is_the_same_moment() -> None:
    """The wire knows UTC only."""
    moment = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=8)))
    assert read_literal(write_literal(moment, "x")) == (
        ColumnType.TIMESTAMP,
        datetime(2026, 2, 28, 17, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "not NoneType"),
        ([1], "not list"),
        (2**63, "64 bits"),
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        ("\ud800", "Unicode"),
        (datetime(2026, 1, 1), "time zone"),  # noqa: DTZ001 - that it has none is the point
    ],
)
def test_an_argument_without_a_literal_is_refused_by_name(value: object, sentence: str) -> None:
    """The sentence names the argument and what would be right, and not the value."""
    with pytest.raises(LandbridgeError, match=sentence) as caught:
        write_literal(value, "The argument tailnum")  # type: ignore[arg-type]
    assert caught.value.reason == "INVALID_ARGUMENT"
    assert "The argument tailnum" in caught.value.message


def test_arrow_keeps_types_and_nulls() -> None:
    """An all-NULL or empty column must not become a column of nothing."""
    table = read_answer(response()).to_arrow(accuracy=True)
    assert table.schema.names == ["district", "n", "n_half_width", "mean", "mean_half_width"]
    assert table.schema.field("n").type == pa.int64()
    empty = gateway_pb2.QueryResponse(columns=[Wire(name="t", type=Wire.TYPE_TIMESTAMP)])
    assert read_answer(empty).to_arrow().schema.field("t").type == pa.timestamp("us", tz="UTC")


def test_other_libraries_read_an_answer() -> None:
    """The Arrow stream interface is how tools read it without being told how."""
    answer = read_answer(response())
    frame = answer.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame["n"].tolist() == [1_204, 18]
    frame["plus_minus"] = answer.accuracy["n"]
    assert frame["plus_minus"].tolist() == [12.4, 12.4]
    assert pa.table(answer).column("n").to_pylist() == [1_204, 18]


@pytest.mark.parametrize(("missing", "extra"), [("pyarrow", "arrow"), ("pandas", "pandas")])
def test_a_missing_library_is_named_with_its_extra(missing: str, extra: str) -> None:
    """Arrow is optional; who needs it should not have to guess the name."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from landbridge.answers import Answer, Cost\n"
        "answer = Answer((), (), (), (), (), Cost(0, 0, ()), None)\n"
        "assert answer.rows() == []\n"
        f"answer.to_{extra}()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"pip install 'landbridge[{extra}]'" in last


def spoilt(kind: str) -> gateway_pb2.QueryResponse:
    """A reply that contradicts itself."""
    message = response()
    first = message.rows[0]
    if kind == "short row":
        del first.values[2]
    elif kind == "long row":
        first.values.add()
    elif kind == "other type":
        first.values[1].value.text = "Zoltan Q"
    elif kind == "empty literal":
        first.values[1].value.CopyFrom(question_pb2.Literal())
    elif kind == "unknown column type":
        message.columns[0].type = 77  # type: ignore[assignment]
    elif kind == "impossible date":
        message.columns[1].type = Wire.TYPE_DATE
        first.values[1].value.date = 2**31 - 1
    elif kind == "impossible timestamp":
        message.columns[1].type = Wire.TYPE_TIMESTAMP
        first.values[1].value.timestamp = 2**63 - 1
    elif kind == "negative half-width":
        first.values[1].half_width = -1.0
    elif kind == "not a half-width":
        first.values[1].half_width = float("nan")
    return message


@pytest.mark.parametrize(
    "kind",
    [
        "short row",
        "long row",
        "other type",
        "empty literal",
        "unknown column type",
        "impossible date",
        "impossible timestamp",
        "negative half-width",
        "not a half-width",
    ],
)
def test_a_reply_that_contradicts_itself_is_rejected_whole(kind: str) -> None:
    """Half an answer is worse than none; and the sentence holds nothing of it."""
    with pytest.raises(LandbridgeError) as caught:
        read_answer(spoilt(kind))
    assert caught.value.reason == "ANSWER_REJECTED"
    assert "Zoltan" not in str(caught.value)


def test_a_refusal_has_its_receipt_too() -> None:
    """A refused caller can prove that the refusal was logged."""
    receipt = evidence_pb2.Receipt(entry=b'{"v":1}', proof="proof")
    refusal = error("ACCESS_DENIED", receipt=receipt.SerializeToString())
    assert error_receipt(refusal) == Receipt(b'{"v":1}', "proof")
    assert error_receipt(error("ACCESS_DENIED")) is None


def test_dates_are_dates_and_not_datetimes() -> None:
    """A datetime is a date to isinstance, and would lose its time."""
    assert read_literal(write_literal(date(1969, 12, 31), "x")) == (
        ColumnType.DATE,
        date(1969, 12, 31),
    )
    kind, _ = read_literal(write_literal(datetime(1969, 12, 31, 23, 59, tzinfo=UTC), "x"))
    assert kind is ColumnType.TIMESTAMP

"""An answer as an Arrow table or a pandas frame; the one file that needs pyarrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

try:
    import pyarrow as pa
except ImportError:
    raise ImportError(
        "Arrow tables need pyarrow, which is not installed: pip install 'landbridge[arrow]', or "
        "use Answer.rows()."
    ) from None

from landbridge.answers import Answer, ColumnType

if TYPE_CHECKING:
    import pandas as pd


def table(answer: Answer, *, accuracy: bool) -> pa.Table:
    """The answer's columns in order; timestamps are timestamp[us, UTC], dates date32."""
    arrays: list[pa.Array] = []
    names: list[str] = []
    for place, column in enumerate(answer.columns):
        values = [row[place].value for row in answer.cells]
        arrays.append(pa.array(values, type=_type(column.type)))
        names.append(column.name)
        if accuracy and column.released:
            half_widths = [row[place].half_width for row in answer.cells]
            arrays.append(pa.array(half_widths, type=pa.float64()))
            names.append(f"{column.name}_half_width")
    return pa.Table.from_arrays(arrays, names=names)


def frame(answer: Answer, *, accuracy: bool) -> pd.DataFrame:
    """The same as a pandas.DataFrame."""
    try:
        import pandas as pd  # noqa: F401 - pyarrow would fail with a sentence of its own
    except ImportError:
        raise ImportError(
            "Data frames need pandas, which is not installed: pip install 'landbridge[pandas]', or "
            "use Answer.rows()."
        ) from None
    return cast("pd.DataFrame", table(answer, accuracy=accuracy).to_pandas())


def _type(type_: ColumnType) -> pa.DataType:
    return {
        ColumnType.INTEGER: pa.int64,
        ColumnType.REAL: pa.float64,
        ColumnType.TEXT: pa.string,
        ColumnType.BOOLEAN: pa.bool_,
        ColumnType.DATE: pa.date32,
        ColumnType.TIMESTAMP: lambda: pa.timestamp("us", tz="UTC"),
    }[type_]()

"""An answer as an Arrow table or a pandas frame; the one file that needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

try:
    import pyarrow as pa
except ImportError:
    raise ImportError(
        "Arrow tables need pyarrow, which is not installed: pip install 'landbridge[arrow]', or "
        "use Answer.rows()."
    ) from None

from landbridge.answers import Answer, Column, ColumnType

if TYPE_CHECKING:
    import pandas as pd


def table(answer: Answer, *, accuracy: bool) -> pa.Table:
    """The answer's columns in order, as `schema` says."""
    shape = schema(answer.columns, accuracy=accuracy)
    arrays: list[list[object]] = []
    for place, column in enumerate(answer.columns):
        arrays.append([row[place].value for row in answer.cells])
        if accuracy and column.released:
            arrays.append([row[place].half_width for row in answer.cells])
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(arrays, shape, strict=True)],
        schema=shape,
    )


def schema(columns: Iterable[Column], *, accuracy: bool) -> pa.Schema:
    """The columns; timestamps are timestamp[us, UTC], dates date32.

    With `accuracy`, each released column is followed by `<name>_half_width` (float64).
    """
    fields = []
    for column in columns:
        fields.append(pa.field(column.name, _type(column.type)))
        if accuracy and column.released:
            fields.append(pa.field(f"{column.name}_half_width", pa.float64()))
    return pa.schema(fields)


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

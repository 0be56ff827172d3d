"""`peer_opendp_polars`: the same numbers from OpenDP's Polars interface."""

from __future__ import annotations

from typing import Final

from bench.peer import Peer, measured
from bench.row import Row, Say

_PROGRAM: Final = """
import opendp.prelude as dp
import polars as pl

dp.enable_features("contrib")
ROWS = pl.read_csv(SOURCE).with_columns(pl.col("district").cast(pl.Enum(DISTRICTS)))
KNOWN = dp.polars.Margin(by=["district"], max_length=len(ROWS), max_groups=20, invariant="keys")


def answer():
    context = dp.Context.compositor(
        data=ROWS.lazy(),
        privacy_unit=dp.unit_of(contributions=1),
        privacy_loss=dp.loss_of(epsilon=1.0),
        split_evenly_over=1,
        margins=[KNOWN],
    )
    released = (
        context.query()
        .group_by("district")
        .agg(dp.len().alias("people"), pl.col("income").dp.sum((0, 200_000)).alias("total"))
        .release()
        .collect()
    )
    cells = released.select("district", "people", "total").iter_rows()
    return {district: (people, total / people) for district, people, total in cells}
"""

PEER: Final = Peer(
    "peer_opendp_polars",
    ("opendp[polars]==0.16.0",),
    _PROGRAM,
    "its Context over a Polars frame in memory, districts known, a new Context a question",
    rounds=3,
)


def measure(say: Say) -> Row:
    """Milliseconds for the question of `bench.peer`."""
    return measured(PEER, say)

"""`peer_tumult`: the same numbers from Tumult Analytics on Spark."""

from __future__ import annotations

from typing import Final

from bench.peer import Peer, measured
from bench.row import Row, Say

_PROGRAM: Final = """
os.environ["PYSPARK_PYTHON"] = sys.executable
from pyspark.sql import SparkSession
from tmlt.analytics import AddOneRow, KeySet, PureDPBudget, QueryBuilder, Session

spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .getOrCreate()
)
COLUMNS = "person LONG, district STRING, age LONG, income LONG"
ROWS = spark.read.csv(SOURCE, header=True, schema=COLUMNS).cache()
ROWS.count()
BY_DISTRICT = QueryBuilder("people").groupby(KeySet.from_dict({"district": DISTRICTS}))
COUNT = BY_DISTRICT.count(name="people")
TOTAL = BY_DISTRICT.sum("income", low=0, high=200_000, name="total")


def answer():
    session = Session.from_dataframe(
        privacy_budget=PureDPBudget(1.0),
        source_id="people",
        dataframe=ROWS,
        protected_change=AddOneRow(),
    )
    counts = session.evaluate(COUNT, PureDPBudget(0.5)).collect()
    totals = session.evaluate(TOTAL, PureDPBudget(0.5)).collect()
    total = {row["district"]: row["total"] for row in totals}
    return {
        row["district"]: (row["people"], total[row["district"]] / row["people"]) for row in counts
    }
"""

PEER: Final = Peer(
    "peer_tumult",
    ("tmlt.analytics==0.21.0",),
    _PROGRAM,
    "Spark local[2] with a cached frame, districts known, a new session a question; needs Java",
    rounds=3,
)


def measure(say: Say) -> Row:
    """Milliseconds for the question of `bench.peer`."""
    return measured(PEER, say)

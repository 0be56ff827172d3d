"""`peer_pipelinedp`: the same numbers from PipelineDP, without Beam or Spark."""

from __future__ import annotations

from typing import Final

from bench.peer import Peer, measured
from bench.row import Row, Say

_PROGRAM: Final = """
import csv
import pipeline_dp

with open(SOURCE, newline="") as file:
    ROWS = [
        (int(row["person"]), row["district"], int(row["income"])) for row in csv.DictReader(file)
    ]
TERMS = pipeline_dp.AggregateParams(
    metrics=[pipeline_dp.Metrics.COUNT, pipeline_dp.Metrics.MEAN],
    max_partitions_contributed=1,
    max_contributions_per_partition=1,
    min_value=0,
    max_value=200_000,
)
PARTS = pipeline_dp.DataExtractors(
    privacy_id_extractor=lambda row: row[0],
    partition_extractor=lambda row: row[1],
    value_extractor=lambda row: row[2],
)


def answer():
    budget = pipeline_dp.NaiveBudgetAccountant(total_epsilon=1.0, total_delta=1e-6)
    engine = pipeline_dp.DPEngine(budget, pipeline_dp.LocalBackend())
    cells = engine.aggregate(ROWS, TERMS, PARTS, public_partitions=DISTRICTS)
    budget.compute_budgets()
    return {district: (found.count, found.mean) for district, found in cells}
"""

PEER: Final = Peer(
    "peer_pipelinedp",
    ("pipeline-dp==0.3.1",),
    _PROGRAM,
    "its local backend over tuples in memory, districts known, one row a person enforced",
    rounds=2,
)


def measure(say: Say) -> Row:
    """Milliseconds for the question of `bench.peer`."""
    return measured(PEER, say)

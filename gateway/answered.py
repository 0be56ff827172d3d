"""What the gateway's use cases come to, before it is put into messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.combine import Combined
from gateway.planning import Plan
from gateway.table import Row
from landbridge.v1 import node_pb2


@dataclass(frozen=True, slots=True)
class Answered:
    """Everything that the reply to a question shows; `untold` counts averages that are NULL.

    `rounds` is how many rounds were asked, each of them charged.
    """

    plan: Plan
    rows: list[Row]
    untold: int
    combined: tuple[Combined, ...]
    replies: Mapping[str, node_pb2.AnswerResponse]
    missing: tuple[str, ...]
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Explained:
    """What an answer would be like."""

    plan: Plan
    estimates: Mapping[str, node_pb2.EstimateResponse]
    missing: tuple[str, ...]

"""The tables of watches, in the gateway's database; `gateway/cases/migrations` makes them.

Who made a watch stands here in the clear, because the gateway's policy is asked about them at every
evaluation; tokens do not. An event without a proof is not in the log, and nobody sees it yet.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, LargeBinary, Table, Text

from gateway.cases.schema import METADATA

watch = Table(
    "watch",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),  # the log of the gateway that carries it on
    Column("caller", Text, nullable=False),  # what the token said, JSON
    Column("organisation", Text, nullable=False),
    Column("asked", LargeBinary, nullable=False),  # the request, as it came
    Column("department", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("method", Text, nullable=False),
    Column("accuracy", Float, nullable=False),
    Column("alerts_most", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("evaluations", BigInteger, nullable=False),
    Column("alerts", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("watch_standing", "owner", "state"),
    Index("watch_organisation", "organisation"),
)

event = Table(
    "watch_event",
    METADATA,
    Column("watch_id", Text, ForeignKey("watch.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("parts", Text, nullable=False),
    Column("log_size", BigInteger, nullable=False),
    Column("entry", LargeBinary),
    Column("proof", Text),
)
"""What subscribers are told, from number 1 on."""

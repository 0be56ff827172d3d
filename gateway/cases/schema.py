"""The tables of cases, the same in SQLite and in PostgreSQL; `migrations/` makes and changes them.

Nothing here can be read without a department's key, but names of steps and what came of them:
forms and handed values lie here sealed, callers as keyed digests, tokens not at all.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA: Final = MetaData()

procedure = Table(
    "procedure",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("text", Text, nullable=False),
)
"""The texts that cases were opened under."""

case = Table(
    "case_",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),  # the log of the gateway that carries it on
    Column("procedure", Text, nullable=False),
    Column("digest", Text, ForeignKey("procedure.digest"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("opener", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("form_key", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("closed_at", Float),
    Column("sequence", BigInteger, nullable=False),
    Index("case_open", "owner", "state"),
)

step = Table(
    "step",
    METADATA,
    Column("case_id", Text, ForeignKey("case_.id"), primary_key=True),
    Column("step", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False, server_default=""),
    Column("reasons", Text, nullable=False, server_default=""),
    Column("due_at", Float),
    Column("escalated_to", Text, nullable=False, server_default=""),
    Column("form", LargeBinary, nullable=False),
    Column("form_signature", LargeBinary, nullable=False),
    Index("step_due", "state", "due_at"),
)

envelope = Table(
    "envelope",
    METADATA,
    Column("case_id", Text, ForeignKey("case_.id"), primary_key=True),
    Column("from_step", Text, primary_key=True),
    Column("to_step", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

change = Table(
    "change",
    METADATA,
    Column("case_id", Text, ForeignKey("case_.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("time", Float, nullable=False),
    Column("step", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False, server_default=""),
    Column("reasons", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False, server_default=""),
    Column("parts", Text, nullable=False, server_default=""),
    Column("due_at", Float),
    Column("log_size", BigInteger, nullable=False),
    Column("logged", Boolean, nullable=False),
    Index("change_unlogged", "logged"),
)
"""What happened. A change that is not `logged` yet has not happened for anybody who looks."""

replica = Table(
    "replica",
    METADATA,
    Column("name", Text, primary_key=True),  # of its log, as `case_.owner`
    Column("until", Float, nullable=False),
    Column("mark", Text, nullable=False, server_default=""),
)
"""The gateways on this database, and until when each holds its cases: seconds since 1970.

`mark` is a digest of nothing by the key that openers' digests are made with."""

"""Leases of the gateways that share the cases.

Those that carry cases on now are given five minutes to come back as the new version.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SECONDS = 300.0


def upgrade() -> None:
    """Makes the table, with a row for every gateway that has cases."""
    replica = op.create_table(
        "replica",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("mark", sa.Text, nullable=False, server_default=""),
    )
    connection = op.get_bind()
    case = sa.table("case_", sa.column("owner"))
    until = time.time() + _SECONDS
    owners = [row[0] for row in connection.execute(sa.select(case.c.owner).distinct())]
    if owners:
        op.bulk_insert(replica, [{"name": owner, "until": until} for owner in owners])

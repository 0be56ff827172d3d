"""Cases, their steps, envelopes and changes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "procedure",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "case_",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("procedure", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, sa.ForeignKey("procedure.digest"), nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("opener", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("form_key", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("closed_at", sa.Float),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_index("case_open", "case_", ["owner", "state"])
    op.create_table(
        "step",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case_.id"), primary_key=True),
        sa.Column("step", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False, server_default=""),
        sa.Column("reasons", sa.Text, nullable=False, server_default=""),
        sa.Column("due_at", sa.Float),
        sa.Column("escalated_to", sa.Text, nullable=False, server_default=""),
        sa.Column("form", sa.LargeBinary, nullable=False),
        sa.Column("form_signature", sa.LargeBinary, nullable=False),
    )
    op.create_index("step_due", "step", ["state", "due_at"])
    op.create_table(
        "envelope",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case_.id"), primary_key=True),
        sa.Column("from_step", sa.Text, primary_key=True),
        sa.Column("to_step", sa.Text, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "change",
        sa.Column("case_id", sa.Text, sa.ForeignKey("case_.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("step", sa.Text, nullable=False, server_default=""),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False, server_default=""),
        sa.Column("reasons", sa.Text, nullable=False, server_default=""),
        sa.Column("role", sa.Text, nullable=False, server_default=""),
        sa.Column("parts", sa.Text, nullable=False, server_default=""),
        sa.Column("due_at", sa.Float),
        sa.Column("log_size", sa.BigInteger, nullable=False),
        sa.Column("logged", sa.Boolean, nullable=False),
    )
    op.create_index("change_unlogged", "change", ["logged"])

"""Accounts that are disabled, or deleted and kept for their names."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = ("disabled_at", "deleted_at", "purged_at")


def upgrade() -> None:
    for name in COLUMNS:
        # No batch: SQLite adds and drops columns in place, and keeps what refers to the table.
        op.add_column("users", sa.Column(name, sa.DateTime(timezone=True)))


def downgrade() -> None:
    # Nobody is let in again by it: without a password nobody logs in, and no mail brings a new one.
    op.execute("UPDATE users SET password_hash = NULL WHERE disabled_at IS NOT NULL")
    for name in COLUMNS:
        op.drop_column("users", name)

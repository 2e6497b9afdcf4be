"""Access keys that are to be deactivated, until IAM has said that they are."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No batch: SQLite adds and drops columns in place, and keeps what refers to the table.
    op.add_column("users", sa.Column("keys_end_due", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("users", "keys_end_due")

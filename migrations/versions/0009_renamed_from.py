"""The key that a file had before its last renaming."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No batch: SQLite adds and drops columns in place, and keeps triggers and partial indexes.
    op.add_column("file_uploads", sa.Column("renamed_from", sa.String(1024)))


def downgrade() -> None:
    op.drop_column("file_uploads", "renamed_from")

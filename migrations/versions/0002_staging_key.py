"""Uploads beside the file that they will replace."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEX = "uq_file_uploads_living_file_key"
COUNTED = {"sqlite_autoincrement": True}
STATUSES = "status IN ('pending', 'uploading', 'completed')"


def upgrade() -> None:
    op.drop_index(INDEX, table_name="file_uploads")
    with op.batch_alter_table("file_uploads", table_kwargs=COUNTED) as table:
        table.add_column(sa.Column("staging_key", sa.String(1024)))
        table.create_unique_constraint("uq_file_uploads_staging_key", ["staging_key"])
    _create_index(f"staging_key IS NULL AND {STATUSES}")


def downgrade() -> None:
    # What waits beside its file would hold a key that is taken; it was never confirmed.
    op.execute("DELETE FROM file_uploads WHERE staging_key IS NOT NULL")
    op.drop_index(INDEX, table_name="file_uploads")
    with op.batch_alter_table("file_uploads", table_kwargs=COUNTED) as table:
        table.drop_constraint("uq_file_uploads_staging_key", type_="unique")
        table.drop_column("staging_key")
    _create_index(STATUSES)


def _create_index(condition: str) -> None:
    where = sa.text(condition)
    op.create_index(
        INDEX, "file_uploads", ["file_key"], unique=True, sqlite_where=where, postgresql_where=where
    )

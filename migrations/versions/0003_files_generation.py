"""The generation of a user's files, which every change raises."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COUNTED = {"sqlite_autoincrement": True}


def upgrade() -> None:
    with op.batch_alter_table("users", table_kwargs=COUNTED) as table:
        column = sa.Column("files_generation", sa.BigInteger(), nullable=False, server_default="0")
        table.add_column(column)


def downgrade() -> None:
    with op.batch_alter_table("users", table_kwargs=COUNTED) as table:
        table.drop_column("files_generation")

"""Access keys that are to be deactivated, until IAM has said that they are."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COUNTED = {"sqlite_autoincrement": True}


def upgrade() -> None:
    with op.batch_alter_table("users", table_kwargs=COUNTED) as table:
        table.add_column(sa.Column("keys_end_due", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("users", table_kwargs=COUNTED) as table:
        table.drop_column("keys_end_due")

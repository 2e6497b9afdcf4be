"""Wrong tries in a row of each account, and when codes were mailed to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "failed_tries",
        sa.Column("slot", sa.String(48), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", TIME, nullable=False),
        sa.Column("forgotten_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("slot", name="pk_failed_tries"),
    )
    op.create_index("ix_failed_tries_forgotten_at", "failed_tries", ["forgotten_at"])
    op.create_table(
        "sent_codes",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("sent_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sent_codes_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sent_codes"),
    )
    op.create_index("ix_sent_codes_sent_at", "sent_codes", ["sent_at"])
    op.create_index("ix_sent_codes_user_id_sent_at", "sent_codes", ["user_id", "sent_at"])


def downgrade() -> None:
    op.drop_table("sent_codes")
    op.drop_table("failed_tries")

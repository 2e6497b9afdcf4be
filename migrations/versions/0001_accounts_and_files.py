"""Accounts, logins, mail codes, files, and multipart uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
LIVING = sa.text("status IN ('pending', 'uploading', 'completed')")


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("username_folded", sa.String(64), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("email_folded", sa.String(320), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("uuid", name="uq_users_uuid"),
        sa.UniqueConstraint("username_folded", name="uq_users_username_folded"),
        sa.UniqueConstraint("email_folded", name="uq_users_email_folded"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_login_sessions_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_login_sessions"),
    )
    op.create_index("ix_login_sessions_user_id", "login_sessions", ["user_id"])
    op.create_index("ix_login_sessions_expires_at", "login_sessions", ["expires_at"])
    op.create_table(
        "mail_codes",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_mail_codes_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mail_codes"),
        sa.UniqueConstraint("user_id", "purpose", name="uq_mail_codes_user_id_purpose"),
    )
    op.create_index("ix_mail_codes_expires_at", "mail_codes", ["expires_at"])
    op.create_table(
        "file_uploads",
        sa.Column("id", ID, nullable=False),
        sa.Column("object_id", sa.String(24), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("file_key", sa.String(1024), nullable=False),
        sa.Column("original_filename", sa.String(1024), nullable=False),
        sa.Column("file_size", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("etag", sa.String(255)),
        sa.Column("sha256", sa.String(64)),
        sa.Column("storage_tier", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("parent_content_type", sa.String(255)),
        sa.Column("parent_object_id", sa.BigInteger()),
        sa.Column("uploaded_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("last_activity_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_file_uploads_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_file_uploads"),
        sa.UniqueConstraint("object_id", name="uq_file_uploads_object_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_file_uploads_living_file_key",
        "file_uploads",
        ["file_key"],
        unique=True,
        sqlite_where=LIVING,
        postgresql_where=LIVING,
    )
    op.create_index(
        "ix_file_uploads_listing", "file_uploads", ["user_id", "status", "uploaded_at", "id"]
    )
    op.create_index(
        "ix_file_uploads_category_listing",
        "file_uploads",
        ["user_id", "status", "category", "uploaded_at", "id"],
    )
    op.create_index("ix_file_uploads_activity", "file_uploads", ["status", "last_activity_at"])
    op.create_index("ix_file_uploads_expires_at", "file_uploads", ["expires_at"])
    op.create_table(
        "multipart_uploads",
        sa.Column("id", ID, nullable=False),
        sa.Column("file_id", ID, nullable=False),
        sa.Column("upload_id", sa.String(1024), nullable=False),
        sa.Column("part_size", sa.BigInteger()),
        sa.Column("num_parts", sa.BigInteger()),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["file_uploads.id"],
            name="fk_multipart_uploads_file_id_file_uploads",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_multipart_uploads"),
        sa.UniqueConstraint("file_id", name="uq_multipart_uploads_file_id"),
    )
    op.create_index("ix_multipart_uploads_upload_id", "multipart_uploads", ["upload_id"])


def downgrade() -> None:
    """Drop every table of this migration."""
    for table in (
        "multipart_uploads",
        "file_uploads",
        "mail_codes",
        "login_sessions",
        "users",
    ):
        op.drop_table(table)

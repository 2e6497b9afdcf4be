"""How many files each user has, counted by the database itself (docs/decisions/0010)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

EXPIRIES = {
    "ix_file_uploads_expiry": ["user_id", "status", "expires_at"],
    "ix_file_uploads_expiring": ["file_key", "expires_at"],
}
LISTINGS = {
    "ix_file_uploads_listing": ["user_id", "status", "uploaded_at", "id"],
    "ix_file_uploads_category_listing": ["user_id", "status", "category", "uploaded_at", "id"],
}

ADD = """
    INSERT INTO file_counts (user_id, category, files) VALUES (NEW.user_id, NEW.category, 1)
    ON CONFLICT (user_id, category) DO UPDATE SET files = file_counts.files + 1;
"""
TAKE = """
    UPDATE file_counts SET files = files - 1
    WHERE user_id = OLD.user_id AND category = OLD.category;
"""
COUNTS_MORE = "NEW.status = 'completed'"
COUNTED_BEFORE = "OLD.status = 'completed'"
MOVED = "(OLD.status <> NEW.status OR OLD.category <> NEW.category OR OLD.user_id <> NEW.user_id)"

SQLITE = {
    "file_counts_insert": f"AFTER INSERT ON file_uploads WHEN {COUNTS_MORE} BEGIN {ADD} END",
    "file_counts_delete": f"AFTER DELETE ON file_uploads WHEN {COUNTED_BEFORE} BEGIN {TAKE} END",
    "file_counts_leave": "AFTER UPDATE OF status, category, user_id ON file_uploads "
    f"WHEN {COUNTED_BEFORE} AND {MOVED} BEGIN {TAKE} END",
    "file_counts_enter": "AFTER UPDATE OF status, category, user_id ON file_uploads "
    f"WHEN {COUNTS_MORE} AND {MOVED} BEGIN {ADD} END",
}

POSTGRESQL = (
    f"""
    CREATE FUNCTION count_completed_files() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND NOT {MOVED} THEN RETURN NULL; END IF;
        IF TG_OP <> 'INSERT' AND {COUNTED_BEFORE} THEN {TAKE} END IF;
        IF TG_OP <> 'DELETE' AND {COUNTS_MORE} THEN {ADD} END IF;
        RETURN NULL;
    END $$
    """,
    # At the commit, behind the row of the user that each change locks: no lock is held while
    # storage works, and two transactions of one user never wait for each other crosswise.
    """
    CREATE CONSTRAINT TRIGGER file_counts
    AFTER INSERT OR DELETE OR UPDATE OF status, category, user_id ON file_uploads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION count_completed_files()
    """,
)


def upgrade() -> None:
    op.create_table(
        "file_counts",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], "fk_file_counts_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "category", name="pk_file_counts"),
    )
    where = sa.text("expires_at IS NOT NULL")
    for name, columns in EXPIRIES.items():
        op.create_index(name, "file_uploads", columns, sqlite_where=where, postgresql_where=where)
    for name, columns in LISTINGS.items():
        op.drop_index(name, "file_uploads")
        op.create_index(name, "file_uploads", [*columns, "expires_at"])
    if op.get_bind().dialect.name == "sqlite":
        for name, definition in SQLITE.items():
            op.execute(f"CREATE TRIGGER {name} {definition}")
    else:
        for statement in POSTGRESQL:
            op.execute(statement)
    # Behind the trigger, which waits for open transactions and keeps out others: none is missed.
    op.execute(
        "INSERT INTO file_counts (user_id, category, files) SELECT user_id, category, count(*) "
        "FROM file_uploads WHERE status = 'completed' GROUP BY user_id, category"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in SQLITE:
            op.execute(f"DROP TRIGGER {name}")
    else:
        op.execute("DROP TRIGGER file_counts ON file_uploads")
        op.execute("DROP FUNCTION count_completed_files()")
    for name, columns in LISTINGS.items():
        op.drop_index(name, "file_uploads")
        op.create_index(name, "file_uploads", columns)
    for name in EXPIRIES:
        op.drop_index(name, "file_uploads")
    op.drop_table("file_counts")

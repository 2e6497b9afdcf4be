"""What each user holds of storage, counted by the database itself (docs/decisions/0012)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OPEN = "('pending', 'uploading')"


def _counted(row: str) -> tuple[str, str, str]:
    """Return what ``row`` adds to the three counts, as SQL."""
    return (
        f"CASE WHEN {row}.status = 'completed' THEN {row}.file_size ELSE 0 END",
        f"CASE WHEN {row}.status IN {OPEN} THEN {row}.file_size ELSE 0 END",
        f"CASE WHEN {row}.status IN {OPEN} THEN 1 ELSE 0 END",
    )


NEW, OLD = _counted("NEW"), _counted("OLD")
CHANGE = [f"{new} - {old}" for new, old in zip(NEW, OLD, strict=True)]


def _add(values: tuple[str, ...] | list[str]) -> str:
    return f"""
    INSERT INTO user_storage (user_id, used, reserved, open_uploads)
    VALUES (NEW.user_id, {", ".join(values)})
    ON CONFLICT (user_id) DO UPDATE SET
        used = user_storage.used + excluded.used,
        reserved = user_storage.reserved + excluded.reserved,
        open_uploads = user_storage.open_uploads + excluded.open_uploads;
    """  # noqa: S608  # columns only


TAKE = f"""
    UPDATE user_storage SET
        used = used - {OLD[0]}, reserved = reserved - {OLD[1]}, open_uploads = open_uploads - {OLD[2]}
    WHERE user_id = OLD.user_id;
"""  # noqa: S608  # columns only
COUNTS_NOW = f"NEW.status IN ('completed', {OPEN[1:]}"
COUNTED_BEFORE = f"OLD.status IN ('completed', {OPEN[1:]}"
MATTERS = (
    f"({COUNTED_BEFORE} OR {COUNTS_NOW})"
    " AND (OLD.status <> NEW.status OR OLD.file_size <> NEW.file_size)"
)

SQLITE = {
    "user_storage_insert": f"AFTER INSERT ON file_uploads WHEN {COUNTS_NOW} BEGIN {_add(NEW)} END",
    "user_storage_delete": f"AFTER DELETE ON file_uploads WHEN {COUNTED_BEFORE} BEGIN {TAKE} END",
    "user_storage_update": "AFTER UPDATE OF status, file_size ON file_uploads "
    f"WHEN OLD.user_id = NEW.user_id AND {MATTERS} BEGIN {_add(CHANGE)} END",
    "user_storage_move": "AFTER UPDATE OF user_id ON file_uploads "
    f"WHEN OLD.user_id <> NEW.user_id BEGIN {TAKE} {_add(NEW)} END",
}

POSTGRESQL = (
    f"""
    CREATE FUNCTION count_user_storage() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND OLD.user_id = NEW.user_id THEN
            IF {MATTERS} THEN {_add(CHANGE)} END IF;
            RETURN NULL;
        END IF;
        IF TG_OP <> 'INSERT' THEN
            IF {COUNTED_BEFORE} THEN {TAKE} END IF;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            IF {COUNTS_NOW} THEN {_add(NEW)} END IF;
        END IF;
        RETURN NULL;
    END $$
    """,
    # Deferred as file_counts is (0004); who reserves sets it to IMMEDIATE, behind the user's row.
    """
    CREATE CONSTRAINT TRIGGER user_storage_counts
    AFTER INSERT OR DELETE OR UPDATE OF status, file_size, user_id ON file_uploads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION count_user_storage()
    """,
)


def upgrade() -> None:
    user_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "user_storage",
        sa.Column("user_id", user_id, nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("open_uploads", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], "fk_user_storage_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_storage"),
    )
    op.create_table(
        "user_quotas",
        sa.Column("user_id", user_id, nullable=False),
        sa.Column("quota", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], "fk_user_quotas_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_quotas"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, definition in SQLITE.items():
            op.execute(f"CREATE TRIGGER {name} {definition}")
    else:
        for statement in POSTGRESQL:
            op.execute(statement)
    # Behind the trigger, which waits for open transactions and keeps out others: none is missed.
    used, reserved, uploads = _counted("f")
    op.execute(
        "INSERT INTO user_storage (user_id, used, reserved, open_uploads) "  # noqa: S608  # columns only
        f"SELECT f.user_id, sum({used}), sum({reserved}), sum({uploads}) FROM file_uploads f "
        f"WHERE f.status IN ('completed', {OPEN[1:]} GROUP BY f.user_id"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in SQLITE:
            op.execute(f"DROP TRIGGER {name}")
    else:
        op.execute("DROP TRIGGER user_storage_counts ON file_uploads")
        op.execute("DROP FUNCTION count_user_storage()")
    op.drop_table("user_quotas")
    op.drop_table("user_storage")

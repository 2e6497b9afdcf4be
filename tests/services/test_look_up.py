"""A look-up finds what the session would find, in the same types, and begins no transaction."""

from datetime import datetime

from flask import Flask
from sqlalchemy import bindparam, select

from softfactory.http.extensions import db
from softfactory.models import User
from softfactory.services.look_up import columns_of, look_up, look_up_object
from tests.conftest import Caller
from tests.stacks import both_databases

pytestmark = both_databases

NAMED = columns_of(User).where(User.username == bindparam("name"))
EARLIER = select(User.is_admin, User.created_at).where(User.created_at <= bindparam("then"))


def test_every_value_is_of_the_type_that_the_model_says(app: Flask, admin: Caller) -> None:
    with app.app_context():
        loaded = db.session.get_one(User, admin.user_id)
        rows = look_up(db.engine, EARLIER, {"then": loaded.created_at})

        ((is_admin, created_at),) = rows
        assert is_admin is True
        assert isinstance(created_at, datetime)
        assert created_at == loaded.created_at
        assert created_at.tzinfo is not None


def test_nothing_is_found_where_there_is_nothing(app: Flask) -> None:
    with app.app_context():
        assert look_up(db.engine, NAMED, {"name": "nobody"}) == []
        assert look_up_object(db.session(), User, NAMED, {"name": "nobody"}) is None


def test_an_object_is_as_the_session_would_have_loaded_it(app: Flask, alice: Caller) -> None:
    with app.app_context():
        found = look_up_object(db.session(), User, NAMED, {"name": alice.username})

        assert found is not None
        assert not db.session.dirty
        assert db.session.get(User, alice.user_id) is found
        columns = User.__table__.columns.keys()
        values = {name: getattr(found, name) for name in columns}
        db.session.expire(found)
        assert values == {name: getattr(found, name) for name in columns}


def test_an_object_that_the_session_has_stays_the_one(app: Flask, alice: Caller) -> None:
    with app.app_context():
        known = db.session.get_one(User, alice.user_id)

        assert look_up_object(db.session(), User, NAMED, {"name": alice.username}) is known


def test_a_look_up_leaves_no_transaction_behind(app: Flask, alice: Caller) -> None:
    with app.app_context():
        look_up_object(db.session(), User, NAMED, {"name": alice.username})
        db.session.commit()

        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # every pool of ours

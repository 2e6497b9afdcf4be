"""The rows of users: made by the rules, found by either name, and locked for what changes them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, false, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, make_transient

from softfactory.clock import Clock
from softfactory.errors import InvalidInput
from softfactory.models import User
from softfactory.services.names import canonical_email, email_problems, folded, username_problems
from softfactory.services.passwords import hash_password, password_problems
from softfactory.services.unit_of_work import write
from softfactory.storage.keys import Roots

BUILT_IN = "public"
"""The account of callers without a token (docs/api/simple.md); a name that nobody can register."""

BUILT_IN_EMAIL = "public@public.invalid"
"""Undeliverable, and taken by no registration (RFC 2606 section 2: ``.invalid``)."""

_PASS_OVER = text("SELECT setval('users_id_seq', GREATEST(:id, last_value)) FROM users_id_seq")
"""PostgreSQL: the next ids are behind this one; SQLite sees to that by itself (AUTOINCREMENT)."""

_TAKEN = "Username already exists. Choose another."


@dataclass(frozen=True, kw_only=True)
class Users:
    """The users that people are.

    A ``name`` is a username or an address, in any case. The built-in account and deleted ones have
    no password, and only ``find_any`` finds them.
    """

    session: Session
    clock: Clock
    holds_anything: Callable[[str], bool]
    """Whether storage has something below a prefix (``Storage.holds_anything``)."""

    def find(self, name: str) -> User | None:
        """Return the user called ``name`` as the database has it now."""
        return self.session.scalar(_called(name))

    def find_any(self, name: str) -> User | None:
        """Return the user called ``name``, with a password or without."""
        return self.session.scalar(_named(name))

    def lock(self, name: str) -> User | None:
        """Return the user called ``name``, locked until the transaction ends; nobody disabled."""
        query = _called(name).where(User.disabled_at.is_(None))
        return self.session.scalar(query.with_for_update(key_share=True))

    def lock_any(self, name: str) -> User | None:
        """Return the user called ``name``, locked until the transaction ends, disabled or not."""
        return self.session.scalar(_called(name).with_for_update(key_share=True))

    def lock_unchanged(self, user: User, password_hash: str) -> User | None:
        """Return ``user``, locked, if that is still its password's hash."""
        return self.session.scalar(
            _fresh(User.id == user.id, User.password_hash == password_hash).with_for_update(
                key_share=True
            )
        )

    def new(self, username: str, email: str, password: str, requester: Sequence[str] = ()) -> User:
        """Return a user, not yet added, whose names were free a moment ago.

        Args:
            requester: whose turn at hashing it takes (``Turns``).

        Raises:
            InvalidInput: by field: not acceptable, or taken.
            StorageError: nobody can say whether storage uses the name.
        """
        _refuse(
            username=username_problems(username),
            email=email_problems(email),
            password=password_problems(password),
        )
        address = canonical_email(email)
        user = User(
            uuid=str(uuid4()),
            username=username,
            username_folded=username.lower(),
            email=address,
            email_folded=address.lower(),
            created_at=self.clock(),
            is_admin=False,
        )
        self._check_free(user)
        self._check_unused(username)
        user.password_hash = hash_password(password, requester)
        return user

    def built_in(self) -> User:
        """Return the built-in account, made by whoever needs it first.

        Nobody logs in to it: it has no password, and no mail reaches its address.
        """
        query = select(User).where(User.username == BUILT_IN)
        user = self.session.scalar(query)
        if user is not None:
            return user
        now = self.clock()
        user = User(
            uuid=str(uuid4()),
            username=BUILT_IN,
            username_folded=BUILT_IN,
            email=BUILT_IN_EMAIL,
            email_folded=BUILT_IN_EMAIL,
            created_at=now,
            confirmed_at=now,
        )
        unused = self._unused_id(user)
        try:
            with write(self.session):
                self._add(user, unused)
        except IntegrityError:
            pass  # Another request was faster, and this account is the same for all.
        return self.session.scalars(query).one()

    @contextmanager
    def adding(self, user: User) -> Iterator[None]:
        """Add ``user``, and what the block adds for it, in one transaction.

        Raises:
            InvalidInput: by field: another request took a name first.
            StorageError: nobody can say whether storage uses the id that the user would get.
        """
        unused = self._unused_id(user)
        try:
            with write(self.session):
                self._add(user, unused)
                yield
        except IntegrityError:
            self._check_free(user)
            raise

    def _unused_id(self, user: User) -> int:
        """Return an id, most likely the next one, whose uploads root storage does not use.

        The id is a name too. A database that was lost or set back gives ids again, and with one it
        would give the files of whoever had it.
        """
        unused = (self.session.scalar(select(func.max(User.id))) or 0) + 1
        self.session.commit()  # No connection waits for storage.
        step = 1
        while self._is_used(user, unused):
            unused += step
            step *= 2
        return unused

    def _is_used(self, user: User, user_id: int) -> bool:
        roots = Roots.of(uuid=user.uuid, user_id=user_id, username=user.username)
        return self.holds_anything(roots.uploads)

    def _add(self, user: User, unused: int) -> None:
        """Add the row, in the caller's transaction, with ``unused`` for its id or a later one."""
        self.session.add(user)
        self.session.flush()
        step = 1
        # Ids are never given twice, so the next may be later than it seemed.
        while user.id < unused or (user.id > unused and self._is_used(user, user.id)):
            next_id = max(unused, user.id + step)
            step *= 2
            self.session.delete(user)
            self.session.flush()
            make_transient(user)
            user.id = next_id
            self.session.add(user)
            self.session.flush()
            if self.session.get_bind().dialect.name == "postgresql":
                self.session.execute(_PASS_OVER, {"id": next_id})

    def _check_free(self, user: User) -> None:
        """Raise InvalidInput if someone has the name or the address of ``user``."""
        name, address = user.username_folded, user.email_folded
        names = self.session.scalar(select(User.id).where(User.username_folded == name))
        addresses = self.session.scalar(select(User.id).where(User.email_folded == address))
        self.session.commit()
        _refuse(
            username=[_TAKEN] if names else [],
            email=["Email already exists. Log in, or reset the password."] if addresses else [],
        )

    def _check_unused(self, username: str) -> None:
        """Raise InvalidInput if storage has something below the root that the name would own.

        A bucket may hold others' objects, and those of users that the database has forgotten. In
        lower case too: on other systems than S3 those are the same folder.
        """
        if any(self.holds_anything(f"{name}/") for name in {username, username.lower()}):
            _refuse(username=[_TAKEN])


def _refuse(**problems: list[str]) -> None:
    """Raise InvalidInput for the fields that have problems, if any has."""
    errors = {field: messages for field, messages in problems.items() if messages}
    if errors:
        raise InvalidInput(" ".join(chain.from_iterable(errors.values())), errors=errors)


def _called(name: str) -> Select[User]:
    """Return the query for who has the name and a password."""
    return _named(name).where(User.password_hash.is_not(None))


def _named(name: str) -> Select[User]:
    form = folded(name)
    if form is None:
        return _fresh(false())
    column = User.email_folded if "@" in form else User.username_folded
    return _fresh(column == form)


def _fresh(*criteria: ColumnElement[bool]) -> Select[User]:
    """Return the query for a user; what the session remembers of it is overwritten."""
    return select(User).where(*criteria).execution_options(populate_existing=True)

"""Passwords: which are good enough, how they are hashed, and how one is checked against a hash."""

import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from softfactory.errors import InvalidInput
from softfactory.services.threads import threads
from softfactory.services.turns import Turns

P = ParamSpec("P")
R = TypeVar("R")

# OWASP Password Storage Cheat Sheet, Argon2id: 19 MiB of memory, 2 iterations, parallelism 1.
MEMORY_KIB = 19 * 1024
ITERATIONS = 2
PARALLELISM = 1
SALT_BYTES = 16
HASH_BYTES = 32

MIN_LENGTH = 8
"""Characters (docs/api/accounts.md, Usernames and passwords)."""
MAX_BYTES = 1024
"""Of UTF-8; a bound, so that no caller has us hash a book."""
MAX_CONCURRENT = 4
"""Hashings at once in a process: 4 x 19 MiB is all the memory that logins ever take.

They run in threads of their own: the C library keeps what a thread once used for that thread, so
hashing in each of the server's threads would hold 19 MiB in every one.
"""

MAX_WAITING = 28
"""Hashings that wait for one of those: no more than half of a worker's threads."""

PATIENCE = 10.0
"""Seconds that one waits at most; half a second is what a full queue takes of a free processor."""

_turns = Turns(at_once=MAX_CONCURRENT, waiting=MAX_WAITING, patience=PATIENCE)

_hasher = PasswordHasher(
    time_cost=ITERATIONS,
    memory_cost=MEMORY_KIB,
    parallelism=PARALLELISM,
    hash_len=HASH_BYTES,
    salt_len=SALT_BYTES,
)


def _hashed(
    requester: Sequence[str], function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Return what ``function`` does in a hashing thread.

    Raises:
        Busy: too many are waiting for one.
    """
    with _turns.turn(requester):
        return threads("argon2", MAX_CONCURRENT).submit(function, *args, **kwargs).result()


def password_problems(password: str) -> list[str]:
    """Return what keeps ``password`` from being accepted, a sentence each; empty if nothing."""
    problems = []
    if len(password) < MIN_LENGTH:
        problems.append(f"The password is too short. Use {MIN_LENGTH} or more characters.")
    encoded = _encoded(password)
    if encoded is None:
        problems.append(f"The password is not valid UTF-8 of at most {MAX_BYTES} bytes.")
    for kind, has_it in (
        ("an upper case letter", str.isupper),
        ("a lower case letter", str.islower),
        ("a digit", str.isdecimal),
    ):
        if not any(has_it(character) for character in password[:MAX_BYTES]):
            problems.append(f"The password needs {kind}.")
    return problems


def require_acceptable(new_password: str) -> None:
    """Return if a new password meets the policy.

    Raises:
        InvalidInput: it does not.
    """
    if problems := password_problems(new_password):
        raise InvalidInput(" ".join(problems), errors={"new_password": problems})


def hash_password(password: str, requester: Sequence[str] = ()) -> str:
    """Return the argon2id hash of an acceptable ``password``, with its parameters and own salt.

    Args:
        requester: whose turn it takes: the address and the account (``Turns``).

    Raises:
        Busy: too many are being hashed.
    """
    encoded = _encoded(password)
    if encoded is None:
        raise ValueError("password was not checked")
    return _hashed(requester, _hasher.hash, encoded)


def verify_password(
    password: str, password_hash: str | None, requester: Sequence[str] = ()
) -> bool:
    """Whether ``password`` belongs to ``password_hash``; None, for nobody, takes as long to say.

    Args:
        requester: whose turn it takes: the address and the account (``Turns``).

    Raises:
        Busy: too many are being hashed.
    """
    encoded = _encoded(password)
    try:
        _hashed(requester, _hasher.verify, password_hash or _NOBODY, encoded or b"")
    except VerifyMismatchError:
        return False
    return password_hash is not None and encoded is not None


def needs_rehash(password_hash: str) -> bool:
    """Whether ``password_hash`` was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _encoded(password: str) -> bytes | None:
    """Return the bytes to hash, or None for a password that cannot be one.

    NFC, so that a letter typed on another keyboard is the same letter (NIST SP 800-63B, 5.1.1.2).
    """
    try:
        if len(password) > MAX_BYTES or len(password.encode()) > MAX_BYTES:
            return None
    except UnicodeEncodeError:
        return None
    return unicodedata.normalize("NFC", password).encode()


def _unmatched_hash() -> str:
    """Return a hash with today's parameters that belongs to no known password."""
    salt, digest = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (SALT_BYTES, HASH_BYTES)
    )
    return f"$argon2id$v=19$m={MEMORY_KIB},t={ITERATIONS},p={PARALLELISM}${salt}${digest}"


_NOBODY = _unmatched_hash()

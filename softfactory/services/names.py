"""What an account may be called: the rules for usernames and addresses, and how they are found."""

import re

from email_validator import EmailNotValidError, validate_email

from softfactory.storage.keys import is_reserved_root

USERNAME = r"[A-Za-z0-9][A-Za-z0-9._-]{2,63}"
"""No slash and no ``@``: never a path, never an address (docs/api/accounts.md, Usernames and
passwords)."""


def username_problems(username: str) -> list[str]:
    """Return what keeps ``username`` from being one, a sentence each; empty if nothing."""
    if not re.fullmatch(USERNAME, username):
        return ["Use 3 to 64 letters, digits, '.', '_' or '-', with a letter or digit first."]
    if is_reserved_root(username):
        return ["This username is reserved. Choose another."]
    return []


def email_problems(email: str) -> list[str]:
    """Return what keeps ``email`` from being an address, a sentence each; empty if nothing."""
    try:
        canonical_email(email)
    except EmailNotValidError as error:
        return [f"Not a valid email address. {error}"]
    return []


def canonical_email(email: str) -> str:
    """Return ``email`` as mail carries it: ASCII, an international domain in its ``xn--`` form.

    No name server is asked, so documentation and test domains pass: the mailed code is the proof.

    Raises:
        EmailNotValidError: it is no address, or one that only servers with SMTPUTF8 take.
    """
    validated = validate_email(
        email,
        check_deliverability=False,
        test_environment=True,
        allow_smtputf8=False,
        strict=True,
    )
    return f"{validated.local_part}@{validated.ascii_domain}"


def folded(name: str) -> str | None:
    """Return the form in which a username or address is unique; None if nobody can have it."""
    if "@" in name:
        try:
            return canonical_email(name).lower()
        except EmailNotValidError:
            return None
    return name.lower() if re.fullmatch(USERNAME, name) else None

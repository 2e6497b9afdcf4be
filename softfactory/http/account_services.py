"""The services of accounts, made for the current request as those of files are (``services``)."""

from flask import has_request_context, request

from softfactory.http.addresses import network_of
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.services.accounts import Accounts
from softfactory.services.administration import Administration
from softfactory.services.codes import Codes
from softfactory.services.credentials import Credentials
from softfactory.services.key_ending import KeyEnding
from softfactory.services.logins import Logins
from softfactory.services.mailed_codes import MailedCodes
from softfactory.services.revocation import Revocation
from softfactory.services.tries import Tries
from softfactory.services.users import Users


def accounts() -> Accounts:
    """Return the accounts service on this request's session."""
    revocation = _revocation()
    return Accounts(
        session=db.session(),
        clock=runtime().clock,
        users=users(),
        codes=revocation.codes,
        tries=revocation.tries,
        logins=revocation.logins,
        revocation=revocation,
        source=network_of(request.remote_addr) if has_request_context() else "",
    )


def administration() -> Administration:
    """Return the operator's service of accounts on this context's session."""
    return Administration(
        session=db.session(), clock=runtime().clock, users=users(), revocation=_revocation()
    )


def users() -> Users:
    """Return the rows of users on this context's session."""
    ports = runtime()
    return Users(
        session=db.session(), clock=ports.clock, holds_anything=ports.storage.holds_anything
    )


def _revocation() -> Revocation:
    ports, session = runtime(), db.session()
    config, clock = ports.config, ports.clock
    tries = Tries(session=session, clock=clock, secret=config.secret_key)
    codes = Codes(
        session=session, clock=clock, secret=config.secret_key, lifetime=config.code_lifetime
    )
    return Revocation(
        codes=MailedCodes(codes=codes, tries=tries, mailer=ports.mailer),
        tries=tries,
        logins=Logins(session=session, clock=clock, lifetime=config.refresh_token_lifetime),
        keys=KeyEnding(
            session=session,
            credentials=Credentials(ports.issuer) if ports.issuer is not None else None,
            mailer=ports.mailer,
            clock=clock,
        ),
    )

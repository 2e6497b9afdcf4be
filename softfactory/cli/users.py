"""``./files users ...``: accounts made by the operator."""

import re
from decimal import Decimal

import click

from softfactory.cli.group import PlainGroup
from softfactory.http.services import accounts, user_quotas
from softfactory.services.user_quotas import Choice

UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
"""Bytes of a unit, by its first letter; the documents' 1 MB is 1024 x 1024 bytes."""

MAX_QUOTA = 2**62
"""Bytes; what is counted has to fit a column of 64 bits."""

commands = PlainGroup("users", help="Make accounts.")


@commands.command()
@click.argument("name")
@click.argument("email")
@click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    help="8 or more characters with upper case, lower case and a digit; asked for if not given.",
)
@click.option("--admin", "is_admin", is_flag=True, help="Let the user reach everyone's files.")
def create(*, name: str, email: str, password: str, is_admin: bool) -> None:
    """Make an account that can log in at once, without mail."""
    user = accounts().create_confirmed(name, email, password, is_admin=is_admin)
    kind = "administrator" if user.is_admin else "user"
    click.echo(f"Created the {kind} {user.username} ({user.uuid}).")


WORDS: dict[str, Choice] = {"none": "none", "default": "default"}


class Quota(click.ParamType[Choice]):
    """A size such as ``10GiB``, ``none`` for no limit, or ``default``."""

    name = "quota"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Choice:
        """Return bytes, or the word."""
        text = value.strip().lower()
        if text in WORDS:
            return WORDS[text]
        size = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([kmgt]?)(?:i?b)?", text, re.ASCII)
        number = int(Decimal(size[1]) * UNITS[size[2]]) if size else MAX_QUOTA + 1
        if number > MAX_QUOTA:
            self.fail(f"{value!r} is no size. Say for example 10GiB, 500MB, none or default.")
        return number


@commands.command()
@click.argument("name")
@click.argument("quota", type=Quota(), required=False)
def quota(*, name: str, quota: Choice | None) -> None:
    """Set how much of storage a user may fill, and tell what is used.

    QUOTA is a size such as 10GiB, "none" for no limit, or "default" for USER_QUOTA_BYTES; without
    it nothing changes.
    """
    service = user_quotas()
    user = service.find(name)
    if quota is not None:
        service.set(user, quota)
    use = service.use(user)
    limit = "no limit" if use.quota is None else f"{use.quota} bytes"
    click.echo(
        f"{user.username}: {use.used} bytes used, {use.reserved} reserved by "
        f"{use.open_uploads} open uploads, of {limit}."
    )

"""``./files users ...``: accounts, as the operator sees and changes them."""

import json
from typing import Any

import click

from softfactory.cli.group import PlainGroup
from softfactory.cli.quota import Quota
from softfactory.clock import isoformat
from softfactory.http.account_services import accounts, administration
from softfactory.http.services import user_quotas
from softfactory.models import User
from softfactory.services.user_quotas import Choice

commands = PlainGroup("users", help="Look after accounts. NAME is a username or an address.")

_password = click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    help="8 or more characters with upper case, lower case and a digit; asked for if not given.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@commands.command()
@click.argument("name")
@click.argument("email")
@_password
@click.option("--admin", "is_admin", is_flag=True, help="Let the user reach everyone's files.")
def create(*, name: str, email: str, password: str, is_admin: bool) -> None:
    """Make an account that can log in at once, without mail."""
    user = accounts().create_confirmed(name, email, password, is_admin=is_admin)
    kind = "administrator" if user.is_admin else "user"
    click.echo(f"Created the {kind} {user.username} ({user.uuid}).")


@commands.command("list")
@_as_json
def list_users(*, as_json: bool) -> None:
    """List all accounts, the oldest first."""
    described = map(_described, administration().all())
    if as_json:
        click.echo(json.dumps([*described]))
        return
    for user in described:
        click.echo(f"{user['id']:>6}  {user['username']:<24}  {user['email']:<32}  {_state(user)}")


@commands.command()
@click.argument("name")
@_as_json
def show(*, name: str, as_json: bool) -> None:
    """Show one account."""
    user = _described(administration().find(name))
    if as_json:
        click.echo(json.dumps(user))
        return
    for field, value in user.items():
        click.echo(f"{field:<14}{_shown(value)}")


@commands.command()
@click.argument("name")
def disable(*, name: str) -> None:
    """End all logins and credentials, and let the user in no more; the files stay."""
    user = administration().disable(name)
    click.echo(f"Disabled {user.username}: all logins have ended.")


@commands.command()
@click.argument("name")
def enable(*, name: str) -> None:
    """Let a disabled user log in again."""
    user = administration().enable(name)
    click.echo(f"Enabled {user.username}.")


@commands.command()
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off"]))
def admin(*, name: str, state: str) -> None:
    """Let the user reach everyone's files, or their own alone."""
    user = administration().set_admin(name, is_admin=state == "on")
    kind = "an administrator" if user.is_admin else "no administrator"
    click.echo(f"{user.username} is {kind}.")


@commands.command()
@click.argument("name")
@_password
def password(*, name: str, password: str) -> None:
    """Set a password; all logins end."""
    user = administration().set_password(name, password)
    click.echo(f"Set the password of {user.username}: all logins have ended.")


@commands.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(*, name: str, yes: bool) -> None:
    """End an account and its files; the username stays taken, the address is free.

    The bytes go with the next 'files cleanup'.
    """
    service = administration()
    user = service.find(name)
    if not yes:
        click.confirm(f"Delete {user.username} ({user.email}) and all files for good?", abort=True)
    service.delete(user.username)
    click.echo(f"Deleted {user.username}. 'files cleanup' removes the bytes.")


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


def _described(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "uuid": user.uuid,
        "username": user.username,
        "email": user.email,
        "is_admin": user.is_admin,
        "created_at": isoformat(user.created_at),
        "confirmed_at": isoformat(user.confirmed_at) if user.confirmed_at else None,
        "disabled_at": isoformat(user.disabled_at) if user.disabled_at else None,
    }


def _state(user: dict[str, Any]) -> str:
    """Return what is out of the ordinary about a user, in words."""
    states = {
        "administrator": user["is_admin"],
        "not confirmed": user["confirmed_at"] is None,
        "disabled": user["disabled_at"] is not None,
    }
    return ", ".join(state for state, is_so in states.items() if is_so)


def _shown(value: Any) -> str:  # noqa: ANN401  # any JSON
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)

"""``./files users ...``: accounts made by the operator."""

import click

from softfactory.cli.group import PlainGroup
from softfactory.http.services import accounts

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

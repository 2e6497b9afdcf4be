"""``./files storage ...``: is the storage set up right?"""

import click

from softfactory.cli.group import PlainGroup
from softfactory.http.runtime import runtime

commands = PlainGroup("storage", help="Look after the storage.")


@commands.command()
def check() -> None:
    """Try every kind of access that the service needs and say in plain words what is wrong."""
    problems = runtime().storage.check()
    for problem in problems:
        click.echo(problem)
    if problems:
        raise SystemExit(1)
    click.echo(f"The {runtime().config.upload_storage_handler} storage works.")
    issuer = runtime().issuer
    for shortfall in issuer.check() if issuer is not None else ():
        # No failure: only the routes that issue credentials need it.
        click.echo(f"Credentials for clients cannot be issued. {shortfall}")

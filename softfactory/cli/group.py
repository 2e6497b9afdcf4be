"""The group of all commands, which turns what goes wrong into a sentence."""

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from softfactory.errors import SoftFactoryError


class PlainGroup(AppGroup):
    """Commands whose failures are for operators: a sentence on standard error, exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # as click's
        """Run the command.

        Raises:
            ClickException: it failed; click prints the sentence.
        """
        try:
            return super().invoke(ctx)
        except SoftFactoryError as error:
            raise click.ClickException(error.message) from error
        except SQLAlchemyError as error:
            raise click.ClickException(
                "The database could not do this: is DATABASE_URL right, is it running, and is its "
                f"schema up to date (./files db upgrade)? ({type(error).__name__})"
            ) from error

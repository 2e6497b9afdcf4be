"""How the operator writes a quota."""

import re
from decimal import Decimal

import click

from softfactory.services.user_quotas import Choice

UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
"""Bytes of a unit, by its first letter; the documents' 1 MB is 1024 x 1024 bytes."""

MAX_QUOTA = 2**62
"""Bytes; what is counted has to fit a column of 64 bits."""

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

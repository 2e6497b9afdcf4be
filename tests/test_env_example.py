""".env.example: every variable, in the order of config.py, with values that work."""

import re
from dataclasses import fields

from dotenv import dotenv_values

from config import BASE_DIR, Config

EXAMPLE = BASE_DIR / ".env.example"
ASSIGNMENT = re.compile(r"(?:# )?([A-Z][A-Z0-9_]+)=(.*)")


def assignments() -> list[tuple[str, str]]:
    """Return the variables with their values, those that are commented out too."""
    found = map(ASSIGNMENT.fullmatch, EXAMPLE.read_text().splitlines())
    return [(match[1], match[2]) for match in found if match]


def test_it_lists_every_variable_in_the_order_of_the_configuration() -> None:
    listed = list(dict.fromkeys(name for name, _ in assignments()))

    assert listed == [setting.metadata["names"][0] for setting in fields(Config)]


def test_it_mentions_every_other_name_right_above_the_variable() -> None:
    lines = EXAMPLE.read_text().splitlines()
    others = {
        other: setting.metadata["names"][0]
        for setting in fields(Config)
        for other in setting.metadata["names"][1:]
    }

    below = {
        other: lines[index + 1].removeprefix("# ").partition("=")[0]
        for other in others
        for index, line in enumerate(lines)
        if other in line.split()
    }

    assert below == others


def test_every_value_in_it_is_good() -> None:
    parsers = {
        setting.metadata["names"][0]: setting.metadata["parse"] for setting in fields(Config)
    }

    for name, value in assignments():
        if value:
            parsers[name](value)


def test_a_value_that_is_commented_out_is_the_default_where_it_is_no_example() -> None:
    settings = {setting.metadata["names"][0]: setting for setting in fields(Config)}
    examples = {"PUBLIC_BASE_URL", "CORS_ORIGINS", "API_DOCS_ENABLED", "SIMPLE_S3_ANONYMOUS", "CLOUDFRONT_DOMAIN",
                "AWS_S3_BUCKET", "AWS_S3_ENDPOINT_URL", "DATABASE_URL", "REDIS_URL"}  # fmt: skip
    shown = {
        name: settings[name].metadata["parse"](value)
        for name, value in assignments()
        if value and name not in examples | {"APP_ENV", "SECRET_KEY", "JWT_SECRET_KEY"}
    }

    assert shown == {name: settings[name].default for name in shown}


def test_a_copy_of_it_starts_in_development() -> None:
    config = Config.from_env({}, dotenv=EXAMPLE)

    assert config.app_env == "development"


def test_what_is_not_commented_out_is_all_that_has_to_be_changed() -> None:
    assert list(dotenv_values(EXAMPLE)) == ["APP_ENV", "SECRET_KEY", "JWT_SECRET_KEY"]

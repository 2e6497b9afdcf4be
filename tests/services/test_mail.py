"""The texts of mails."""

import re
from datetime import timedelta

import pytest

from softfactory.services.mail import Mail


@pytest.mark.parametrize("text", [Mail.confirmation, Mail.password_reset])
@pytest.mark.parametrize("username", ["johndoe", "123456", "john-654321"])
def test_the_first_number_of_a_mail_is_its_code(text: type[Mail], username: str) -> None:
    mail = text(username=username, code="042042", lifetime=timedelta(minutes=15))  # type: ignore[call-arg]

    assert re.findall(r"\d+", mail.body)[0] == "042042"
    assert not re.search(r"\d", mail.subject)


@pytest.mark.parametrize(
    ("lifetime", "words"),
    [
        (timedelta(minutes=15), "15 minutes."),
        (timedelta(seconds=60), "1 minute."),
        (timedelta(seconds=5), "1 minute."),
    ],
)
def test_a_mail_says_how_long_its_code_is_good(lifetime: timedelta, words: str) -> None:
    mail = Mail.confirmation(username="johndoe", code="042042", lifetime=lifetime)

    assert words in mail.body

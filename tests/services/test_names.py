"""Usernames and addresses: which are accepted, and which are the same."""

import pytest

from softfactory.services.names import canonical_email, email_problems, folded, username_problems
from softfactory.storage.keys import RESERVED_ROOTS


@pytest.mark.parametrize(
    "username", ["abc", "johndoe", "John.Doe_2-x", "1st", "a..", "a--", "x" * 64]
)
def test_a_username_of_allowed_characters_is_accepted(username: str) -> None:
    assert username_problems(username) == []


@pytest.mark.parametrize(
    "username",
    [
        "",
        "ab",
        "x" * 65,
        ".abc",
        "-abc",
        "_abc",
        "john doe",
        "john/doe",
        "john@doe",
        "jöhndoe",
        "johndoe\n",
        "john\x00doe",
        "\N{ARABIC-INDIC DIGIT ONE}abc",
        "../..",
    ],
)
def test_any_other_username_is_refused(username: str) -> None:
    assert len(username_problems(username)) == 1


@pytest.mark.parametrize("root", sorted(RESERVED_ROOTS))
def test_a_reserved_root_is_no_username_in_any_case(root: str) -> None:
    assert "reserved" in username_problems(root)[0]
    assert "reserved" in username_problems(root.upper())[0]


@pytest.mark.parametrize(
    "email",
    ["john@example.com", "j@mail.example.org", "a+b@x.test", "John.Doe@EXAMPLE.com", "x@bücher.de"],
)
def test_an_address_is_accepted_whether_or_not_mail_gets_there(email: str) -> None:
    assert email_problems(email) == []


@pytest.mark.parametrize(
    "email",
    [
        "",
        "john",
        "john@",
        "@example.com",
        "john@example",
        "john@@example.com",
        "john doe@example.com",
        "john@example.com\nBcc: eve@example.com",
        "John <john@example.com>",
        '"a@b"@example.com',
        "jöhn@example.com",
        "john@example.com\x00",
        "x" * 65 + "@example.com",
        "john@" + "x" * 320 + ".com",
        "john@[127.0.0.1]",
        "\ud800@example.com",
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(email: str) -> None:
    problems = email_problems(email)

    assert len(problems) == 1
    assert problems[0].startswith("Not a valid email address. ")


def test_an_international_domain_is_kept_as_mail_carries_it() -> None:
    assert canonical_email("John@straße.de") == "John@xn--strae-oqa.de"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("JohnDoe", "johndoe"),
        ("John@Example.COM", "john@example.com"),
        ("x@BÜCHER.de", "x@xn--bcher-kva.de"),
    ],
)
def test_names_are_the_same_in_any_case(name: str, form: str) -> None:
    assert folded(name) == form


@pytest.mark.parametrize(
    "name", ["", "ab", "a b c", "john\x00doe", "\ud800abc", "@", "a@b", "K" * 99]
)
def test_what_nobody_can_be_called_is_nobody(name: str) -> None:
    assert folded(name) is None

"""The path of a key's URL: no client takes a part of it away before it asks."""

import unicodedata
from urllib.parse import unquote, urlsplit

import pytest
from requests import Request
from urllib3.util import parse_url

from softfactory.storage.keys import forms
from softfactory.storage.url_path import url_path


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a/b", "a/b"),
        ("a//b", "a//b"),
        ("a/./b", "a%2F.%2Fb"),
        ("a/../b", "a%2F..%2Fb"),
        ("a/..", "a%2F.."),
        ("./a", ".%2Fa"),
        ("a/.b/..c", "a/.b/..c"),
        ("a/././b", "a%2F.%2F.%2Fb"),
        ("a b/é%/\n", "a%20b/%C3%A9%25/%0A"),
    ],
)
def test_slashes_beside_dots_are_encoded(key: str, path: str) -> None:
    url = f"http://host/{url_path(key)}"

    assert url_path(key) == path
    assert unquote(path) == key
    assert parse_url(url).url == url
    assert unquote(urlsplit(Request("GET", url).prepare().url or "").path) == f"/{key}"


def test_a_name_may_mean_its_composed_and_its_decomposed_form() -> None:
    assert forms("plain") == ["plain"]
    assert forms("é") == ["é", "e\u0301"]
    assert forms("e\u0301") == ["e\u0301", "é"]
    assert forms("é e\u0301") == ["é e\u0301", "é é", "e\u0301 e\u0301"]
    assert forms("\u212a") == ["\u212a", "K"]
    assert forms("日本") == ["日本"]


def test_a_form_that_is_too_long_for_a_key_is_not_meant() -> None:
    composed = "한" * 340
    decomposed = unicodedata.normalize("NFD", composed)

    assert forms(composed) == [composed]
    assert forms(decomposed) == [composed]
    assert forms(decomposed * 3) == [decomposed * 3]

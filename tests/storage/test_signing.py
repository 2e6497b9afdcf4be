"""Signed URLs: what a token allows, and that nothing in it can be changed."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softfactory.errors import InvalidInput, InvalidSignature, SignatureExpired
from softfactory.storage.signing import UrlSigner

SECRET = "s" * 40
KEY = "alice/hello world.txt"
HOUR = timedelta(hours=1)
NOON = datetime(2025, 1, 2, 12, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Stand at noon."""
    return Clock()


@pytest.fixture
def signer(clock: Clock) -> UrlSigner:
    """Sign for one host."""
    return UrlSigner(SECRET, "https://files.test/", clock)


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


def test_a_url_names_the_key_percent_encoded(signer: UrlSigner) -> None:
    assert signer.object_url("a b/ü?#%.txt") == "https://files.test/media/a%20b/%C3%BC%3F%23%25.txt"


def test_a_signed_url_is_the_object_url_with_nothing_but_a_token(signer: UrlSigner) -> None:
    url = signer.sign("GET", KEY, HOUR, version_id="7")

    assert url.startswith(signer.object_url(KEY) + "?token=")
    assert list(parse_qs(urlsplit(url).query)) == ["token"]


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_every_key_comes_back_from_the_path_of_its_url(key: str) -> None:
    signer = UrlSigner(SECRET, "https://files.test")
    url = urlsplit(signer.sign("GET", key, HOUR))

    assert unquote(url.path.removeprefix("/media/")) == key
    assert signer.verify(token_of(url.geturl()), method="GET", key=key) == {}


def test_a_token_gives_back_what_it_was_bound_to(signer: UrlSigner) -> None:
    url = signer.sign("GET", KEY, HOUR, version_id="7", content_type="a/b", upload_id=None)

    claims = signer.verify(token_of(url), method="GET", key=KEY)

    assert claims == {"version_id": "7", "content_type": "a/b"}


def test_a_token_for_get_covers_head(signer: UrlSigner) -> None:
    token = token_of(signer.sign("GET", KEY, HOUR))

    assert signer.verify(token, method="HEAD", key=KEY) == {}


@pytest.mark.parametrize(("signed", "used"), [("GET", "PUT"), ("PUT", "GET"), ("PUT", "HEAD")])
def test_a_token_for_one_method_is_none_for_another(
    signer: UrlSigner, signed: str, used: str
) -> None:
    token = token_of(signer.sign(signed, KEY, HOUR))

    with pytest.raises(InvalidSignature):
        signer.verify(token, method=used, key=KEY)


def test_a_token_for_one_key_is_none_for_another(signer: UrlSigner) -> None:
    token = token_of(signer.sign("GET", KEY, HOUR))

    with pytest.raises(InvalidSignature):
        signer.verify(token, method="GET", key=KEY + "x")


def test_a_token_with_any_character_changed_is_refused(signer: UrlSigner) -> None:
    token = token_of(signer.sign("PUT", KEY, HOUR, upload_id="u", part_number=1))

    for at, character in enumerate(token[:-1]):
        forged = token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        with pytest.raises(InvalidSignature):
            signer.verify(forged, method="PUT", key=KEY)


@pytest.mark.parametrize("token", ["", ".", "a.b", "ü.é", "\ud800", "." * 1000, "e30.e30"])
def test_what_is_no_token_is_refused(signer: UrlSigner, token: str) -> None:
    with pytest.raises(InvalidSignature):
        signer.verify(token, method="GET", key=KEY)


def test_a_token_of_another_secret_is_refused(signer: UrlSigner, clock: Clock) -> None:
    token = token_of(UrlSigner("t" * 40, "https://files.test", clock).sign("GET", KEY, HOUR))

    with pytest.raises(InvalidSignature):
        signer.verify(token, method="GET", key=KEY)


def test_a_token_is_good_until_its_time_runs_out(signer: UrlSigner, clock: Clock) -> None:
    token = token_of(signer.sign("GET", KEY, HOUR))
    clock.now = NOON + HOUR - timedelta(seconds=1)

    assert signer.verify(token, method="GET", key=KEY) == {}


def test_a_token_whose_time_ran_out_is_expired(signer: UrlSigner, clock: Clock) -> None:
    token = token_of(signer.sign("GET", KEY, HOUR))
    clock.now = NOON + HOUR

    with pytest.raises(SignatureExpired):
        signer.verify(token, method="GET", key=KEY)


@pytest.mark.parametrize("seconds", [-1, 0, 0.5, 7 * 24 * 3600 + 1])
def test_a_url_lives_a_second_to_seven_days(signer: UrlSigner, seconds: float) -> None:
    with pytest.raises(InvalidInput):
        signer.sign("GET", KEY, timedelta(seconds=seconds))

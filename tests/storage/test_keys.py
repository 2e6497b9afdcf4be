"""Keys: what may name an object, who owns it, and how each name is built."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softfactory.errors import InvalidInput, InvalidKey
from softfactory.storage.filenames import clean_filename
from softfactory.storage.keys import (
    MAX_KEY_BYTES,
    FolderKey,
    Key,
    Roots,
    is_reserved_root,
    upload_key,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UUID = "6f1c2f8e-3a57-4c9e-9d55-0d8f6c1b7a10"
ALICE = Roots.of(uuid=UUID, user_id=1, username="alice")

# --- Key --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "a",
        "a/b/c.txt",
        "CON",
        "nul.txt",
        "...",
        "a/.../b",
        ".hidden",
        "..hidden",
        "a..b",
        "a b",
        " a ",
        "a\\..\\b",
        "C:\\Windows",
        "~root",
        "%2e%2e/%2F",
        "a?b#c&d=e+f",
        "日本語/ファイル.txt",
        "e\u0301",
        "\U0001f600",
        "\u200b",
        "\u202egpj.exe",
        "\ufeff",
        "n" * 300,
        "é" * 512,
        "a" * MAX_KEY_BYTES,
        "a/" * 511 + "ab",
    ],
)
def test_a_key_keeps_its_string_as_it_is(value: str) -> None:
    assert Key(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "/",
        "/a",
        "a/",
        "//",
        "a//b",
        ".",
        "..",
        "./a",
        "../a",
        "a/.",
        "a/..",
        "a/./b",
        "a/../b",
        "../../etc/passwd",
        "users/../../etc/passwd",
        "a/../../../etc/passwd",
    ],
)
def test_a_key_has_no_empty_or_dot_segment(value: str) -> None:
    with pytest.raises(InvalidKey):
        Key(value)


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
@pytest.mark.parametrize("shape", ["{}", "a{}b", "a/{}", "{}/a", "a{}"])
def test_a_key_has_no_control_character(code: int, shape: str) -> None:
    with pytest.raises(InvalidKey):
        Key(shape.format(chr(code)))


@pytest.mark.parametrize("value", ["\ud800", "a\udfff", "\ud83d\ude00", "\udc80/etc"])
def test_a_key_has_no_surrogate(value: str) -> None:
    with pytest.raises(InvalidKey):
        Key(value)


@pytest.mark.parametrize(
    "value", ["a" * 1025, "é" * 512 + "a", "\U0001f600" * 256 + "a", "a/" * 512 + "a"]
)
def test_a_key_is_at_most_1024_bytes(value: str) -> None:
    with pytest.raises(InvalidKey):
        Key(value)


def test_a_bad_key_names_its_field() -> None:
    with pytest.raises(InvalidKey) as raised:
        Key("a//b")

    assert list(raised.value.errors) == ["key"]
    assert raised.value.code == "VALIDATION_ERROR"


@pytest.mark.parametrize(("one", "other"), [("a", "A"), ("é", "e\u0301"), ("a", "a ")])
def test_keys_that_look_alike_are_different(one: str, other: str) -> None:
    assert Key(one) != Key(other)


@pytest.mark.parametrize(
    ("value", "folder", "filename"),
    [("a", "", "a"), ("a/b", "a/", "b"), ("a/b/c.txt", "a/b/", "c.txt"), ("a/a", "a/", "a")],
)
def test_a_key_is_its_folder_and_its_filename(value: str, folder: str, filename: str) -> None:
    key = Key(value)

    assert (key.folder, key.filename) == (folder, filename)


@given(st.text(max_size=40))
def test_any_string_is_a_key_by_the_rules_or_refused(value: str) -> None:
    follows_the_rules = (
        all(segment not in ("", ".", "..") for segment in value.split("/"))
        and not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in value)
        and not any(0xD800 <= ord(c) < 0xE000 for c in value)
    )

    try:
        key = Key(value)
    except InvalidKey:
        assert not follows_the_rules
    else:
        assert follows_the_rules
        assert key == value
        assert key.folder + key.filename == value


# --- FolderKey --------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "key"), [("a", "a/"), ("a/", "a/"), ("a/b", "a/b/")])
def test_a_folder_ends_in_one_slash(value: str, key: str) -> None:
    assert FolderKey(value) == key


@pytest.mark.parametrize(
    "value",
    ["", "/", "//", "a//", "/a", "a//b/", ".", "..", "../", "a/../", "a/./", "a\n/", "a/\ud800"],
)
def test_a_folder_without_its_slash_is_a_key(value: str) -> None:
    with pytest.raises(InvalidKey):
        FolderKey(value)


def test_a_folder_is_at_most_1024_bytes_with_its_slash() -> None:
    longest = "a" * (MAX_KEY_BYTES - 1)

    assert len(FolderKey(longest)) == MAX_KEY_BYTES
    with pytest.raises(InvalidKey):
        FolderKey("a" * MAX_KEY_BYTES)


@pytest.mark.parametrize(
    ("value", "folder", "filename"), [("a/", "", "a"), ("a/b/", "a/", "b"), ("a/a/", "a/", "a")]
)
def test_a_folder_lies_in_its_folder(value: str, folder: str, filename: str) -> None:
    key = FolderKey(value)

    assert (key.folder, key.filename) == (folder, filename)


# --- Roots ------------------------------------------------------------------------------------


def test_a_user_has_three_roots() -> None:
    assert list(ALICE) == [f"users/{UUID}/", "uploads/1/", "alice/"]


@pytest.mark.parametrize(
    "key", [f"users/{UUID}/a", f"users/{UUID}/a/b", "uploads/1/a", "alice/a", "alice/uploads/12/a"]
)
def test_a_user_owns_what_lies_in_their_roots(key: str) -> None:
    assert ALICE.owns(key)


@pytest.mark.parametrize("prefix", [f"users/{UUID}/", "uploads/1/", "alice/", "alice/im"])
def test_a_user_owns_their_roots_and_the_prefixes_below(prefix: str) -> None:
    assert ALICE.owns(prefix)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "a",
        "alice",
        "alice2/a",
        "alic/a",
        "Alice/a",
        "ALICE/a",
        "alicé/a",
        "bob/alice/a",
        "/alice/a",
        "uploads/",
        "uploads/1",
        "uploads/12/a",
        "uploads/01/a",
        "uploads/11/a",
        "uploads//1/a",
        "Uploads/1/a",
        "users/",
        f"users/{UUID}",
        f"users/{UUID}0/a",
        f"users/{UUID[:-1]}/a",
        f"users/{UUID.upper()}/a",
        f"users/{UUID}-x/a",
        f"xusers/{UUID}/a",
    ],
)
def test_a_user_owns_nothing_else(key: str) -> None:
    assert not ALICE.owns(key)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_no_user_owns_the_uploads_of_another(one: int, other: int) -> None:
    roots = Roots.of(uuid="u", user_id=one, username="name")

    assert roots.owns(f"uploads/{other}/a") == (one == other)


@pytest.mark.parametrize(
    "name", ["users", "uploads", "public", "files", "USERS", "Uploads", "temp_uploads"]
)
def test_a_root_of_the_service_is_reserved_in_any_case(name: str) -> None:
    assert is_reserved_root(name)


@pytest.mark.parametrize("name", ["alice", "user", "users1", "upload", "my-files"])
def test_any_other_name_is_free(name: str) -> None:
    assert not is_reserved_root(name)


# --- names ------------------------------------------------------------------------------------


def test_an_upload_is_named_by_its_user_and_second() -> None:
    key = upload_key(user_id=7, now=NOW, filename="report.pdf")

    assert key == "uploads/7/20260102_030405_report.pdf"


def test_an_upload_is_named_in_utc() -> None:
    in_delhi = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))

    key = upload_key(user_id=7, now=in_delhi, filename="report.pdf")

    assert key == "uploads/7/20260102_030405_report.pdf"


def test_two_uploads_of_one_name_and_second_are_told_apart() -> None:
    one = upload_key(user_id=7, now=NOW, filename="a.txt")
    two = upload_key(user_id=7, now=NOW, filename="a.txt", unique="x1")

    assert one != two
    assert two.startswith("uploads/7/20260102_030405_")
    assert two.endswith("a.txt")


@pytest.mark.parametrize("filename", ["a" * 1200 + ".tar", "é" * 600 + ".tar", "x" + "😀" * 300])
def test_a_name_that_is_too_long_loses_the_end_of_its_stem(filename: str) -> None:
    key = upload_key(user_id=7, now=NOW, filename=filename)

    assert MAX_KEY_BYTES - 4 < len(key.encode()) <= MAX_KEY_BYTES
    assert key.endswith(".tar") == filename.endswith(".tar")
    stem = key.removeprefix("uploads/7/20260102_030405_").removesuffix(".tar")
    assert filename.startswith(stem)


def test_a_name_of_300_bytes_stays_as_it_is() -> None:
    filename = "ü" * 148 + ".txt"

    key = upload_key(user_id=7, now=NOW, filename=filename)

    assert key.filename == f"20260102_030405_{filename}"


@pytest.mark.parametrize(
    "filename", ["a." + "b" * 1200, "." + "b" * 1200, "a" * 1200 + ".", "." * 1200]
)
def test_a_name_that_is_all_extension_is_cut_too(filename: str) -> None:
    key = upload_key(user_id=7, now=NOW, filename=filename)

    assert len(key.encode()) <= MAX_KEY_BYTES


@given(st.text(min_size=1, max_size=2000))
def test_any_clean_filename_makes_an_upload_key(filename: str) -> None:
    try:
        cleaned = clean_filename(filename)
    except InvalidInput:
        return

    key = upload_key(user_id=7, now=NOW, filename=cleaned)

    assert key.startswith("uploads/7/20260102_030405_")
    assert ALICE.owns(key) is False


@pytest.mark.parametrize(
    ("filename", "cleaned"),
    [
        ("report.pdf", "report.pdf"),
        ("日本語 ファイル.txt", "日本語 ファイル.txt"),
        ("e\u0301te\u0301.jpg", "été.jpg"),
        ("a/b/c.txt", "c.txt"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("a\x00b\n.txt", "ab.txt"),
        ("a\x7fb\x85c.txt", "abc.txt"),
        ("a\ud800b.txt", "ab.txt"),
        ("  a b.txt  ", "a b.txt"),
        ("CON", "CON"),
        ("...", "..."),
        (".htaccess", ".htaccess"),
        ("50% off?#1+2&3.txt", "50% off?#1+2&3.txt"),
        ("😀.png", "😀.png"),
        ("n" * 300, "n" * 300),
    ],
)
def test_a_filename_loses_only_what_would_break_a_key(filename: str, cleaned: str) -> None:
    assert clean_filename(filename) == cleaned


@pytest.mark.parametrize(
    "filename", ["", ".", "..", "/", "a/", "a/..", " ", "\x00", "\n\t", "a/.", "\x00.\x00.\x00"]
)
def test_a_filename_of_which_nothing_is_left_is_refused(filename: str) -> None:
    with pytest.raises(InvalidInput):
        clean_filename(filename)


@given(st.text(max_size=60))
def test_any_filename_becomes_a_segment_or_is_refused(filename: str) -> None:
    try:
        cleaned = clean_filename(filename)
    except InvalidInput:
        return

    assert Key(cleaned).filename == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean_filename(cleaned) == cleaned


@given(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=30))
def test_letters_and_digits_of_any_script_stay(filename: str) -> None:
    assert clean_filename(filename) == unicodedata.normalize("NFC", filename)

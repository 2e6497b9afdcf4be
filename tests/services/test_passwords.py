"""Passwords: the policy, the hash, and what it costs."""

import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from softfactory.services import passwords
from softfactory.services.passwords import (
    hash_password,
    needs_rehash,
    password_problems,
    verify_password,
)

pytestmark = pytest.mark.real_hashes


@pytest.mark.parametrize(
    "password",
    ["SecurePass123", "Aa345678", "ÄöÜß1234", "Pass word 1", "Aa1" + "x" * 1021, "Aa1\N{KEY}xxxx"],
)
def test_a_password_with_all_that_is_asked_is_accepted(password: str) -> None:
    assert password_problems(password) == []


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("Aa34567", "short"),
        ("", "short"),
        ("secure123", "upper"),
        ("SECURE123", "lower"),
        ("SecurePass", "digit"),
        ("SecurePass\N{SUPERSCRIPT TWO}", "digit"),
        ("Aa1" + "x" * 1022, "1024 bytes"),
        ("Aa1" + "\N{KEY}" * 256, "1024 bytes"),
        ("SecurePass1\ud800", "UTF-8"),
    ],
)
def test_a_password_that_lacks_something_is_told_what(password: str, word: str) -> None:
    problems = password_problems(password)

    assert len([problem for problem in problems if word in problem]) == 1


def test_every_problem_of_a_password_is_told_at_once() -> None:
    assert len(password_problems("!")) == 4


def test_a_hash_is_argon2id_with_the_parameters_that_owasp_asks() -> None:
    parameters = extract_parameters(hash_password("SecurePass123"))

    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)


def test_one_password_has_a_new_salt_each_time() -> None:
    assert hash_password("SecurePass123") != hash_password("SecurePass123")


def test_only_the_right_password_is_verified() -> None:
    password_hash = hash_password("SecurePass123")

    assert verify_password("SecurePass123", password_hash)
    assert not verify_password("SecurePass124", password_hash)
    assert not verify_password("", password_hash)


def test_a_letter_typed_on_another_keyboard_is_the_same_letter() -> None:
    assert verify_password("Pa\N{COMBINING DIAERESIS}ss1234", hash_password("P\xe4ss1234"))


@pytest.mark.parametrize("password", ["x" * 1025, "\ud800"])
def test_what_no_password_can_be_is_wrong_rather_than_a_failure(password: str) -> None:
    assert not verify_password(password, hash_password("SecurePass123"))
    assert not verify_password(password, PasswordHasher().hash(b""))


@pytest.mark.parametrize("password", ["", "SecurePass123", "\ud800", "x" * 100_000])
def test_nobody_has_no_password(password: str) -> None:
    assert not verify_password(password, None)


def test_refusing_nobody_hashes_with_the_parameters_of_everybody() -> None:
    nobody = extract_parameters(passwords._NOBODY)

    assert nobody == extract_parameters(hash_password("SecurePass123"))


def test_a_hash_of_other_parameters_is_to_be_made_again() -> None:
    older = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("SecurePass123")

    assert needs_rehash(older)
    assert not needs_rehash(hash_password("SecurePass123"))


def test_no_more_hashings_run_at_once_than_memory_is_meant_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, most, lock = 0, 0, threading.Lock()

    class SlowHasher:
        def verify(self, password_hash: str, password: bytes) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1
            return True

    monkeypatch.setattr(passwords, "_hasher", SlowHasher())
    threads = [
        threading.Thread(target=verify_password, args=("SecurePass123", "any"))
        for _ in range(3 * passwords.MAX_CONCURRENT)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == passwords.MAX_CONCURRENT

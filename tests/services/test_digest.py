"""Digests of what passes by: the same, whatever the pieces and whoever hashes them."""

import hashlib

import pytest

from softfactory.services.digest import WORTH_A_THREAD, Digest


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [0],
        [1],
        [WORTH_A_THREAD - 1, WORTH_A_THREAD, 1, 3 * WORTH_A_THREAD],
        [WORTH_A_THREAD] * 20,
        [5, WORTH_A_THREAD] * 20,
    ],
)
def test_the_digest_is_that_of_all_chunks_in_their_order(sizes: list[int]) -> None:
    chunks = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    digest = Digest()

    passed = [*digest.passing(chunks)]

    assert passed == chunks
    assert digest.hexdigest() == hashlib.sha256(b"".join(chunks)).hexdigest()


def test_what_did_not_pass_does_not_count() -> None:
    digest = Digest()
    passing = digest.passing([b"a" * WORTH_A_THREAD, b"b"])

    next(passing)

    assert digest.hexdigest() == hashlib.sha256(b"a" * WORTH_A_THREAD).hexdigest()

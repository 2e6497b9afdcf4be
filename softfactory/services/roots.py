"""The part of a key that says whose it is."""

from softfactory.storage.keys import SHARED_ROOTS


def root_of(key: str) -> str:
    """Return the root that ``key`` lies in, without its last slash; no one need own it."""
    first, _, rest = key.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first in SHARED_ROOTS else first

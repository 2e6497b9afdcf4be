"""The address of a client behind proxies, as those name it."""

from collections.abc import Sequence


def forwarded_by(values: Sequence[bytes], hops: int) -> str:
    """Return the client's address by the proxies that are trusted; empty where they name none.

    As Werkzeug's ``ProxyFix`` reads X-Forwarded-For: each proxy adds one value, the last at the end.
    """
    named = b",".join(values).split(b",")
    return named[-hops].strip()[:64].decode("latin-1") if len(named) >= hops else ""

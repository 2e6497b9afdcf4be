"""Where a request comes from, as far as threads and connections are shared out by it."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

IPV6_NETWORK = 64
"""Bits of an IPv6 address that one customer is given at least (RFC 6177, section 2)."""


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return what an address is counted as; nothing where it is none."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{parsed.packed[: IPV6_NETWORK // 8].hex()}::/{IPV6_NETWORK}"


def forwarded_by(values: Sequence[bytes], hops: int) -> str:
    """Return the client's address by the proxies that are trusted; empty where they name none.

    As Werkzeug's ``ProxyFix`` reads X-Forwarded-For: each proxy adds one value, the last at the end.
    """
    named = b",".join(values).split(b",")
    return named[-hops].strip()[:64].decode("latin-1") if len(named) >= hops else ""

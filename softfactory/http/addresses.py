"""What counts as one address where requests, connections or threads are counted by it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

SUBNET_BITS = 64
"""RFC 4291 section 2.5.1: the first half names a subnet; its host chooses the other at will."""

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052 section 2.1: IPv4 clients of a network that speaks IPv6 alone, all in one /64."""


@lru_cache(maxsize=4096)
def network_of(address: str | None) -> str:
    """Return the network whose owner sent from ``address``: an IPv4 address, an IPv6 /64.

    An IPv6 address that stands for an IPv4 one (mapped, 6to4, NAT64) is that. What is no address,
    as a proxy may send it, stands for itself; where there is none, nothing does.
    """
    text = (address or "").partition("%")[0].strip()
    try:
        parsed = ip_address(text)
    except ValueError:
        return text
    if isinstance(parsed, IPv6Address):
        inner = _ipv4_in(parsed)
        if inner is None:
            return str(IPv6Network((parsed, SUBNET_BITS), strict=False))
        parsed = inner
    return str(parsed)


def _ipv4_in(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour

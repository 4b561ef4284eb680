"""Networks that a token may be used from, and the addresses that are held against them."""

import ipaddress
import re
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_PLAIN_NETWORK = re.compile(r"[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?")
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](:[0-9]{1,5})?|(?P<v4>[0-9.]+):[0-9]{1,5}")
_LONGEST_ADDRESS = 64
_MAPPED_BITS = 96


class NotANetwork(ValueError):  # noqa: N818 - read as a sentence
    """The text names no network; the message says what to write instead."""


def parse_network(text: str) -> Network:
    """Return the network that a text like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32 names.

    One that is written as IPv4 within IPv6 (::ffff:10.0.0.0/104) becomes the IPv4 network that it means.

    Raises:
        NotANetwork: it names none, or has bits set beyond its prefix, so that it is not clear which one is meant.
    """
    try:
        network = ipaddress.ip_network(text, strict=False) if _PLAIN_NETWORK.fullmatch(text) else None
    except ValueError:
        network = None
    if network is None:
        raise NotANetwork(f"{text} is no network; write one like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32")
    if "/" in text and ipaddress.ip_address(text.partition("/")[0]) != network.network_address:
        raise NotANetwork(f"{text} has bits set beyond its prefix; write {network}")
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((int(mapped), network.prefixlen - _MAPPED_BITS))
    return network


def parse_address(text: str | None) -> Address | None:
    """Return the address in what a socket or a proxy says (also with a port, in brackets, with a zone); else None.

    IPv4 within IPv6 (::ffff:192.0.2.7) is the IPv4 address that it means: a socket that takes both shows it so.
    """
    if text is None or len(text) > _LONGEST_ADDRESS:
        return None
    found = _WITH_PORT.fullmatch(text.strip())
    bare = text.strip() if found is None else found["v6"] or found["v4"] or ""
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address

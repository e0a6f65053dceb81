"""Where a webhook may go: to public addresses alone, so that nobody reaches our own network through us."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from referralnet.errors import InvalidInput

URL_LENGTH_MAX = 500
# They carry an IPv4 address, which a gateway would unwrap: NAT64, 6to4 and Teredo.
_WRAPPING = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


class AddressNotPublic(InvalidInput):
    """The address of a webhook is https, and leads to a public server."""

    code = "ADDRESS_NOT_PUBLIC"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet's."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_global and not found.is_multicast and not any(found in network for network in _WRAPPING)


def check_form(url: str, *, private: bool) -> str:
    """The host of a webhook's URL.

    Args:
        url: as an admin has typed it.
        private: also http, and addresses that are not public; for trying and for tests alone.

    Raises:
        AddressNotPublic: no https, a user or a fragment in it, or a literal address that is not public.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # it is read when asked for
    except ValueError:
        raise AddressNotPublic(field="url") from None
    schemes = {"https", "http"} if private else {"https"}
    odd = parts.username is not None or parts.password is not None or parts.fragment or not url.isprintable()
    if parts.scheme not in schemes or not parts.hostname or odd or " " in url or len(url) > URL_LENGTH_MAX:
        raise AddressNotPublic(field="url")
    if not private and _is_literal(parts.hostname) and not is_public(parts.hostname):
        raise AddressNotPublic(field="url")
    return parts.hostname


async def check_resolves(url: str, *, private: bool) -> None:
    """Refuse at once what would be refused at every sending. Then it is asked again, because names lead elsewhere; one
    that leads nowhere yet may do so later.

    Raises:
        AddressNotPublic: as `check_form`; or the name leads to an address that is not public.
    """
    host = check_form(url, private=private)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return
    if not private and not all(is_public(str(address[4][0])) for address in found):
        raise AddressNotPublic(field="url")


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

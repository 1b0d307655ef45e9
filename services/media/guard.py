"""Which addresses a user's URL may lead to: vetted here, and connected to exactly as vetted."""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from services.media.domain import HopelessError, UnreachableError
from shared.contracts.videos import FailureCode

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[..., Iterable[tuple[Any, Any, Any, Any, Any]]]

PORTS = {"http": 80, "https": 443}
_KEPT = "/%:@!$&'()*+,;=~-._?[]|"

# Addresses that carry an IPv4 address inside, or reach one through a translator: what they lead to can't be vetted.
_TRANSLATED = tuple(
    ipaddress.ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A vetted place to connect to: `addresses` are the only ones that may be used."""

    scheme: str
    host: str
    port: int
    target: str
    addresses: tuple[str, ...]

    @property
    def host_header(self) -> str:
        """The host as the Host header names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


class Guard:
    """Decides whether a URL may be fetched. Resolving names blocks, so this is used in threads."""

    def __init__(
        self, allowed_networks: Iterable[str], allowed_ports: Iterable[str] = (), resolve: Resolve = socket.getaddrinfo
    ) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in allowed_networks)
        self._ports = frozenset(int(port) for port in allowed_ports)
        self._resolve = resolve

    def vet(self, url: str) -> Destination:
        """Return where `url` leads. Raises HopelessError where it may not be followed, UnreachableError without DNS."""
        parts, port = _split(url)
        if parts.scheme not in PORTS:
            raise _refused("Only http and https addresses can be fetched.", "Use such an address.")
        if parts.username is not None or parts.password is not None:
            raise _refused("The address contains a user name or password.", "Use an address without one.")
        host = _ascii_host(parts.hostname)
        port = port or PORTS[parts.scheme]
        if self._ports and port not in self._ports:
            raise _refused(f"Port {port} is not allowed.", "Use an address with a usual port.")
        allowed = tuple(address for address in self._addresses(host, port) if self._may_connect(address))
        if not allowed:
            raise _refused("The address leads into a private network.", "Use one that the public can reach.")
        return Destination(parts.scheme, host, port, _target(parts), allowed)

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = self._resolve(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            what, advice = f"The host {host} of the video's address is not known.", "Check the address."
            if error.errno == socket.EAI_NONAME:
                raise HopelessError(FailureCode.SOURCE_UNREACHABLE, what, advice) from error
            raise UnreachableError(what, advice) from error
        except (OSError, UnicodeError) as error:
            raise _refused("The host in the address is not valid.", "Check the address.") from error
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

    def _may_connect(self, text: str) -> bool:
        address = _unmapped(ipaddress.ip_address(text))
        if any(address.version == network.version and address in network for network in self._networks):
            return True
        return is_public(address)


def is_public(address: Address) -> bool:
    """Return whether `address` is one of the open Internet, and means what it says."""
    address = _unmapped(address)
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id or address.is_site_local or any(address in network for network in _TRANSLATED)
    ):
        return False
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


def _unmapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _split(url: str) -> tuple[SplitResult, int | None]:
    if not url.isprintable() or "\\" in url:
        raise _refused("The address contains characters that do not belong there.", "Check it.")
    try:
        parts = urlsplit(url.strip())
        return parts, parts.port
    except ValueError as error:
        raise _refused("The address is not a valid URL.", "Check it.") from error


def _ascii_host(host: str | None) -> str:
    if not host:
        raise _refused("The address names no host.", "Check it.")
    try:
        return host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _refused("The host in the address is not valid.", "Check it.") from error


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_KEPT)
    return f"{path}?{quote(parts.query, safe=_KEPT)}" if parts.query else path


def _refused(what: str, advice: str) -> HopelessError:
    return HopelessError(FailureCode.SOURCE_REFUSED, what, advice)

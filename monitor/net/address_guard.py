"""The address guard: which machines Wirewatch may talk to.

An analyst may paste any address, a publisher may redirect to any other, and a name may resolve to
the machine next door. So every outbound connection is judged by the address it is about to be
made to, at the moment it is made, and dialled by that very address (no second look-up).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from monitor.errors import FetchError
from monitor.reasons import FetchReason

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Not (or not always) refused by `is_global`, yet never a publisher: IPv4-compatible, site-local,
# 6to4 and Teredo (they smuggle an IPv4 address), local-use NAT64, 6to4 relay, AS112, and the
# platform address of a large cloud.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "::/96",
        "fec0::/10",
        "2002::/16",
        "2001::/32",
        "64:ff9b:1::/48",
        "192.88.99.0/24",
        "192.31.196.0/24",
        "192.175.48.0/24",
        "168.63.129.16/32",
    )
)
_DNS_THREADS = 32
_NAMES_KEPT = 10_000


def is_public(address: IPAddress) -> bool:
    """Whether `address` is a machine on the open internet, whatever it is wrapped in.

    Looks through IPv4-mapped (RFC 4291) and NAT64 (RFC 6052) addresses; refuses multicast and the
    ranges in which an IPv4 address can hide.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.scope_id:
            return False
    if address.is_multicast or not address.is_global:
        return False
    return not any(address.version == net.version and address in net for net in _NEVER)


@dataclass(frozen=True, slots=True)
class Target:
    """A resolved address that may be dialled."""

    family: int
    address: str


class AddressGuard:
    """Decides what may be connected to; one instance may serve any number of connections.

    `allow_hosts` holds host names ("feeds.intern", ".intern" with all below it), addresses or
    networks ("10.1.0.0/16") that are reachable on any port although they are not public.
    """

    def __init__(self, allow_hosts: Iterable[str] = (), allow_ports: Iterable[int] = (80, 443)):
        self._names: set[str] = set()
        self._networks: list[IPNetwork] = []
        for entry in allow_hosts:
            try:
                self._networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                self._names.add(entry.lower().rstrip("."))
        self._ports = frozenset(allow_ports)
        self._found_inside: set[str] = set()  # names that led into an allowed network
        self._executor: ThreadPoolExecutor | None = None

    def check_url(self, url: str) -> tuple[str, str, int]:
        """Return (scheme, host, port) of an address whose form is acceptable.

        Raises:
            FetchError: `blocked_url`.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise FetchError(FetchReason.BLOCKED_URL, f"not a usable address ({error})") from None
        if parts.scheme not in ("http", "https"):
            raise FetchError(
                FetchReason.BLOCKED_URL, f"only http and https are fetched, not {parts.scheme!r}"
            )
        if not parts.hostname:
            raise FetchError(FetchReason.BLOCKED_URL, "the address names no host")
        return parts.scheme, parts.hostname.rstrip(".").lower(), port

    def allows_name(self, host: str) -> bool:
        """Whether the settings allow this host by name."""
        if host in self._names:
            return True
        labels = host.split(".")
        return any("." + ".".join(labels[at:]) in self._names for at in range(1, len(labels)))

    def is_internal(self, host: str) -> bool:
        """Whether `host` is reached only because the settings allow it.

        By its name, by its address, or by the addresses its name led to when last dialled.
        """
        if self.allows_name(host) or host in self._found_inside:
            return True
        try:
            return self._allowed(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return False

    def _allowed(self, address: IPAddress) -> bool:
        return any(address.version == net.version and address in net for net in self._networks)

    def check(self, host: str, port: int, addresses: list[str]) -> None:
        """Pass if every one of `addresses`, to which `host` resolved, may be dialled on `port`.

        One bad answer refuses the whole name: a name that points both inside and outside is
        an attack or a mistake.

        Raises:
            FetchError: `blocked_address` or `blocked_url` (port).
        """
        by_name = self.allows_name(host)
        inside = False
        for text in addresses:
            address = ipaddress.ip_address(text)
            if by_name or self._allowed(address):
                inside = True
                continue
            if not is_public(address):
                raise FetchError(
                    FetchReason.BLOCKED_ADDRESS,
                    f"{host} leads to {address}, which is not a public address; if this is an "
                    "internal host you trust, add it to polling.allow_hosts",
                )
            if port not in self._ports:
                raise FetchError(
                    FetchReason.BLOCKED_URL,
                    f"port {port} is not among polling.allow_ports",
                )
        self._remember(host.rstrip(".").lower(), inside)

    def _remember(self, name: str, inside: bool) -> None:
        if not inside:
            self._found_inside.discard(name)
        elif len(self._found_inside) < _NAMES_KEPT:  # redirects could lead to any number of names
            self._found_inside.add(name)

    async def resolve(self, host: str, port: int) -> list[Target]:
        """Return the addresses of `host` that may be dialled, all judged.

        Raises:
            FetchError: `dns_failed`, `blocked_address`, `blocked_url`.
        """
        try:
            literal = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            targets = await self._look_up(host, port)
        else:
            family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
            targets = [Target(family, str(literal))]
        self.check(host, port, [target.address for target in targets])
        return targets

    async def _look_up(self, host: str, port: int) -> list[Target]:
        if self._executor is None:
            # Threads of its own: slow name servers must not starve the loop's default pool.
            self._executor = ThreadPoolExecutor(_DNS_THREADS, thread_name_prefix="dns")
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(
                self._executor,
                lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
            )
        except (OSError, UnicodeError) as error:
            raise FetchError(
                FetchReason.DNS_FAILED, f"the name {host} cannot be resolved ({error})"
            ) from None
        unique = dict.fromkeys(
            Target(family, str(sockaddr[0]))
            for family, _, _, _, sockaddr in answers
            if family in (socket.AF_INET, socket.AF_INET6)
        )
        if not unique:
            raise FetchError(FetchReason.DNS_FAILED, f"the name {host} has no address")
        return list(unique)

    def close(self) -> None:
        """Let the look-up threads go."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

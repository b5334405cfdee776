"""Who someone is on the desk, and what they may do. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.text import one_line

RIGHTS = ("read", "answer", "silence", "operate", "edit")
ROLES = {"reader": ("read",), "editor": RIGHTS}
MEANING = {
    "read": "see every page, the API and the feeds",
    "answer": "say relevant or not, claim and mute an event",
    "silence": "add and end silences",
    "operate": "poll, pause and inspect feeds; put back and drop dead letters",
    "edit": "write topics and feeds into the configuration folder",
}


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who is signed in: a person, or a program by its token.

    `name` is the author of what they do. `via` is "link" (a one-time address), "proxy" or "token".
    """

    name: str
    rights: frozenset[str]
    via: str

    def may(self, right: str) -> bool:
        """Whether they may do what needs `right`."""
        return right in self.rights


def person_of_role(name: str, role: str, via: str) -> Person:
    """Return the person of a role; an unknown role may only read."""
    return Person(one_line(name, 80) or "?", frozenset(ROLES.get(role, ROLES["reader"])), via)


def is_trusted(peer: str, proxies: Sequence[str]) -> bool:
    """Whether `peer`, the address a request comes from, lies in one of `proxies`."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network, strict=False) for network in proxies)


def is_loopback(host: str) -> bool:
    """Whether a process that listens on `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def named_by_proxy(values: Sequence[str], editors: Iterable[str]) -> Person | None:
    """Return whom a trusted proxy's user header names, or None.

    More than one value is nobody: a client's own header would stand beside the proxy's.
    """
    names = [one_line(value, 80) for value in values]
    if len(names) != 1 or not names[0]:
        return None
    chosen = set(editors)
    role = "editor" if "*" in chosen or names[0] in chosen else "reader"
    return person_of_role(names[0], role, "proxy")

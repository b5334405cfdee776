"""Which machines may be talked to, whatever an analyst pastes or a publisher redirects to."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import ManualClock
from monitor.config.schema import PollingSettings
from monitor.errors import FetchError
from monitor.net.address_guard import AddressGuard, is_public
from monitor.net.fetcher import Fetcher
from monitor.reasons import FetchReason

INTERNAL = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "255.255.255.255", "224.0.0.1", "198.18.0.1", "192.0.2.1", "168.63.129.16",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fe80::1", "fec0::1",
    "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001::1", "2001:db8::1", "fe80::1%1",
]  # fmt: skip
PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", INTERNAL)
def test_no_internal_address_passes(text: str) -> None:
    """Private, local, metadata and wrapped addresses are refused, also those `is_global` passes."""
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_pass(text: str) -> None:
    """Ordinary publishers, also behind NAT64, stay reachable."""
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_wrapping_changes_nothing(address: ipaddress.IPv4Address) -> None:
    """An IPv4 address is judged alike as such, IPv4-mapped, and behind NAT64."""
    verdict = is_public(address)
    assert is_public(ipaddress.IPv6Address((0xFFFF << 32) | int(address))) == verdict
    assert is_public(ipaddress.IPv6Address((0x64FF9B << 96) | int(address))) == verdict


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://2130706433/", "http://0x7f.1/",
        "http://127.1/", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://0/",
        "http://127.0.0.1.:80/", "http://user@127.0.0.1/",
    ],
)  # fmt: skip
async def test_every_spelling_of_loopback_is_refused(url: str) -> None:
    """Decimal, hex, short, mapped and named forms of one address meet the same guard."""
    fetcher = Fetcher(PollingSettings(), ManualClock())
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(url)
    assert caught.value.reason in (FetchReason.BLOCKED_ADDRESS, FetchReason.DNS_FAILED)
    await fetcher.aclose()


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "file:///etc/passwd", "gopher://a/", "http:///x", "http://[::", "x"]
)
async def test_only_web_addresses_are_fetched(url: str) -> None:
    """Other schemes, and what is no address, are named as blocked addresses."""
    fetcher = Fetcher(PollingSettings(), ManualClock())
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(url)
    assert caught.value.reason == FetchReason.BLOCKED_URL
    await fetcher.aclose()


async def test_one_bad_answer_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves both outside and inside (DNS rebinding) is not dialled at all."""

    def answers(host: Any, port: Any, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("93.184.215.14", "169.254.169.254")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with pytest.raises(FetchError) as caught:
        await AddressGuard().resolve("rebind.example", 80)
    assert caught.value.reason == FetchReason.BLOCKED_ADDRESS


async def test_the_address_that_was_judged_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is looked up once: a second, different answer never gets a connection."""
    asked = []

    def answers(host: Any, port: Any, **_: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    fetcher = Fetcher(PollingSettings(allow_hosts=("127.0.0.1",), timeout=2.0), ManualClock())
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch("http://once.example:1/")
    assert caught.value.reason == FetchReason.CONNECT_FAILED
    assert len(asked) == 1
    await fetcher.aclose()


@pytest.mark.parametrize(
    ("allow", "host", "allowed"),
    [
        (("10.1.0.0/16",), "10.1.2.3", True),
        (("10.1.0.0/16",), "10.2.2.3", False),
        (("feeds.intern",), "feeds.intern", True),
        (("feeds.intern",), "x.feeds.intern", False),
        ((".intern",), "x.feeds.intern", True),
        ((".intern",), "evilintern", False),
    ],
)
def test_internal_hosts_can_be_allowed(allow: tuple[str, ...], host: str, allowed: bool) -> None:
    """Operators may allow a network, a host, or all below a domain, and no more than that."""
    assert AddressGuard(allow).is_internal(host) is allowed


async def test_a_name_in_an_allowed_network_is_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known once the name has been looked up, in any spelling, and no longer when it moves out."""
    leads_to = "10.1.2.3"

    def answers(host: Any, port: Any, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (leads_to, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    guard = AddressGuard(("10.0.0.0/8",))
    assert not guard.is_internal("rsshub.intern")
    await guard.resolve("RSSHub.intern.", 80)
    assert guard.is_internal("rsshub.intern")
    leads_to = "93.184.215.14"
    await guard.resolve("rsshub.intern", 80)
    assert not guard.is_internal("rsshub.intern")


def test_ports_are_limited_but_not_for_allowed_hosts() -> None:
    """A public host is reached on web ports only; an allowed one on any."""
    with pytest.raises(FetchError) as caught:
        AddressGuard(allow_ports=(80, 443)).check("a.example", 22, ["93.184.215.14"])
    assert caught.value.reason == FetchReason.BLOCKED_URL
    AddressGuard(("10.0.0.1",)).check("a.example", 22, ["10.0.0.1"])

"""Which URLs may be fetched."""

import ipaddress
import socket
from typing import Any

import pytest

from services.media.domain import HopelessError, TransferError, UnreachableError
from services.media.guard import Guard, is_public


def resolving_to(*addresses: str) -> Any:
    """Return a resolver that knows every host under these addresses."""

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(None, None, None, "", (address, port)) for address in addresses]

    return resolve


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2001::1",
]
PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(HopelessError) as refusal:
        Guard((), resolve=resolving_to(address)).vet("https://example.com/a.mp4")
    assert refusal.value.code == "SOURCE_REFUSED"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_let_through(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert Guard((), resolve=resolving_to(address)).vet("https://example.com/a.mp4").addresses == (address,)


def test_only_the_public_ones_of_several_addresses_are_used() -> None:
    place = Guard((), resolve=resolving_to("10.0.0.1", "8.8.8.8", "::1")).vet("http://example.com/")
    assert place.addresses == ("8.8.8.8",)


@pytest.mark.parametrize(
    ("network", "address"), [("10.0.0.0/8", "10.1.2.3"), ("10.0.0.0/8", "::ffff:10.1.2.3"), ("fd00::/8", "fd00::7")]
)
def test_an_allowed_network_is_let_through(network: str, address: str) -> None:
    guard = Guard((network,), resolve=resolving_to(address))
    assert guard.vet("http://n8n:5678/a.mp4").addresses == (address,)


@pytest.mark.parametrize("network", ["127.0.0.0/8", "::/0"])
def test_an_allowed_network_allows_nothing_else(network: str) -> None:
    with pytest.raises(HopelessError):
        Guard((network,), resolve=resolving_to("10.0.0.1")).vet("http://example.com/")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a.mp4",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/a.mp4",
        "example.com/a.mp4",
        "http://",
        "http:///a.mp4",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://[::1/",
        "http://exa mple.com\\@other.example/",
        "http://example.com/\r\nHost: other",
        "http://" + "a" * 70 + ".example/",
        "",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(HopelessError) as refusal:
        Guard((), resolve=resolving_to("8.8.8.8")).vet(url)
    assert refusal.value.code == "SOURCE_REFUSED"


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "localhost"])
def test_addresses_in_disguise_are_recognised(host: str) -> None:
    with pytest.raises(TransferError):
        Guard(()).vet(f"http://{host}/a.mp4")


def test_ports_can_be_limited() -> None:
    guard = Guard((), ("443", "8443"), resolve=resolving_to("8.8.8.8"))
    assert guard.vet("https://example.com:8443/").host_header == "example.com:8443"
    with pytest.raises(HopelessError):
        guard.vet("http://example.com/")


@pytest.mark.parametrize(
    ("url", "host_header", "target"),
    [
        ("http://Example.com", "example.com", "/"),
        ("https://example.com:443/a b.mp4?x=ä&y=%20", "example.com", "/a%20b.mp4?x=%C3%A4&y=%20"),
        ("http://example.com:8080/a;b=1#part", "example.com:8080", "/a;b=1"),
        ("http://[2606:4700::1111]:81/", "[2606:4700::1111]:81", "/"),
        ("http://bücher.example/", "xn--bcher-kva.example", "/"),
    ],
)
def test_urls_are_asked_for_as_they_are_meant(url: str, host_header: str, target: str) -> None:
    place = Guard((), resolve=resolving_to("8.8.8.8")).vet(url)
    assert (place.host_header, place.target) == (host_header, target)


@pytest.mark.parametrize(("number", "kind"), [(socket.EAI_NONAME, HopelessError), (socket.EAI_AGAIN, UnreachableError)])
def test_an_unknown_host_is_hopeless_and_a_silent_dns_is_not(number: int, kind: type[TransferError]) -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(number, "no")

    with pytest.raises(kind) as failure:
        Guard((), resolve=resolve).vet("http://example.com/")
    assert failure.value.code == "SOURCE_UNREACHABLE"

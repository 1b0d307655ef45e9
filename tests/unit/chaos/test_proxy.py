"""The proxy passes, cuts, refuses, stalls, and heals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.local.ports import free_ports
from tests.chaos.proxy import Proxy


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy in front of a server that answers every line with itself."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    ports = free_ports(("server", "proxy"))
    server = await asyncio.start_server(echo, "127.0.0.1", ports["server"])
    proxy = Proxy(ports["proxy"], ports["server"])
    await proxy.open()
    yield proxy
    await proxy.close()
    server.close()


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, text: bytes) -> bytes:
        self.writer.write(text + b"\n")
        return (await self.reader.readline()).strip()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next round


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[Client]:
    async with connected(proxy.port) as connection:
        yield connection


async def test_it_passes_both_ways(client: Client) -> None:
    assert await client.say(b"hello") == b"hello"


async def test_a_cut_resets_what_is_open_and_lets_new_ones_in(proxy: Proxy, client: Client) -> None:
    await client.say(b"hello")
    proxy.cut()
    with pytest.raises(OSError, match="reset"):
        await client.say(b"still there?")
    async with connected(proxy.port) as another:
        assert await another.say(b"hello again") == b"hello again"


async def test_refusing_ends_with_healing(proxy: Proxy, client: Client) -> None:
    await client.say(b"hello")
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.heal()
    async with connected(proxy.port) as another:
        assert await another.say(b"hello again") == b"hello again"


async def test_two_disruptions_of_it_may_end_at_once(proxy: Proxy) -> None:
    await proxy.refuse()
    await asyncio.gather(proxy.heal(), proxy.heal())
    async with connected(proxy.port) as another:
        assert await another.say(b"hello again") == b"hello again"


async def test_what_was_stalled_arrives_after_healing(proxy: Proxy, client: Client) -> None:
    await client.say(b"hello")
    proxy.stall()
    waiting = asyncio.create_task(client.say(b"wait"))
    assert not (await asyncio.wait({waiting}, timeout=0.2))[0]
    await proxy.heal()
    assert await waiting == b"wait"


async def test_nobody_behind_it_shows_at_once() -> None:
    ports = free_ports(("nobody", "proxy"))
    proxy = Proxy(ports["proxy"], ports["nobody"])
    await proxy.open()
    async with connected(proxy.port) as client:
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
    await proxy.close()


@asynccontextmanager
async def replica(port: int, name: bytes) -> AsyncIterator[None]:
    """A server that says its name to everybody."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(name)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        yield


async def test_replicas_take_turns_and_the_rest_has_all_when_one_is_gone() -> None:
    ports = free_ports(("one", "two", "proxy"))
    proxy = Proxy(ports["proxy"], ports["one"], ports["two"])
    await proxy.open()

    async def answers() -> list[bytes]:
        found = []
        for _ in range(4):
            async with connected(proxy.port) as client:
                found.append(await client.reader.read())
        return found

    async with replica(ports["two"], b"two"):
        async with replica(ports["one"], b"one"):
            assert await answers() == [b"one", b"two", b"one", b"two"]
        assert await answers() == [b"two"] * 4
    await proxy.close()

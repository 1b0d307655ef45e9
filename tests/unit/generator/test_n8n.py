"""What can be said for certain about a call that met no workflow engine at all, and about one that did."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from services.generator.domain import Happening
from services.generator.n8n import Answer, Call, N8n, in_words

ANSWER_SECONDS = 0.4

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def call(url: str) -> Answer:
    async with contextlib.aclosing(N8n(timedelta(seconds=1), timedelta(seconds=ANSWER_SECONDS))) as n8n:
        return await n8n.call(Call(url, b'{"a": 1}', {"Idempotency-Key": "key"}))


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """Serve each connection so, and leave none of them open."""
    serving: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        serving.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await task
        writer.transport.abort()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)  # lets `accept` close its side


def server(answer: bytes, *, read: bool = True) -> contextlib.AbstractAsyncContextManager[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if read:
            await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return serving(serve)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_nobody_listens() -> None:
    answer = await call(f"http://127.0.0.1:{free_port()}/")
    assert answer == Answer(Happening.REFUSED, "no connection")


async def test_no_such_name() -> None:
    assert await call("http://nowhere.invalid/") == Answer(Happening.REFUSED, "no connection")


async def test_a_connection_that_is_closed_without_an_answer() -> None:
    async with server(b"") as address:
        assert await call(f"http://{address}/") == Answer(Happening.UNCERTAIN, "the connection broke off")


def test_each_trouble_is_said_in_plain_words() -> None:
    known = [httpx.ConnectTimeout(""), httpx.ReadTimeout(""), TimeoutError(), httpx.WriteError("")]
    said = ["no connection", "no answer in time", "no answer in time", "the connection broke off"]
    assert [in_words(error) for error in known] == said
    assert in_words(httpx.TooManyRedirects("")) == "no clear answer"


async def test_no_tls_on_the_other_side() -> None:
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n", read=False) as address:
        assert (await call(f"https://{address}/")).happening is Happening.REFUSED


async def test_an_answer_that_is_no_http() -> None:
    async with server(b"220 smtp.example.com ready\r\n") as address:
        assert (await call(f"http://{address}/")).happening is Happening.UNCERTAIN


async def test_a_body_that_breaks_off_after_2xx_is_still_taken() -> None:
    async with server(b'HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{"execu') as address:
        assert await call(f"http://{address}/") == Answer(Happening.TAKEN, "status 200")


async def test_the_answer_is_asked_for_unpacked() -> None:
    asked = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with serving(serve) as address:
        assert (await call(f"http://{address}/")).happening is Happening.TAKEN
    assert b"accept-encoding: identity\r\n" in asked.lower()


async def test_headers_that_drip_are_cut_off() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            await writer.drain()
            await asyncio.sleep(ANSWER_SECONDS / 4)
            writer.write(b"x-more: 1\r\n")

    async with serving(drip) as address:
        assert await call(f"http://{address}/") == Answer(Happening.UNCERTAIN, "no answer in time")


@pytest.mark.parametrize(
    ("answer", "happening"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Happening.TAKEN),
        (b"HTTP/1.1 301 Moved\r\nlocation: https://elsewhere.example.com/\r\n\r\n", Happening.UNCERTAIN),
        (b"HTTP/1.1 404 No\r\n\r\nnginx", Happening.REJECTED),
        (b"HTTP/1.1 429 Many\r\n\r\n", Happening.TURNED_AWAY),
        (b"HTTP/1.1 503 Away\r\n\r\n", Happening.TURNED_AWAY),
        (b"HTTP/1.1 408 Slow\r\n\r\n", Happening.UNCERTAIN),
        (b"HTTP/1.1 599 Odd\r\n\r\n", Happening.UNCERTAIN),
    ],
)
async def test_statuses(answer: bytes, happening: Happening) -> None:
    async with server(answer) as address:
        assert (await call(f"http://{address}/")).happening is happening

"""HTTP as the load needs it: raw sockets and httptools, so that the client costs little and its clock is exact.

The moment of an answer is taken when its last byte is there, that of a stream's event when its bytes are.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import httptools

from tests.bench.figures import BrokenRun

ANSWER_SECONDS = 30.0


class Answer:
    """One answer: its status, its body, and the perf_counter reading of its last byte."""

    __slots__ = ("at", "body", "status")

    def __init__(self, status: int, body: bytes, at: float) -> None:
        self.status, self.body, self.at = status, body, at

    def data(self, expected: int) -> Any:
        """Return the `data` of the envelope. Raises BrokenRun where the status is not the expected one."""
        if self.status != expected:
            raise BrokenRun(f"answered {self.status} instead of {expected}: {self.body[:300]!r}")
        return json.loads(self.body).get("data")


def request_bytes(url: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _address(url: str) -> tuple[str, int]:
    where = urlsplit(url)
    return where.hostname or "", where.port or 80


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    @classmethod
    async def open(cls, url: str) -> Self:
        """Return a connection to the server at `url`."""
        host, port = _address(url)
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def send(self, request: bytes) -> Answer:
        """Send a request and return its answer. Raises BrokenRun where the connection breaks, TimeoutError."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._waiting, ANSWER_SECONDS)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(BrokenRun(f"the server closed the connection ({exc!r})"))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        at = time.perf_counter()
        body, self._body = b"".join(self._body), []
        status, self._parser = self._parser.get_status_code(), httptools.HttpResponseParser(self)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(status, body, at))


Heard = Callable[[dict[str, Any], float], None]
"""Called with an event's data and the perf_counter reading of its arrival."""


class EventStream(asyncio.Protocol):
    """One open SSE stream. `opened` is done at its head (with the status); `heard` gets every event of `kind`."""

    def __init__(self, request: bytes, kind: str, heard: Heard) -> None:
        self.opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.ended = False
        self._request = request
        self._kind = f"event: {kind}".encode()
        self._heard = heard
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    @classmethod
    async def open(cls, url: str, path: str, token: str, kind: str, heard: Heard) -> Self:
        """Return an open stream. Raises BrokenRun where the answer is not 200, TimeoutError."""
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
        request = request_bytes(url, "GET", path, headers)
        host, port = _address(url)
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_connection(lambda: cls(request, kind, heard), host, port)
        status = await asyncio.wait_for(stream.opened, ANSWER_SECONDS)
        if status != 200:
            stream.close()
            raise BrokenRun(f"the stream answered {status}")
        return stream

    def close(self) -> None:
        """Go away."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        if not self.opened.done():
            self.opened.set_exception(BrokenRun(f"the stream was closed before it began ({exc!r})"))

    def on_headers_complete(self) -> None:
        if not self.opened.done():
            self.opened.set_result(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        at = time.perf_counter()
        *whole, self._rest = (self._rest + body).split(b"\n\n")
        for frame in whole:
            data = event_data(frame, self._kind)
            if data is not None:
                self._heard(data, at)


def event_data(frame: bytes, kind_line: bytes) -> dict[str, Any] | None:
    """Return the data of one event of this kind (`event: name`), None for comments and other kinds."""
    lines = frame.split(b"\n")
    if kind_line not in lines:
        return None
    data = b"\n".join(line.removeprefix(b"data:").removeprefix(b" ") for line in lines if line.startswith(b"data:"))
    loaded = json.loads(data)
    if not isinstance(loaded, dict):
        raise BrokenRun(f"an event holds no object: {data[:100]!r}")
    return loaded

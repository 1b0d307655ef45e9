"""A notifier for the gateway to pass through: says what it was asked, and streams what a test hands it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

HISTORY = b'{"success":true,"data":{"notifications":[{"seq":1,"type":"complete"}],"nextCursor":null}}'


@dataclass
class Asked:
    """One request as the notifier got it, and its open stream."""

    target: str
    headers: dict[str, str]
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, text: str) -> None:
        """Send a piece of the stream."""
        self.writer.write(text.encode())
        await self.writer.drain()

    async def hang_up(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class StandInNotifier:
    """`mode` says how it behaves: well, refuse (a 401 in the envelope), garbage, or silent."""

    def __init__(self) -> None:
        self.mode = "well"
        self.asked: list[Asked] = []

    @contextlib.asynccontextmanager
    async def running(self, port: int) -> AsyncIterator["StandInNotifier"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        try:
            yield self
        finally:
            server.close()
            for asked in self.asked:
                await asked.hang_up()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        asked = Asked(request.split()[1], headers, writer)
        if asked.target == "/health/live":
            await asked.say(_answer("200 OK", "application/json", b"{}"))
            return
        self.asked.append(asked)
        if self.mode == "garbage":
            await asked.say(_answer("200 OK", "text/html", b"<h1>It works!</h1>"))
        elif self.mode == "refuse":
            body = b'{"success":false,"message":"Too many.","error":{"code":"TOO_MANY"}}'
            await asked.say(_answer("429 Too Many Requests", "application/json", body, "Retry-After: 7\r\n"))
        elif asked.target.startswith("/api/notifications/stream"):
            await asked.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            await reader.read()
            asked.gone.set()
        else:
            await asked.say(_answer("200 OK", "application/json", HISTORY))


def _answer(status: str, kind: str, body: bytes, more: str = "") -> str:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head + body.decode()

"""A workflow engine that does, to the byte, what a test tells it to; it never calls back by itself."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

from tests.unit.generator import n8n_answers


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]


Answer = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


def answering(status: int, body: bytes | str = b"{}", **headers: str) -> Answer:
    """Answer each call with this."""
    payload = body.encode() if isinstance(body, str) else body

    async def answer(writer: asyncio.StreamWriter, _: int) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(payload)}", "connection: close"]
        lines.append(f"date: {formatdate(usegmt=True)}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
        await writer.drain()

    return answer


def started(execution_id: object) -> Answer:
    return answering(202, json.dumps({"message": "Workflow was started", "executionId": execution_id}))


NOT_REGISTERED = answering(404, n8n_answers.not_registered("x"))
MIGRATING = answering(200, n8n_answers.MIGRATING)
NO_DATABASE = answering(503, n8n_answers.NO_DATABASE)
DEFAULT = answering(200, '{"message":"Workflow was started"}')


def one_after_another(*answers: Answer) -> Answer:
    """Give the first call the first answer and so on; the last one stays."""

    async def answer(writer: asyncio.StreamWriter, number: int) -> None:
        await answers[min(number, len(answers)) - 1](writer, number)

    return answer


async def cut(writer: asyncio.StreamWriter, _: int) -> None:
    """Take the call and hang up."""
    writer.transport.abort()


async def cut_in_the_middle(writer: asyncio.StreamWriter, _: int) -> None:
    """Take the call and hang up while answering."""
    writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-type: appl")
    await writer.drain()
    writer.transport.abort()


async def silence(_: asyncio.StreamWriter, __: int) -> None:
    """Take the call and never say anything."""
    await asyncio.Event().wait()


async def endless(writer: asyncio.StreamWriter, _: int) -> None:
    """Say 200 and then never stop talking."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()


@dataclass
class Run:
    """What its API tells of an execution: whose call it answers, what its nodes gave out, when it began."""

    status: str = "running"
    call: Received | None = None
    gave_out: list[Any] = field(default_factory=list)
    error: str | None = None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def shown(self, execution_id: str, *, with_data: bool) -> dict[str, Any]:
        began = self.began.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = {"id": execution_id, "status": self.status, "mode": "webhook", "startedAt": began}
        return shown | {"data": self._data()} if with_data else shown

    def _data(self) -> dict[str, Any]:
        call = {} if self.call is None else {"headers": self.call.headers, "body": self.call.body}
        if self.status == "running":
            stack = [{"node": {"name": "Webhook"}, **_item(call)}]
            return {"resultData": {"runData": {}}, "executionData": {"nodeExecutionStack": stack}}
        nodes = {f"Node {number}": [_item(item)] for number, item in enumerate([call, *self.gave_out])}
        failed = {"error": {"message": self.error}} if self.error else {}
        return {"resultData": {"runData": nodes, **failed}}


def _item(item: Any) -> dict[str, Any]:
    return {"data": {"main": [[{"json": item}]]}}


class ScriptedN8n:
    """Remembers every call by video; `script[video_id]` says what is answered, DEFAULT without one.

    `runs[execution_id]` is what its API tells of a run, in the order they began; `stops` are the runs it was asked to
    stop, each answered with the next of `stop_answers` or stopped. Without `api` that API answers nothing of use.
    """

    def __init__(self) -> None:
        self.calls: dict[str, list[Received]] = defaultdict(list)
        self.script: dict[str, Answer] = {}
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        self.runs: dict[str, Run] = {"1": Run("success", began=long_ago)}
        self.stops: list[str] = []
        self.stop_answers: list[Answer] = []
        self.api = True
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/webhook/{path}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedN8n"]:
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def start(self) -> None:
        """Listen: on a free port the first time, on the same one again after `stop`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more: connections are refused."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received = await _read(reader)
            if received.path.startswith("/api/"):
                await self._tell(received, writer)
                return
            video_id = received.body["videoId"]
            self.calls[video_id].append(received)
            await self.script.get(video_id, DEFAULT)(writer, len(self.calls[video_id]))
        finally:
            writer.close()

    async def _tell(self, asked: Received, writer: asyncio.StreamWriter) -> None:
        path, _, query = asked.path.removeprefix("/api/v1/executions").partition("?")
        execution_id, _, action = path.strip("/").partition("/")
        if not self.api or asked.headers.get("x-n8n-api-key") != "key":
            await answering(401, '{"message": "unauthorized"}')(writer, 1)
        elif not execution_id:
            await answering(200, json.dumps(self._listed(parse_qs(query))))(writer, 1)
        elif execution_id not in self.runs:
            await answering(404, '{"message": "Not Found"}')(writer, 1)
        elif action == "stop":
            await self._stop(execution_id, writer)
        else:
            shown = self.runs[execution_id].shown(execution_id, with_data="includeData" in query)
            await answering(200, json.dumps(shown))(writer, 1)

    def _listed(self, query: dict[str, list[str]]) -> dict[str, Any]:
        running = query.get("status") == ["running"]
        listed = [(id_, run) for id_, run in self.runs.items() if (run.status == "running") == running]
        listed.sort(key=lambda one: one[1].began, reverse=True)
        return {"data": [run.shown(id_, with_data=False) for id_, run in listed], "nextCursor": None}

    async def _stop(self, execution_id: str, writer: asyncio.StreamWriter) -> None:
        self.stops.append(execution_id)
        if self.stop_answers:
            await self.stop_answers.pop(0)(writer, 1)
            return
        self.runs[execution_id].status = "canceled"
        await answering(200, json.dumps({"status": "canceled", "finished": False}))(writer, 1)


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(head[0].split(" ")[1], headers, raw, json.loads(raw or b"{}"))

"""Requests that are cut off on a real connection: by the stop of their service, or by their client."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar
from unittest import mock

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from deploy.local.ports import LOOPBACK, free_port
from shared.wiring import serve as serving
from shared.wiring.health import Health
from shared.wiring.http import answer, make_app
from shared.wiring.metrics import Metrics
from tests.waiting import until

T = TypeVar("T")

pytestmark = pytest.mark.timeout(60)

HALF_A_BODY = b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf"
BAD_CHUNK = b"POST /read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nno size\r\n"


@contextlib.asynccontextmanager
async def no_lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield


class Service:
    """Hangs in a request, as while its database hangs; `begun` and `left` name requests as they come and end."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.app = make_app("test", self.metrics, Health(self.metrics), no_lifespan)
        self.app.get("/hangs")(self._hang)
        self.app.get("/streams")(self._stream)
        self.app.post("/read")(self._read)
        self.begun: list[str] = []
        self.left: list[str] = []

    def talk(self, talk: Callable[[str, int], Coroutine[Any, Any, T]]) -> T:
        """Serve until somebody tells the process to stop; return what was said by `talk`, called in a thread."""
        port = free_port()
        serves = threading.Event()
        serves.set()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.begun.append(scope["path"])
            await self.app(scope, receive, send)

        def stop_where_it_failed(said: Future[T]) -> None:
            if said.exception() and serves.is_set():
                stop()

        with ThreadPoolExecutor(1) as pool, mock.patch.object(serving, "_end_process", sys.exit):
            said = pool.submit(lambda: asyncio.run(talk(LOOPBACK, port)))
            said.add_done_callback(stop_where_it_failed)
            with contextlib.suppress(SystemExit):
                try:
                    serving.serve(app, LOOPBACK, port, on_stop=serves.clear)
                finally:
                    serves.clear()
        return said.result()

    def counted(self, method: str, route: str, status: int) -> float:
        labels = {"method": method, "route": route, "status": str(status)}
        return self.metrics.registry.get_sample_value("reelway_http_requests_total", labels) or 0

    async def _hang(self) -> Response:
        stop()
        return await self._never("hangs")

    async def _stream(self) -> Response:
        async def begin() -> AsyncIterator[bytes]:
            yield b"begun"
            stop()
            await self._never("streams")

        return StreamingResponse(begin())

    async def _read(self, request: Request) -> Response:
        return answer({"size": len(await request.body())})

    async def _never(self, name: str) -> Response:
        try:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")
        finally:
            self.left.append(name)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async def attempt() -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        with contextlib.suppress(ConnectionError):
            return await asyncio.open_connection(host, port)
        return None

    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] = await until(attempt, "the server listens")
    return streams


async def ask(request: bytes, host: str, port: int) -> tuple[str, bytes]:
    """Return the head and the body of the answer, up to the connection's end."""
    reader, writer = await connect(host, port)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head.decode().lower(), body


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(serving, "GRACEFUL_SECONDS", 0.2)
    return Service()


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_stop_cuts_off_is_told_to_come_back(
    service: Service, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    request = f"{method} /hangs HTTP/1.1\r\nhost: x\r\n\r\n".encode()
    with capture_logs() as logs:
        head, body = service.talk(lambda host, port: ask(request, host, port))
    assert head.startswith("http/1.1 503 ")
    assert "retry-after: 5" in head
    assert "content-type: application/json" in head
    if method == "GET":
        refusal = httpx.Response(503, content=body).json()
        assert (refusal["success"], refusal["error"]) == (False, {"code": "UNAVAILABLE"})
    assert service.left == ["hangs"]
    assert service.counted(method, "/hangs", 503) == 1
    assert [line["status"] for line in logs if line["event"] == "http.request"] == [503]
    assert tracebacks(caplog) == []


def test_a_body_that_is_still_awaited_at_the_stop_is_told_to_come_back(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    async def begin(host: str, port: int) -> tuple[str, bytes]:
        answered = asyncio.create_task(ask(HALF_A_BODY, host, port))
        await until(lambda: service.begun == ["/read"], "its body is awaited")
        await ask(b"GET /hangs HTTP/1.1\r\nhost: x\r\n\r\n", host, port)
        return await answered

    head, _ = service.talk(begin)
    assert head.startswith("http/1.1 503 ")
    assert tracebacks(caplog) == []


def test_an_answer_that_had_begun_breaks_off(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    head, body = service.talk(lambda host, port: ask(b"GET /streams HTTP/1.1\r\nhost: x\r\n\r\n", host, port))
    assert head.startswith("http/1.1 200 ")
    assert body == b"5\r\nbegun\r\n", "no last chunk: the client sees that there was more"
    assert service.left == ["streams"]
    assert tracebacks(caplog) == []


@pytest.mark.parametrize("broken", [HALF_A_BODY, BAD_CHUNK])
def test_a_client_that_breaks_off_is_its_own_fault(
    service: Service, caplog: pytest.LogCaptureFixture, broken: bytes
) -> None:
    async def break_off(host: str, port: int) -> None:
        _, writer = await connect(host, port)
        writer.write(broken)
        await writer.drain()
        writer.close()
        await until(lambda: service.metrics.render().count(b'method="POST"'), "it is counted")
        stop()

    with capture_logs() as logs:
        service.talk(break_off)
    assert service.counted("POST", "unmatched", 400) == 1
    assert [line["status"] for line in logs if line["event"] == "http.request"] == [400]
    assert {line["log_level"] for line in logs} <= {"info", "debug"}
    assert tracebacks(caplog) == []

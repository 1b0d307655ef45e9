"""Plain ASGI middleware around every request: BaseHTTPMiddleware would break the news of disconnects."""

import asyncio
import json
import time

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.wiring.cancellation import is_told_to_end
from shared.wiring.metrics import Metrics
from shared.wiring.tracing import enter_trace

log = structlog.get_logger(__name__)

_QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})


class BodyLimit:
    """Answers 413 to bodies over `limit_bytes`, whether announced or discovered while reading, and 400 to halves."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is whole and within the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._limit:
            await self._refuse(send)
            return
        body = await self._read(receive)
        if body is None:
            await self._refuse(send)
        elif body[-1]["type"] == "http.disconnect":
            # The client is gone: this is for those around, who count and log whose fault it was.
            await Response(status_code=400)(scope, receive, send)
        else:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> list[Message] | None:
        """Return the body's messages, or None where there is more than the limit."""
        messages: list[Message] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self._limit:
                return None
            if message["type"] != "http.request" or not message.get("more_body"):
                return messages

    async def _refuse(self, send: Send) -> None:
        message = f"The body is larger than {self._limit // 1024} KB. Send less."
        body = json.dumps({"success": False, "message": message, "error": {"code": "BODY_TOO_LARGE"}}).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def replay() -> Message:
        for message in waiting:
            return message
        return await receive()

    return replay


class HeadAsGet:
    """Answers HEAD wherever there is a GET: the same status and headers, no body. A live stream only begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a HEAD on as a GET, and its answer without what is in it."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}  # a copy: the server must go on to know that it was a HEAD
        begun = False

        async def receive_until_begun() -> Message:
            # With the headers a HEAD has all it wants: what would go on now sees its client gone.
            return {"type": "http.disconnect"} if begun else await receive()

        async def send_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        try:
            await self._app(asked, receive_until_begun, send_headers)
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]  # for those around: what they count and log is by route


class CutOff:
    """Gives what the stop of the service cancels the answer `refuse`, unless another one has begun: that breaks off."""

    def __init__(self, app: ASGIApp, refuse: ASGIApp) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Returns after a cancellation, which ends the task: a raise is a crash to the server."""
        begun = False

        async def notice(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, notice)
        except asyncio.CancelledError:
            if scope["type"] != "http" or not is_told_to_end():
                raise
            log.warning("http.cut_off", begun=begun)
            if not begun:
                await self._refuse(scope, receive, send)


class Observed:
    """Gives each request a trace, counts and times it, and writes its one log line (never its query or body)."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and observe its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        structlog.contextvars.clear_contextvars()
        enter_trace(dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1"))
        began = time.perf_counter()
        status, waited = 500, None

        async def remember(message: Message) -> None:
            nonlocal status, waited
            if message["type"] == "http.response.start":
                status, waited = message["status"], time.perf_counter() - began
            await send(message)

        try:
            await self._app(scope, receive, remember)
        finally:
            self._observe(scope, status, time.perf_counter() - began, waited)

    def _observe(self, scope: Scope, status: int, seconds: float, waited: float | None) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.http_requests.labels(method=scope["method"], route=route, status=str(status)).inc()
        # Until the answer began: a live stream is open for hours, and was answered at once all the same.
        self._metrics.http_seconds.labels(method=scope["method"], route=route).observe(
            seconds if waited is None else waited
        )
        if scope["path"] not in _QUIET:
            log.info("http.request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4))

"""Plain ASGI middleware around every request: BaseHTTPMiddleware would break the news of disconnects."""

import json
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.wiring.metrics import Metrics
from shared.wiring.tracing import enter_trace

log = structlog.get_logger(__name__)

_QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})


class BodyTooLargeError(Exception):
    """The body outgrew the limit while it was read."""


class BodyLimit:
    """Answers 413 to bodies over `limit_bytes`, whether announced or discovered while reading."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is within the limit."""
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
            return
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
        message = f"The body is larger than {self._limit // 1024} KB. Send less text."
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
        status = 500

        async def remember(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, remember)
        finally:
            self._observe(scope, status, time.perf_counter() - began)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.http_requests.labels(method=scope["method"], route=route, status=str(status)).inc()
        self._metrics.http_seconds.labels(method=scope["method"], route=route).observe(seconds)
        if scope["path"] not in _QUIET:
            log.info("http.request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4))

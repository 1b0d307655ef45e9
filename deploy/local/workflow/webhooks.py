"""The production webhooks: takes a call, starts a run, answers at once, as n8n does."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from deploy.local.workflow.engine import Engine
from deploy.local.workflow.executions import Execution, iso, names_of, now
from deploy.local.workflow.fault_book import FaultBook
from deploy.local.workflow.faults import (
    AnswerFault,
    AnswerLast,
    NoExecutionId,
    Refuse,
    StartedCut,
    StartedError,
    StartedTimeout,
)
from deploy.local.workflow.settings import WorkflowSettings
from deploy.local.workflow.signatures import is_signed

WORKFLOWS = {"create-video": "createVideo0001", "generate-video": "generateVideo001"}

MOST_NESTED = 100
"""Unlike n8n: executions are kept as JSON, of which no more than 200 levels can be read again."""

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_LARGEST_BODY_BYTES = 16 * 1024 * 1024
_CALLS_KEPT = 5_000
_HEADERS_KEPT = ("idempotency-key", "webhook-id", "content-type", "user-agent", "traceparent")
_UNREGISTERED_HINT = (
    "The workflow must be active for a production URL to run successfully. You can activate the workflow using the "
    "toggle in the top-right of the editor. Note that unlike test URL calls, production URL calls aren't shown on "
    "the canvas (only in the executions list)"
)


class ConnectionCut(Exception):
    """Raised in the middle of an answer to make the server close the connection."""


class CutAnswer(Response):
    """Announces more bytes than it sends, then cuts the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers and half of the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise ConnectionCut


@dataclass
class CallLog:
    """Every webhook call that came in, with what it was answered; the oldest are forgotten."""

    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))

    def note(self, path: str, body: dict[str, Any], key: str | None, signature: str) -> dict[str, Any]:
        """Write down a call; the caller fills in `answer` and `executionId`."""
        entry = {
            "at": iso(now()),
            "path": path,
            **{name: body.get(name) for name in ("videoId", "requestId", "attempt", "voice_id")},
            "idempotencyKey": key,
            "signature": signature,
            "answer": None,
            "executionId": None,
        }
        self.calls.append(entry)
        return entry


class Webhooks:
    """Judges and answers webhook calls."""

    def __init__(self, settings: WorkflowSettings, engine: Engine, book: FaultBook, log: CallLog) -> None:
        self._settings, self._engine, self._book, self._log = settings, engine, book, log
        self._secret = settings.webhook_secret.get_secret_value()

    async def answer(self, path: str, request: Request) -> Response:
        """Answer one call to /webhook/{path}."""
        if path not in WORKFLOWS or request.method != "POST":
            return unregistered(request.method, path)
        raw = await request.body()
        if len(raw) > _LARGEST_BODY_BYTES:
            return problem(500, "request entity too large")
        try:
            parsed = json.loads(raw or b"{}")
            too_deep = is_deeper(parsed, MOST_NESTED)
            json.dumps(parsed, ensure_ascii=False).encode()  # half a surrogate pair is no text that could be kept
        except RecursionError:
            too_deep = True
        except ValueError:
            return problem(422, "Failed to parse request body")
        if too_deep:
            return problem(400, "The request body is nested too deeply")
        body = parsed if isinstance(parsed, dict) else {}
        signature = self._signature(request, raw)
        entry = self._log.note(path, body, request.headers.get("idempotency-key"), signature)
        response = await self._judge(path, body, request, signature == "valid", entry)
        entry["answer"] = "cut" if isinstance(response, CutAnswer) else response.status_code
        return response

    async def _judge(
        self, path: str, body: dict[str, Any], request: Request, signed: bool, entry: dict[str, Any]
    ) -> Response:
        fault = self._book.strike(AnswerFault, names_of(body))
        if isinstance(fault, Refuse):
            return refusal(fault, path)
        if self._settings.verify and not signed:
            return PlainTextResponse("Authorization data is wrong!", 403)
        headers = {name: request.headers[name] for name in _HEADERS_KEPT if name in request.headers}
        execution = self._engine.start(path, body, headers)
        entry["executionId"] = execution.id
        return await self._started(execution, fault)

    async def _started(self, execution: Execution, fault: AnswerFault | None) -> Response:
        if isinstance(fault, StartedError):
            return problem(fault.status, "There was a problem executing the workflow")
        if isinstance(fault, StartedTimeout):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, AnswerLast):
            await self._engine.settled(execution, fault.seconds)
        if isinstance(fault, NoExecutionId) or self._settings.answer == "default":
            return JSONResponse({"message": "Workflow was started"})
        started = {"message": "Workflow was started", "executionId": execution.id}
        return (
            CutAnswer(json.dumps(started), 202, media_type="application/json")
            if isinstance(fault, StartedCut)
            else JSONResponse(started, 202)
        )

    def _signature(self, request: Request, raw: bytes) -> str:
        if "webhook-signature" not in request.headers:
            return "none"
        return "valid" if is_signed(self._secret, request.headers, raw) else "invalid"


def webhook_routes(webhooks: Webhooks) -> APIRouter:
    """Return the routes n8n serves production webhooks under."""
    router = APIRouter()

    @router.api_route("/webhook/{path:path}", methods=_METHODS)
    async def call(path: str, request: Request) -> Response:
        return await webhooks.answer(path, request)

    return router


def problem(status: int, message: str) -> JSONResponse:
    """Return an error as n8n words it when no code is attached."""
    return JSONResponse({"code": 0, "message": message}, status)


def unregistered(method: str, path: str) -> JSONResponse:
    """Return n8n's answer for a webhook nobody listens on: unknown, inactive, or the wrong method."""
    message = f'The requested webhook "{method} {path}" is not registered.'
    return JSONResponse({"code": 404, "message": message, "hint": _UNREGISTERED_HINT}, 404)


def refusal(fault: Refuse, path: str) -> Response:
    """Return the answer of an engine that started nothing."""
    headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
    if fault.status == 404:
        return unregistered("POST", path)
    if fault.status == 403:
        return PlainTextResponse("Authorization data is wrong!", 403)
    wording = {429: "Too many requests", 500: "Internal server error", 503: "Service unavailable"}
    return JSONResponse({"code": 0, "message": wording[fault.status]}, fault.status, headers=headers)


def is_deeper(value: object, levels: int) -> bool:
    """Return whether objects and lists are nested deeper in `value` than so many levels."""
    level = [value]
    for _ in range(levels):
        level = [inner for one in level for inner in _inside(one) if isinstance(inner, dict | list)]
    return bool(level)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()

"""HTTP as every service speaks it: one envelope, errors with codes, a body limit, health and metrics."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from shared.contracts.wire import iso
from shared.wiring.asgi import BodyLimit, CutOff, HeadAsGet, Observed
from shared.wiring.health import Health
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import database_is_away
from shared.wiring.validation import complaints

MAX_BODY_BYTES = 256 * 1024
RETRY_AFTER_SECONDS = 5

Refusal = TypeVar("Refusal", bound=Exception)

log = structlog.get_logger(__name__)


class ApiError(Exception):
    """An answer other than success: a status, a code for programs, a message that says what to do next."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.fields = dict(fields) if fields else None
        self.headers = dict(headers) if headers else None


class Lifespan(Protocol):
    """What runs around an application's life."""

    def __call__(self, app: FastAPI) -> AbstractAsyncContextManager[None]:
        """Return the context in which the application serves."""


def answer(
    data: object, message: str | None = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return `{"success": true, "message"?, "data"}`; times are written to the millisecond with a Z.

    Names of `data` itself stay where they hold None (`nextCursor: null` says that there is no more); deeper down
    they are left out.
    """
    body: dict[str, Any] = {"success": True}
    if message is not None:
        body["message"] = message
    body["data"] = _jsonable(data)
    return JSONResponse(body, status_code=status, headers=dict(headers) if headers else None)


def _jsonable(data: object) -> Any:
    if isinstance(data, Mapping):
        return {name: _jsonable_within(value) for name, value in data.items()}
    return _jsonable_within(data)


def _jsonable_within(data: object) -> Any:
    return jsonable_encoder(data, exclude_none=True, custom_encoder={datetime: iso})


def failure(error: ApiError) -> JSONResponse:
    """Return `{"success": false, "message", "error": {"code", "fields"?}}`."""
    detail: dict[str, Any] = {"code": error.code}
    if error.fields:
        detail["fields"] = error.fields
    body = {"success": False, "message": error.message, "error": detail}
    return JSONResponse(body, status_code=error.status, headers=error.headers)


def make_app(title: str, metrics: Metrics, health: Health, lifespan: Lifespan) -> FastAPI:
    """Return an application with the envelope, the limits and /health/live, /health/ready and /metrics."""
    app = bare_app(title, lifespan)
    app.add_middleware(Observed, metrics=metrics)
    _add_ops(app, metrics, health)
    return app


def bare_app(title: str, lifespan: Lifespan | None = None) -> FastAPI:
    """Return an application with the envelope and the limit of bodies, and without any route."""
    app = FastAPI(
        title=title,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(_in_utf8)],
    )
    answer_refusal(app, ApiError, lambda error: error)
    answer_refusal(app, RequestValidationError, _invalid)
    answer_refusal(app, HTTPException, _http_error)
    app.add_exception_handler(PyMongoError, _database_error)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimit, limit_bytes=MAX_BODY_BYTES)
    app.add_middleware(CutOff, refuse=_refuse_cut_off)
    return app


async def _in_utf8(request: Request) -> None:
    """Refuse JSON in UTF-16 or UTF-32, which Python's `json` would read although RFC 8259 rules it out."""
    takes_json = request["route"].body_field is not None
    if takes_json and not json.detect_encoding(await request.body()).startswith("utf-8"):
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": "The body is not UTF-8"}])


def answer_refusal(app: FastAPI, refusal: type[Refusal], make: Callable[[Refusal], ApiError]) -> None:
    """Answer `refusal`, wherever it is raised, as `make` says."""

    async def refuse(_: Request, error: Exception) -> Response:
        if not isinstance(error, refusal):  # never: the framework chooses the handler by this very type
            raise error
        return failure(make(error))

    app.add_exception_handler(refusal, refuse)


def _add_ops(app: FastAPI, metrics: Metrics, health: Health) -> None:
    @app.get("/health/live", include_in_schema=False)
    async def live() -> JSONResponse:
        return JSONResponse({"status": "live"})

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        return JSONResponse(health.report(), status_code=200 if health.ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def exposition() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


_ONLY_READ = ("GET", "HEAD")
_MAYBE_STORED = "What you asked for may have been stored all the same, so look first"
_NO_JSON = ApiError(422, "INVALID_JSON", "The body is not valid JSON. Correct it and send it again.")
_NO_OBJECT = ApiError(
    422, "INVALID_BODY", "Send a JSON object as the body, with the header Content-Type: application/json."
)


def _invalid(error: RequestValidationError) -> ApiError:
    """Name each wrong field; a body that is no JSON at all gets a message of its own."""
    errors = error.errors()
    if any(e["type"] == "json_invalid" for e in errors):
        return _NO_JSON
    if any(tuple(e["loc"]) == ("body",) for e in errors):
        return _NO_OBJECT
    fields = complaints(errors)
    names = ", ".join(sorted(fields))
    return ApiError(422, "VALIDATION_FAILED", f"Correct these fields and send again: {names}.", fields=fields)


def _http_error(error: HTTPException) -> ApiError:
    if error.status_code == 400:  # what FastAPI says of JSON that is nested too deeply to be read
        return _NO_JSON
    known = {
        404: ("NOT_FOUND", "There is nothing at this address. Check the path."),
        405: ("METHOD_NOT_ALLOWED", f"This address takes {_methods(error)} only."),
    }
    code, message = known.get(error.status_code, ("HTTP_ERROR", str(error.detail)))
    return ApiError(error.status_code, code, message, headers=error.headers)


def _methods(error: HTTPException) -> str:
    return (error.headers or {}).get("Allow") or "another method"


async def _database_error(request: Request, error: Exception) -> Response:
    if not database_is_away(error):
        return await _unexpected(request, error)
    log.warning("http.database_away", error=repr(error))
    stored = "Nothing was stored" if request.method in _ONLY_READ else _MAYBE_STORED
    return failure(unavailable("The service can't reach its database.", stored))


async def _refuse_cut_off(scope: Scope, receive: Receive, send: Send) -> None:
    error = unavailable("The service was stopped before this was through.", _MAYBE_STORED)
    await failure(error)(scope, receive, send)


def unavailable(what: str, stored: str = "Nothing was stored") -> ApiError:
    """Return the 503 that asks the caller to come back shortly."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    message = f"{what} {stored}; try again in {RETRY_AFTER_SECONDS} seconds."
    return ApiError(503, "UNAVAILABLE", message, headers=headers)


async def _unexpected(_: Request, error: Exception) -> Response:
    log.error("http.unexpected", error=repr(error), exc_info=error)
    return failure(ApiError(500, "INTERNAL", "Something went wrong on our side. Try again; if it stays, tell us."))

"""A client of n8n's public API about executions: look at one, page through the newest, stop one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from logging import INFO, WARNING
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx
import structlog
from pydantic import BaseModel, Field, ValidationError

from services.generator.attempt import Kind
from services.generator.executions import Execution
from services.generator.refusals import took_nothing
from shared.wiring.http_client import HttpClient

MOST_BYTES = 4 * 1024 * 1024
PAGE = 100
# An API that doesn't answer must not keep the workers from calling: they ask it nothing for so long.
QUIET_SECONDS = 5.0

# In n8n's words: it has ended, or is there no more.
_NOTHING_TO_STOP = ("executions can be stopped", "find execution to stop")

Shape = TypeVar("Shape", bound=BaseModel)

log = structlog.get_logger(__name__)


class NotToldError(Exception):
    """The engine gave no clear answer: nothing may be concluded."""


class TooMuchError(NotToldError):
    """The answer is larger than what is read."""


class Stop(StrEnum):
    """What came of asking for a stop."""

    STOPPED = "stopped"
    OVER = "over"
    IMPOSSIBLE = "impossible"  # this n8n, or this key, can't


@dataclass(frozen=True, slots=True)
class Page:
    """Some executions, newest first; `told_at` is the moment on the engine's own clock, where it says so."""

    executions: tuple[Execution, ...]
    next_cursor: str | None
    told_at: datetime | None


class _Listed(BaseModel):
    data: list[Execution]
    next_cursor: str | None = Field(default=None, alias="nextCursor", max_length=1_024)


class _Refused(BaseModel):
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    date: str | None


class Runs:
    """The API of each engine, by the kind of video it makes. Close it when it is no longer needed."""

    def __init__(self, apis: Mapping[Kind, str], key: str, timeout: timedelta) -> None:
        self._apis = apis
        self._seconds = timeout.total_seconds()
        self._quiet_until: dict[str, float] = {}
        self._client = HttpClient(
            headers={"X-N8N-API-KEY": key, "Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=self._seconds,
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def look(self, kind: Kind, execution_id: str, *, with_data: bool = False) -> Execution | None:
        """Return the execution; None where the engine says there is none. Raises NotToldError, TooMuchError."""
        answer = await self._ask(kind, "GET", f"/{_segment(execution_id)}", _including(with_data))
        if answer.status == 404 and "not found" in _said(answer).lower():
            return None
        execution = _parsed(Execution, answer)
        if execution.id != execution_id:
            raise NotToldError("another execution")
        return execution

    async def page(self, kind: Kind, *, status: str | None = None, cursor: str | None = None) -> Page:
        """Return the newest executions, those after `cursor` where it is given. Raises NotToldError.

        n8n lists what runs at this moment only under the status `running`.
        """
        params = {"limit": str(PAGE), "status": status, "cursor": cursor}
        answer = await self._ask(kind, "GET", "", {name: value for name, value in params.items() if value})
        listed = _parsed(_Listed, answer)
        return Page(tuple(listed.data), listed.next_cursor, _moment(answer.date))

    async def stop(self, kind: Kind, execution_id: str) -> Stop:
        """Stop an execution. Raises NotToldError where it is worth asking again."""
        path = f"/{_segment(execution_id)}/stop"
        answer = await self._ask(kind, "POST", path, {})
        if took_nothing(answer.status, answer.body, f"{urlsplit(self._apis[kind]).path}/executions{path}"):
            raise NotToldError("it is starting")
        if 200 <= answer.status < 300:
            return Stop.STOPPED
        if answer.status == 409 or any(words in _said(answer) for words in _NOTHING_TO_STOP):
            return Stop.OVER
        if answer.status in (400, 401, 403, 404, 405, 501):
            return Stop.IMPOSSIBLE
        raise NotToldError(f"status {answer.status}")

    async def _ask(self, kind: Kind, method: str, path: str, params: Mapping[str, str]) -> _Answer:
        api, loop = self._apis[kind], asyncio.get_running_loop()
        if loop.time() < self._quiet_until.get(api, 0):
            raise NotToldError("it did not answer a moment ago")
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream(method, f"{api}/executions{path}", params=dict(params)) as response,
            ):
                return _Answer(response.status_code, await _whole(response), response.headers.get("date"))
        except (httpx.HTTPError, TimeoutError) as error:
            self._quiet_until[api] = loop.time() + QUIET_SECONDS
            log.info("runs.no_answer", error=type(error).__name__)
            raise NotToldError(type(error).__name__) from error


def api_beside(webhook_url: str) -> str:
    """Return the API of the engine that has this webhook: executions of another engine may have the same ids."""
    before, found, _ = webhook_url.partition("/webhook/")
    parts = urlsplit(webhook_url)
    return f"{before if found else f'{parts.scheme}://{parts.netloc}'}/api/v1"


def _segment(execution_id: str) -> str:
    if not execution_id.strip("."):
        raise NotToldError("no id")
    return quote(execution_id, safe="")


def _including(data: bool) -> dict[str, str]:
    return {"includeData": "true"} if data else {}


async def _whole(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise TooMuchError(f"more than {MOST_BYTES} bytes")
    return bytes(body)


def _parsed(shape: type[Shape], answer: _Answer) -> Shape:
    if answer.status != 200:
        log.log(WARNING if answer.status in (401, 403) else INFO, "runs.not_told", status=answer.status)
        raise NotToldError(f"status {answer.status}")
    try:
        return shape.model_validate_json(answer.body)
    except (ValidationError, RecursionError) as error:
        raise NotToldError("not of n8n's shape") from error


def _said(answer: _Answer) -> str:
    try:
        return _Refused.model_validate_json(answer.body).message
    except ValidationError:
        return ""


def _moment(date: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

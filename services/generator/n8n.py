"""The call to the workflow engine, and what its answer says for certain."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import structlog

from services.generator.domain import Happening, execution_id
from services.generator.refusals import took_nothing
from shared.wiring.http_client import HttpClient

MAX_ANSWER_BYTES = 64 * 1024
BODY_SECONDS = 5.0
LONGEST_RETRY_AFTER = timedelta(hours=1)

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)  # not a byte of the request
# The first that fits counts.
_WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (_NOT_SENT, "no connection"),
    ((httpx.TimeoutException, TimeoutError), "no answer in time"),
    ((httpx.NetworkError, httpx.RemoteProtocolError), "the connection broke off"),
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: where to, and what with."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to: TAKEN, REFUSED, REJECTED, TURNED_AWAY or UNCERTAIN, and what is known beside."""

    happening: Happening
    reason: str
    execution_id: str | None = None
    retry_after: timedelta | None = None


class N8n:
    """A client of workflow webhooks. Close it when it is no longer needed."""

    def __init__(self, connect_timeout: timedelta, answer_timeout: timedelta) -> None:
        self._answer_seconds = answer_timeout.total_seconds()
        self._client = HttpClient(
            # Answers are read raw and bounded: a packed one would not be understood.
            headers={"Accept-Encoding": "identity"},
            # No connection is used twice: one that the other side has just closed would make the call uncertain.
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=httpx.Timeout(self._answer_seconds, connect=connect_timeout.total_seconds()),
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def call(self, call: Call) -> Answer:
        """Call once and say what is certain about it; failures are answers too."""
        request = self._client.build_request("POST", call.url, content=call.body, headers=dict(call.headers))
        try:
            async with asyncio.timeout(self._answer_seconds):
                response = await self._client.send(request, stream=True)
        except _NOT_SENT as error:
            return _no_answer(Happening.REFUSED, error)
        except (httpx.HTTPError, TimeoutError) as error:
            return _no_answer(Happening.UNCERTAIN, error)
        try:
            return await _answer(response)
        finally:
            await response.aclose()


def _no_answer(happening: Happening, error: Exception) -> Answer:
    log.info("dispatch.no_answer", error=type(error).__name__)
    return Answer(happening, in_words(error))


def in_words(error: Exception) -> str:
    """Return what kept an answer from coming, in words for a video's owner."""
    return next((words for kinds, words in _WORDS if isinstance(error, kinds)), "no clear answer")


async def _answer(response: httpx.Response) -> Answer:
    status = response.status_code
    reason = f"status {status}"
    body = await bounded_body(response) if status in (404, 503) or 200 <= status < 300 else b""
    if took_nothing(status, body, response.request.url.raw_path.decode("ascii").partition("?")[0]):
        return Answer(Happening.REFUSED, "it is starting" if status == 200 else reason)
    if status in (429, 503):
        return Answer(Happening.TURNED_AWAY, reason, retry_after=retry_after(response.headers.get("retry-after")))
    if 200 <= status < 300:
        return Answer(Happening.TAKEN, reason, execution_id=_execution_in(body))
    # 408 and 409 may come from a proxy, or from an engine that is already busy with this very attempt.
    if 400 <= status < 500 and status not in (408, 409):
        return Answer(Happening.REJECTED, reason)
    return Answer(Happening.UNCERTAIN, reason)


async def bounded_body(response: httpx.Response) -> bytes:
    """Return the beginning of the answer's body (hostile: cut in size and time), or as much of it as came."""
    body = bytearray()
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in response.aiter_raw(MAX_ANSWER_BYTES):
                body += chunk
                if len(body) >= MAX_ANSWER_BYTES:
                    break
    return bytes(body)


def _execution_in(body: bytes) -> str | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return execution_id(answer.get("executionId")) if isinstance(answer, dict) else None


def retry_after(value: str | None, now: datetime | None = None) -> timedelta | None:
    """Return how long a Retry-After header (seconds or an HTTP date; hostile) asks to wait, None if it says nothing."""
    if value is None:
        return None
    try:
        wait = timedelta(seconds=int(value)) if value.isascii() and value.isdigit() else _until(value, now)
    except (ValueError, OverflowError):
        return None
    return max(timedelta(0), min(wait, LONGEST_RETRY_AFTER))


def _until(date: str, now: datetime | None) -> timedelta:
    moment = parsedate_to_datetime(date)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - (now or datetime.now(UTC))

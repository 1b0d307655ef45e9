"""The notifier, as the gateway passes it through: history as one answer, the live stream byte by byte."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping

import httpx
from starlette.responses import Response

from services.gateway.stream import PassedOnStream
from shared.wiring.http_client import HttpClient
from shared.wiring.metrics import Metrics

ANSWER_SECONDS = 10.0
# After a restart everybody comes back at once. Where all ask together, none is answered in time, and all ask again.
OPENING_AT_ONCE, OPENING_SECONDS = 32, 30.0

_PASSED_HEADERS = ("content-type", "retry-after", "www-authenticate")


class NotifierAwayError(Exception):
    """The notifier can't be reached, does not answer in time, or this process is stopping."""


class NotifierBrokenError(Exception):
    """The notifier answered something that is no answer."""


class TooManyStreamsError(Exception):
    """The user has as many streams open as one may."""


class Notifier:
    """Asks the notifier in a user's name. After `close_streams` no stream is open and none is opened any more."""

    def __init__(self, url: str, streams_per_user: int, metrics: Metrics) -> None:
        self._url = url.rstrip("/")
        self._asking = HttpClient(timeout=ANSWER_SECONDS)
        # A stream is silent for as long as nothing happens, and each has a connection of its own.
        self._streaming = HttpClient(
            timeout=httpx.Timeout(None, connect=ANSWER_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        self._streams_per_user = streams_per_user
        self._metrics = metrics
        self._open: Counter[str] = Counter()
        self._turns = asyncio.Semaphore(OPENING_AT_ONCE)
        self._opening: set[asyncio.Timeout] = set()
        self._closing = asyncio.Event()

    async def probe(self) -> None:
        """Return when the notifier lives. Raises NotifierAwayError."""
        with _away():
            (await self._asking.get(f"{self._url}/health/live")).raise_for_status()

    async def ask(self, path: str, query: str, headers: Mapping[str, str]) -> Response:
        """Return the notifier's own answer. Raises NotifierAwayError, NotifierBrokenError."""
        with _away():
            answer = await self._asking.get(f"{self._url}{path}?{query}", headers=dict(headers))
        return _passed(answer, answer.content)

    async def stream(self, user_id: str, path: str, query: str, headers: Mapping[str, str]) -> Response:
        """Return a response that passes the live stream on, or the notifier's refusal; waits while many are opened.

        Raises NotifierAwayError, NotifierBrokenError, TooManyStreamsError.
        """
        if self._closing.is_set():
            raise NotifierAwayError
        if self._open[user_id] >= self._streams_per_user:
            raise TooManyStreamsError
        self._open[user_id] += 1
        self._metrics.streams.inc()
        opened = False
        try:
            upstream = await self._send(f"{self._url}{path}?{query}", headers)
            if upstream.is_success and _type(upstream) == "text/event-stream":
                opened = True
                return PassedOnStream(upstream, self._closing, lambda: self._release(user_id))
            return await _refusal(upstream)
        finally:
            if not opened:
                self._release(user_id)

    async def _send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        asked = {**headers, "accept": "text/event-stream", "accept-encoding": "identity"}
        request = self._streaming.build_request("GET", url, headers=asked)
        with _away():
            async with self._until_closing(OPENING_SECONDS), self._turns, asyncio.timeout(ANSWER_SECONDS):
                return await self._streaming.send(request, stream=True)

    @contextlib.asynccontextmanager
    async def _until_closing(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(seconds) as opening:
            self._opening.add(opening)
            try:
                yield
            finally:
                self._opening.discard(opening)

    def _release(self, user_id: str) -> None:
        self._metrics.streams.dec()
        self._open[user_id] -= 1
        if self._open[user_id] <= 0:
            del self._open[user_id]

    def close_streams(self) -> None:
        """End every stream, open or being opened: browsers come back by themselves, to a process that stays."""
        self._closing.set()
        now = asyncio.get_running_loop().time()
        for opening in self._opening:
            if not opening.expired():
                opening.reschedule(now)

    async def close(self) -> None:
        """Close every connection."""
        await self._asking.aclose()
        await self._streaming.aclose()


@contextlib.contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, TimeoutError) as error:
        raise NotifierAwayError from error


async def _refusal(upstream: httpx.Response) -> Response:
    try:
        with _away():
            async with asyncio.timeout(ANSWER_SECONDS):
                body = await upstream.aread()
    finally:
        await upstream.aclose()
    return _passed(upstream, body)


def _passed(answer: httpx.Response, body: bytes) -> Response:
    if _type(answer) != "application/json":
        raise NotifierBrokenError
    kept = {name: answer.headers[name] for name in _PASSED_HEADERS if name in answer.headers}
    return Response(body, status_code=answer.status_code, headers=kept)


def _type(answer: httpx.Response) -> str:
    return str(answer.headers.get("content-type", "")).partition(";")[0].strip().lower()

"""A live stream as a browser holds it: read until it breaks, then resumed by the last id."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence

import httpx

from tests.chaos.api import NO_ANSWER, Api
from tests.chaos.history import History

PATH = "/api/notifications/stream"
_TIMEOUT = httpx.Timeout(5, read=8)
"""A heartbeat comes every 2 s: longer silence means that the other side hangs."""
_AGAIN_SECONDS = 0.4


class Listener:
    """One tab of one user. Every frame with data goes into the history, and every time the stream is opened.

    `at` are the addresses that have it: tab number n begins at the n-th, and goes to the next whenever a stream ends.
    """

    def __init__(self, api: Api, history: History, number: int, at: Sequence[str]) -> None:
        self._api = api
        self._history = history
        self._name = f"{api.name}/{number}"
        self._at = itertools.islice(itertools.cycle(at), number, None)
        self.last: str | None = None

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except NO_ANSWER as problem:
                self._history.add("stream-broke", stream=self._name, error=repr(problem))
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        headers = {} if self.last is None else {"Last-Event-ID": self.last}
        url = f"{next(self._at)}{PATH}"
        async with self._api.client.stream("GET", url, headers=headers, timeout=_TIMEOUT) as answer:
            self._history.add(
                "stream", stream=self._name, user=self._api.name, url=url, last=self.last, status=answer.status_code
            )
            if answer.status_code != httpx.codes.OK:
                await asyncio.sleep(_AGAIN_SECONDS)
                return
            async for event, event_id, data in frames(answer.aiter_lines()):
                if event_id is not None:
                    self.last = event_id
                self._history.add("frame", stream=self._name, user=self._api.name, event=event, id=event_id, data=data)


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str | None, object]]:
    """Yield (event, id or None, data) of each complete event; a cut one is dropped, as browsers do."""
    event, event_id, data = "message", None, ""
    async for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield event, event_id, json.loads(data)
            event, event_id, data = "message", None, ""
        elif field == "event":
            event = value
        elif field == "id":
            event_id = value
        elif field == "data":
            data += value

"""The listeners, a process of its own: `python -m tests.bench.sse_clients` takes one task a line, answers one a line.

{"do": "open", "url", "path", "tokens", "tabs"}: open that many streams for each token's person.
{"do": "collect", "expected": [[videoId, ...] of each person], "within_seconds"}: return when every stream has told each
of its videos; {"broken": why} where one is missing, doubled, or another's. {"do": "close"}: go away.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

from tests.bench.figures import BrokenRun
from tests.bench.http_client import EventStream

UPDATE = "video-download-update"
OPEN_AT_ONCE = 40
LOOK_SECONDS = 0.02


class Listener:
    """One stream and the videos it has told of since the last look."""

    def __init__(self, person: int) -> None:
        self.person = person
        self.told: list[str] = []
        self.stream: EventStream | None = None

    async def open(self, url: str, path: str, token: str) -> None:
        self.stream = await EventStream.open(url, path, token, UPDATE, self._hear)

    def _hear(self, event: dict[str, Any], at: float) -> None:
        self.told.append(str(event["videoId"]))


class Listeners:
    """All streams of this process."""

    def __init__(self) -> None:
        self._all: list[Listener] = []

    async def do(self, task: dict[str, Any]) -> dict[str, Any]:
        """Do one task. Raises BrokenRun."""
        match task["do"]:
            case "open":
                return await self._open(task)
            case "collect":
                return await self._collect(task["expected"], task["within_seconds"])
            case "close":
                return self._close()
        raise BrokenRun(f"no such task: {task['do']}")

    async def _open(self, task: dict[str, Any]) -> dict[str, Any]:
        places = asyncio.Semaphore(OPEN_AT_ONCE)
        opened = [Listener(person) for person in range(len(task["tokens"])) for _ in range(task["tabs"])]

        async def open_one(listener: Listener) -> None:
            async with places:
                await listener.open(task["url"], task["path"], task["tokens"][listener.person])

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for listener in opened:
                group.create_task(open_one(listener))
        self._all += opened
        return {"open": len(self._all), "wall_seconds": time.perf_counter() - began}

    async def _collect(self, expected: list[list[str]], within_seconds: float) -> dict[str, Any]:
        began = time.perf_counter()
        messages = sum(len(expected[listener.person]) for listener in self._all)
        deadline = time.monotonic() + within_seconds
        while self._told() < messages and time.monotonic() < deadline:  # noqa: ASYNC110 - cheaper than 26,000 wake-ups
            await asyncio.sleep(LOOK_SECONDS)
        wall_seconds = time.perf_counter() - began
        for listener in self._all:
            check(listener, expected[listener.person])
            listener.told = []
        return {"messages": messages, "wall_seconds": wall_seconds}

    def _told(self) -> int:
        return sum(len(listener.told) for listener in self._all)

    def _close(self) -> dict[str, Any]:
        for listener in self._all:
            if listener.stream is not None:
                listener.stream.close()
        closed, self._all = len(self._all), []
        return {"closed": closed}


def check(listener: Listener, expected: list[str]) -> None:
    """Compare what one stream told with what it had to. Raises BrokenRun."""
    if listener.stream is None or listener.stream.ended:
        raise BrokenRun(f"a stream of person {listener.person} was ended by the server")
    told, wanted = Counter(listener.told), Counter(expected)
    if told != wanted:
        missing, extra = (wanted - told).total(), (told - wanted).total()
        raise BrokenRun(
            f"a stream of person {listener.person} missed {missing} and got {extra} too many of {len(expected)}"
        )


async def serve() -> None:
    """Do tasks until standard input ends."""
    listeners = Listeners()
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            answer = await listeners.do(json.loads(line))
        except* (BrokenRun, OSError, TimeoutError) as group:
            answer = {"broken": "; ".join(str(error) or repr(error) for error in group.exceptions[:3])}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())

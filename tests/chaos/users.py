"""The people of a run: they ask, repeat themselves, change their minds, look how it goes, and listen."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

from tests.chaos.api import Api
from tests.chaos.history import History
from tests.chaos.plan import Ask, Do
from tests.chaos.streams import Listener
from tests.driving import CREATE, GENERATE

Json = dict[str, Any]

TABS = 2
_LOOK_SECONDS = 0.25
_ROUTES = {"create": "create", "generate": "generate-video", "import": "download-video"}
_WISHES = {"delete": ("DELETE", "delete"), "retry": ("POST", "retry"), "cancel": ("POST", "cancel")}
ENDED = frozenset({"ready", "failed"})


class User:
    """One person with two tabs open. `sources` are the addresses that imports name, `streams` those of live streams."""

    def __init__(self, api: Api, history: History, sources: dict[str, str], streams: Sequence[str]) -> None:
        self._api = api
        self._history = history
        self._sources = sources
        self._ids: dict[str, asyncio.Future[str]] = {}
        self._final: dict[str, str] = {}
        self._newest = 0
        self._tabs = [Listener(api, history, number, streams) for number in range(TABS)]

    @property
    def videos(self) -> list[str]:
        """The videos that were accepted so far."""
        return [done.result() for done in self._ids.values() if done.done() and not done.cancelled()]

    async def act(self, asks: Sequence[Ask], wishes: Sequence[Do]) -> None:
        """Do everything at its time; returns when all of it was answered, and needs cancelling where that never is."""
        loop = asyncio.get_running_loop()
        self._ids |= {ask.title: loop.create_future() for ask in asks}
        async with asyncio.TaskGroup() as tasks:
            for ask in asks:
                for copy in range(ask.copies):
                    tasks.create_task(self._ask(ask, copy))
            for wish in wishes:
                tasks.create_task(self._wish(wish))

    async def look(self) -> None:
        """Look at one video after the other, those at their end now and then, until cancelled."""
        for turn in itertools.count():
            await asyncio.sleep(_LOOK_SECONDS)
            running = [video for video in self.videos if self._final.get(video) is None]
            looked_at = running if running and turn % 4 else self.videos
            if looked_at:
                await self._look_at(looked_at[turn % len(looked_at)])

    async def listen(self) -> None:
        """Keep the live streams open until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for tab in self._tabs:
                tasks.create_task(tab.run())

    def is_up_to_date(self) -> bool:
        """Return whether every tab shows the newest notification that `look_at_all` found."""
        return all(int(tab.last or 0) >= self._newest for tab in self._tabs)

    async def look_at_all(self) -> None:
        """Write down how every video ended, and every notification there is."""
        for video in self.videos:
            await self._api.patiently(
                "status", "GET", f"/api/video/status/{video}", about={"video": video, "final": True}
            )
        cursor: str | None = None
        told: list[Json] = []
        while True:
            query = {} if cursor is None else {"cursor": cursor}
            answer = await self._api.patiently(
                "notifications", "GET", "/api/notifications", about={"page": cursor}, params=query
            )
            if answer.status_code != 200:
                return  # the checker complains of that answer
            page = answer.json()["data"]
            told += page["notifications"]
            cursor = page["nextCursor"]
            if cursor is None:
                break
        self._newest = max((note["seq"] for note in told), default=0)
        self._history.add("notifications", user=self._api.name, notifications=told)

    async def _ask(self, ask: Ask, copy: int) -> None:
        # The second copy comes at the same moment, the third one later: both must be given the first one's answer.
        await self._until(ask.at + (6.0 if copy > 1 else 0.0))
        answer = await self._api.patiently(
            "ask",
            "POST",
            f"/api/video/{_ROUTES[ask.kind]}",
            about={"title": ask.title, "key": ask.title, "kind": ask.kind, "copy": copy},
            headers={"Idempotency-Key": ask.title},
            json=self._body(ask),
        )
        asked = self._ids[ask.title]
        if answer.status_code == 202 and not asked.done():
            asked.set_result(answer.json()["data"]["videoId"])

    async def _wish(self, wish: Do) -> None:
        await self._until(wish.at)
        video = await self._ids[wish.title]
        method, path = _WISHES[wish.wish]
        await self._api.patiently(wish.wish, method, f"/api/video/{path}/{video}", about={"video": video})
        self._final.pop(video, None)

    async def _look_at(self, video: str) -> None:
        answer = await self._api.once("status", "GET", f"/api/video/status/{video}", about={"video": video})
        if answer is not None and answer.status_code == 404:
            self._final[video] = "deleted"
        elif answer is not None and answer.status_code == 200 and answer.json()["data"]["status"] in ENDED:
            self._final[video] = "ended"

    def _body(self, ask: Ask) -> Json:
        if ask.kind == "import":
            return {"videoUrl": self._sources[ask.source], "title": ask.title}
        if ask.kind == "create":
            return {**CREATE, "videoTopic": ask.title}
        return {**GENERATE, "title": ask.title}

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self._history.now()))

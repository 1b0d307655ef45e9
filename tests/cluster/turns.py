"""Every process of a stack of pairs is killed in its turn, and comes back only when its twin has done what it left."""

from collections.abc import Sequence
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pymongo import AsyncMongoClient

from deploy.local.site import MONGO_OPTIONS, SERVICES
from services.gateway.workflow.reannouncing import unanswered_video
from shared.contracts.wire import utc_now
from tests.chaos.arena import PAIRS, Arena
from tests.chaos.disruptor import Disruptor
from tests.chaos.evidence import HISTORY
from tests.chaos.history import read
from tests.chaos.plan import Ask, Json, Kind
from tests.chaos.users import TABS, User
from tests.driving import eventually
from tests.e2e.conftest import Engine
from tests.waiting import until

MEANWHILE: tuple[Kind, ...] = ("generate", "import", "create", "generate")
"""What is asked for while one is away: hardly ever does all of it lie in partitions that its twin has anyway."""
DONE_SECONDS = 120.0
LOOK_SECONDS = 0.5
LONG_TRANSFER: Json = {"kind": "file-slow", "bytesPerSecond": 2_000, "times": 1}
"""Two minutes, for whom it is not killed at it."""


class Turns:
    """A course of chaos, see run.py. What people were shown it reads in the history, which lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._history = folder / HISTORY
        self.asked = 0

    async def __call__(self, arena: Arena, disruptor: Disruptor, people: Sequence[User]) -> None:
        """Kill all eight, each with something under way; then see that all eight do their share again."""
        left = await self._ask(people)
        for name in (process for pair in zip(SERVICES, PAIRS, strict=True) for process in pair):
            async with disruptor.without(name):
                meanwhile = [await self._ask(people, kind) for kind in MEANWHILE]
                await self._all_done({left, *meanwhile}, name)
                left = await self._leave(arena, people) if name == "media" else await self._ask(people)
            await arena.stack.children[name].wait_ready(DONE_SECONDS)
        taken_over = await _counted(arena, "media", "reelway_lease_takeovers_total")
        assert any(one.labels["kind"] == "job" for one in taken_over)
        for name in (*SERVICES, *PAIRS):
            await self._takes_part(arena, people, name)
        await self._all_done({video for user in people for video in user.videos}, "harm")
        await _ask_no_more(arena)

    async def _ask(self, people: Sequence[User], kind: Kind = "generate") -> str:
        """Return a video that was accepted; the next of them is somebody else's."""
        self.asked += 1
        user = people[self.asked % len(people)]
        await user.act([Ask(0.0, 0, _title(self.asked), kind, copies=1 + self.asked % 2)], [])
        return user.videos[-1]

    async def _leave(self, arena: Arena, people: Sequence[User]) -> str:
        """Return a video whose transfer was begun while media is away: its twin has it, and will be killed at it."""
        url = f"http://{arena.straight('workflow')}"
        async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
            await Engine(client).fault(_title(self.asked + 1), LONG_TRANSFER)
        video = await self._ask(people)
        begun = f"the transfer of {video} begins"
        await until(lambda: self._told({video}, "download"), begun, within_seconds=DONE_SECONDS)
        return video

    async def _all_done(self, videos: set[str], name: str) -> None:
        """Wait until the gateway calls them ready and every tab was told so."""

        def done() -> bool:
            return self._told(videos, "complete") and videos <= self._ready()

        what = f"all that was asked for is done without {name}: {sorted(videos)}"
        await until(done, what, within_seconds=DONE_SECONDS, every_seconds=LOOK_SECONDS)

    async def _takes_part(self, arena: Arena, people: Sequence[User], name: str) -> None:
        """See that a process has events to handle since it is back; ask for more until it has."""

        async def handled() -> bool:
            counted = await _counted(arena, name, "reelway_events_handled_total")
            if any(one.labels["topic"].startswith("video.") for one in counted):
                return True
            await self._ask(people)
            return False

        await eventually(handled, f"{name} handles events of videos", DONE_SECONDS, every_seconds=LOOK_SECONDS)

    def _told(self, videos: set[str], kind: str) -> bool:
        """Return whether every tab of their owners was told so of all of them."""
        frames = [entry for entry in read(self._history) if entry["what"] == "frame"]
        told = {(one["data"].get("videoId"), one["stream"]) for one in frames if one["data"].get("type") == kind}
        return all(sum(told_of == video for told_of, _ in told) == TABS for video in videos)

    def _ready(self) -> set[str]:
        """Return what the gateway has called ready."""
        calls = [entry for entry in read(self._history) if entry["what"] == "call" and entry["action"] == "status"]
        return {call["video"] for call in calls if (call["data"] or {}).get("status") == "ready"}


def _title(number: int) -> str:
    return f"Pairs no {number}"


async def _ask_no_more(arena: Arena) -> None:
    """Have the gateways look at once, not in an hour, at videos whose owners were told before the gateways had heard.

    They have nothing to ask there. What nobody was told of keeps its hour, and the run is not judged as quiet.
    """
    url = f"mongodb://{arena.straight('gateway-db')}/?{MONGO_OPTIONS}"
    async with AsyncMongoClient[Json](url, tz_aware=True) as client:
        videos = client["gateway"]["videos"]
        for one in await videos.find({"job.dueAt": {"$exists": True}}).to_list():
            if not unanswered_video(one):
                await videos.update_one({"_id": one["_id"], "job": one["job"]}, {"$set": {"job.dueAt": utc_now()}})


async def _counted(arena: Arena, name: str, series: str) -> list[Sample]:
    """Return the counters of this name that a process has raised since it was started."""
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        text = (await client.get(f"http://{arena.straight(name)}/metrics")).raise_for_status().text
    families = text_string_to_metric_families(text)
    return [one for family in families for one in family.samples if one.name == series and one.value > 0]

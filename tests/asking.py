"""People who go on working while something is done to Reelway, and what they may expect of it in the end."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import httpx

from tests.conftest import User
from tests.driving import GENERATE, Json, eventually, wait_for_status

PAUSE_SECONDS = 3.0
AGAIN_SECONDS = 0.2
ENDS = ("complete", "error")


class Asker:
    """Asks for one video after another as a frontend does: what gets no answer is asked again, under the same key."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._enough = asyncio.Event()
        self.accepted: list[str] = []

    async def run(self) -> None:
        """Ask until it is enough; what is asked for then is waited for, since it may be accepted already."""
        while not self._enough.is_set():
            self.accepted.append(await self._ask(f"Video {len(self.accepted)}", uuid.uuid4().hex))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), PAUSE_SECONDS)

    def enough(self) -> None:
        self._enough.set()

    async def one_more(self) -> str:
        """Return the next video that is accepted."""
        count = len(self.accepted)

        async def accepted() -> str | None:
            return self.accepted[count] if len(self.accepted) > count else None

        return await eventually(accepted, "people work")

    async def _ask(self, title: str, key: str) -> str:
        while True:
            try:
                answer = await self._client.post(
                    "/api/video/generate-video", json={**GENERATE, "title": title}, headers={"Idempotency-Key": key}
                )
            except httpx.TransportError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if answer.status_code == 202:
                return str(answer.json()["data"]["videoId"])
            assert answer.status_code in (429, 503), answer.text  # too many of their own under way, or away
            await asyncio.sleep(AGAIN_SECONDS)


@contextlib.asynccontextmanager
async def asking(client: httpx.AsyncClient) -> AsyncIterator[Asker]:
    """Have somebody ask for videos for as long as this is entered."""
    asker = Asker(client)
    running = asyncio.create_task(asker.run())
    try:
        yield asker
        asker.enough()
        await running
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def all_are_ready_and_told_once(user: User, videos: list[str], seconds: float = 120) -> None:
    """Wait until every video is ready, then for its owner to be told so; fail where one is told more than that."""
    for video_id in videos:
        await wait_for_status(user.client, video_id, "ready", seconds)

    async def all_told() -> list[Json] | None:
        answer = await user.client.get("/api/notifications", params={"limit": 200})
        ends = [note for note in answer.json()["data"]["notifications"] if note["type"] in ENDS]
        return ends if {note["videoId"] for note in ends} >= set(videos) else None

    ends = await eventually(all_told, "everybody is told")
    assert sorted((note["videoId"], note["type"]) for note in ends) == sorted((one, "complete") for one in videos)

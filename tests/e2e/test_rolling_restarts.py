"""A deployment under load: every service is stopped and started in its turn while people go on working."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from deploy.local.stack import LocalStack
from tests.conftest import User
from tests.driving import GENERATE, Json, eventually, wait_for_status
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)

PAUSE_SECONDS = 3.0
AGAIN_SECONDS = 0.2


class Asker:
    """Asks for one video after another as a frontend does: what gets no answer is asked again, under the same key."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.accepted: list[str] = []

    async def run(self) -> None:
        while True:
            self.accepted.append(await self._ask(f"Video {len(self.accepted)}", uuid.uuid4().hex))
            await asyncio.sleep(PAUSE_SECONDS)

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
    asker = Asker(client)
    running = asyncio.create_task(asker.run())
    try:
        yield asker
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_restarts_in_turn_lose_and_double_nothing(user: User, stack: LocalStack, engine: Engine) -> None:
    async with asking(user.client) as asker:
        for name in ("gateway", "generator", "media", "notifier"):
            before = len(asker.accepted)
            await eventually(lambda count=before: _more(asker, count), "people work")  # type: ignore[misc]
            await stack.stop(name)
            assert stack.children[name].exit_code() == 0, f"{name} was killed"
            await stack.start(name)
    for video_id in asker.accepted:
        await wait_for_status(user.client, video_id, "ready", 120)
        assert len(await engine.executions(video_id)) == 1

    async def all_told() -> list[Json] | None:
        answer = await user.client.get("/api/notifications", params={"limit": 200})
        ends = [note for note in answer.json()["data"]["notifications"] if note["type"] in ("complete", "error")]
        return ends if {note["videoId"] for note in ends} >= set(asker.accepted) else None

    ends = await eventually(all_told, "everybody is told")
    assert sorted((note["videoId"], note["type"]) for note in ends) == sorted(
        (one, "complete") for one in asker.accepted
    )


async def _more(asker: Asker, count: int) -> bool:
    return len(asker.accepted) > count

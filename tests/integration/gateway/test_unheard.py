"""A video that nobody answers for comes to an end, too."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.local.stack import LocalStack
from shared.contracts.events import VideoCancelled, VideoRetryRequested
from tests.driving import eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import ENGINES, STORAGE, World, world_of

IMPATIENT = {**STORAGE, "REANNOUNCE_AFTER": "0.3", "REANNOUNCE_MOST": "0.5", "ANSWER_DEADLINE": "1"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    stack = LocalStack(tmp_path, services=("gateway",), engines=ENGINES, overrides={"gateway": IMPATIENT})
    async with stack, world_of(stack) as world:
        await world.watch()
        yield world


async def test_what_nobody_answers_for_is_stopped_and_can_be_tried_again(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    seen = await person.sees(video_id, status="failed")
    assert (seen["error"]["code"], seen["error"]["retryable"], seen["stage"]) == ("UNANSWERED", True, "cancelled")
    event = await world.told(VideoCancelled, video_id=video_id)
    assert (event.by, event.attempt) == ("gateway", 1)
    await eventually(lambda: _told_in_timeline(person.client, video_id), "it is in the timeline")
    await world.publish(events.ready(video_id))
    assert (await person.client.post(f"/api/video/retry/{video_id}")).status_code == 202
    assert (await world.told(VideoRetryRequested, video_id=video_id)).attempt == 2
    await person.sees(video_id, attempt=2, status="failed")


async def _told_in_timeline(client: httpx.AsyncClient, video_id: str) -> bool:
    timeline = (await client.get(f"/api/video/timeline/{video_id}")).json()["data"]
    assert timeline["why"] == "Nothing was heard of this video for too long."
    return "unanswered" in [entry["code"] for entry in timeline["entries"]]

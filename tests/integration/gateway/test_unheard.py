"""A video that nobody answers for comes to an end, too."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from shared.contracts.events import VideoCancelled, VideoRequested, VideoRetryRequested, VideoUnanswered
from tests.driving import eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import ENGINES, STORAGE, Person, World, world_of

IMPATIENT = {**STORAGE, "REANNOUNCE_AFTER": "0.3", "REANNOUNCE_MOST": "0.5", "ANSWER_DEADLINE": "3"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    folder = tmp_path_factory.mktemp("unheard")
    async with LocalStack(folder, services=("gateway",), engines=ENGINES, overrides={"gateway": IMPATIENT}) as stack:
        yield stack


@pytest.fixture
async def world(stack: LocalStack) -> AsyncIterator[World]:
    async with world_of(stack) as world:
        await world.watch()
        await world.publish()  # nothing yet: what it takes to is ready then
        yield world


async def test_what_nobody_answers_for_fails_and_can_be_tried_again(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    seen = await person.sees(video_id, status="failed")
    assert (seen["error"]["code"], seen["error"]["retryable"]) == ("UNANSWERED", True)
    document = await world.database["videos"].find_one({"_id": video_id})
    assert document is not None
    assert "slot" not in document
    told = await world.told(VideoUnanswered, video_id=video_id)
    request = await world.told(VideoRequested, video_id=video_id)
    assert told.message == seen["error"]["message"]
    assert (told.traceparent or "")[:35] == (request.traceparent or "none")[:35], "one trace"
    assert (await person.client.post(f"/api/video/retry/{video_id}")).status_code == 202
    assert (await world.told(VideoRetryRequested, video_id=video_id)).attempt == 2
    await world.publish(events.ready(video_id))
    await person.sees(video_id, attempt=2, status="failed")


async def test_what_comes_of_it_after_all_is_shown(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await person.sees(video_id, status="failed")
    await asked_again(world, video_id)
    await eventually(lambda: _told_twice(world, video_id), "being told once more, had it got lost")
    await world.publish(events.started(video_id), events.completed(video_id))
    await world.publish(events.video_failed(video_id, code="NOT_A_VIDEO", retryable=False))
    await eventually(lambda: _shows(person, video_id, "NOT_A_VIDEO"), "why it failed")
    await world.publish(events.ready(video_id))
    await person.sees(video_id, status="ready")


async def test_what_nobody_answers_for_can_be_cancelled(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.started(video_id))
    await person.sees(video_id, stage="rendering")
    await person.sees(video_id, status="failed")
    await eventually(lambda: _history_says(person, "failed"), "the history, which is written next")
    assert (await person.client.post(f"/api/video/cancel/{video_id}")).status_code == 202
    assert (await world.told(VideoCancelled, video_id=video_id)).attempt == 1
    assert (await person.status(video_id))["error"]["code"] == "CANCELLED"


async def asked_again(world: World, video_id: str) -> None:
    """Return when it was asked about once more."""
    before = len(world.published)

    async def again() -> bool:
        new = [event for event in world.published[before:] if isinstance(event, VideoRequested)]
        return any(event.video_id == video_id for event in new)

    await eventually(again, "being asked about again")


async def _told_twice(world: World, video_id: str) -> bool:
    told = [event for event in world.published if isinstance(event, VideoUnanswered) and event.video_id == video_id]
    return len(told) > 1 and len({event.id for event in told}) == 1


async def _history_says(person: Person, status: str) -> bool:
    (entry,) = (await person.client.get("/api/video/history")).json()["data"]["workflows"]
    return bool(entry["status"] == status)


async def _shows(person: Person, video_id: str, code: str) -> bool:
    return bool((await person.status(video_id))["error"]["code"] == code)

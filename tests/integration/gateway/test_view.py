"""The user's view of a video, built from others' events: never backwards, whatever comes twice or late."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest

from services.gateway.store.videos import Videos
from shared.contracts.events import VideoRetryRequested
from shared.delivery.outbox import Outbox
from tests.driving import eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import Person, World


async def seen_by_now(world: World, person: Person) -> None:
    """Return when everything published before has been handled: it went through partitions the same way."""
    for _ in range(12):
        marker = await person.ask("marker")
        await world.publish(events.workflow_failed(marker), events.video_failed(marker))
        await person.sees(marker, status="failed")


async def test_the_stages_of_a_life(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.started(video_id, certain=False, execution_id=None))
    await person.sees(video_id, status="processing", stage="unknown")
    await world.publish(events.started(video_id, id=f"{video_id}:1:certain"))
    video = await person.sees(video_id, status="processing", stage="rendering")
    assert video["estimated_completion"] == "2030-01-02T03:04:05.678Z"
    await world.publish(
        events.progressed(video_id, 30.5), events.progressed(video_id, 40), events.progressed(video_id, 20)
    )
    await person.sees(video_id, stage="rendering", progress=20)
    await world.publish(events.completed(video_id))
    video = await person.sees(video_id, stage="completed")
    assert "progress" not in video
    await world.publish(events.transfer_started(video_id), events.transferred(video_id, 25, 100))
    await person.sees(video_id, status="processing", stage="transferring", progress=25)
    await world.publish(events.ready(video_id))
    video = await person.sees(video_id, status="ready", stage="ready")
    assert not {"progress", "error", "estimated_completion"} & set(video)


async def test_an_estimate_that_is_past_is_not_told(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.started(video_id, estimated_completion="2025-01-02T03:04:05Z"))
    assert "estimated_completion" not in await person.sees(video_id, stage="rendering")


async def test_an_uncertain_start_is_explained_until_it_is_certain(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.started(video_id, certain=False, execution_id=None, message="Nobody said so."))
    await person.sees(video_id, status="processing", stage="unknown", message="Nobody said so.")
    await world.publish(events.started(video_id, id=f"{video_id}:1:certain"))
    await person.sees(video_id, stage="rendering", message=None)


async def test_what_holds_a_transfer_up_is_shown_until_it_goes_on(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    waiting = "The video's server can't be reached. Trying again."
    await world.publish(events.started(video_id), events.progressed(video_id, 30, message="Scene 3 of 7"))
    await person.sees(video_id, stage="rendering", progress=30, message="Scene 3 of 7")
    await world.publish(events.transfer_started(video_id), events.transferred(video_id, 25, 100))
    await person.sees(video_id, stage="transferring", progress=25, message=None)
    await world.publish(events.transferred(video_id, 0, None, message=waiting))
    await person.sees(video_id, stage="transferring", progress=25, message=waiting)
    await world.publish(events.transferred(video_id, 30, 100))
    await person.sees(video_id, stage="transferring", progress=30, message=None)
    await world.publish(events.transferred(video_id, 0, None, message=waiting))
    await person.sees(video_id, message=waiting)
    await world.publish(events.video_failed(video_id))
    await person.sees(video_id, status="failed", message=None)


async def test_of_a_file_whose_length_nobody_tells_it_is_shown_how_much_is_stored(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.transfer_started(video_id), events.transferred(video_id, 12_340_000, None))
    await person.sees(video_id, stage="transferring", progress=None, message="12.3 MB are stored so far.")


async def test_late_news_and_repeats_change_nothing(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    end = events.ready(video_id)
    await world.publish(end)
    before = await person.sees(video_id, status="ready")
    await world.publish(
        events.started(video_id),
        events.progressed(video_id, 50),
        events.completed(video_id),
        events.workflow_failed(video_id),
        events.transfer_started(video_id),
        events.transferred(video_id, 1, 2),
        events.video_failed(video_id),
        end,
    )
    await seen_by_now(world, person)
    after = await person.status(video_id)
    assert {**after, "downloadUrl": "", "posterUrl": ""} == {**before, "downloadUrl": "", "posterUrl": ""}


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_ends_the_same(world: World, seed: int) -> None:
    person = await world.person()
    video_id = await person.ask()
    story = [
        events.started(video_id),
        events.completed(video_id),
        events.transfer_started(video_id),
        events.ready(video_id),
    ]
    shuffled = list(itertools.chain(story, story))
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - the seed is the point
    stages = ["pending", "processing", "ready"]
    furthest = 0
    for event in shuffled:
        await world.publish(event)
        now = stages.index((await person.status(video_id))["status"])
        assert now >= furthest
        furthest = now
    await person.sees(video_id, status="ready")


async def test_events_of_videos_nobody_knows_are_harmless(world: World) -> None:
    person = await world.person()
    await world.publish(events.started("nobody_1"), events.ready("nobody_1"), events.video_failed("nobody_1"))
    await seen_by_now(world, person)
    assert await world.database["videos"].find_one({"_id": "nobody_1"}) is None


async def test_a_late_result_is_adopted_without_going_back_to_processing(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.started(video_id), events.workflow_failed(video_id, code="WORKFLOW_TIMEOUT"))
    await person.sees(video_id, status="failed", stage="failed")
    await world.publish(events.completed(video_id, adopted=True))
    await person.sees(video_id, status="failed", stage="adopting")
    await world.publish(events.transfer_started(video_id))
    await seen_by_now(world, person)
    video = await person.sees(video_id, status="failed", stage="adopting")
    assert video["error"]["code"] == "WORKFLOW_TIMEOUT"
    await world.publish(events.ready(video_id))
    video = await person.sees(video_id, status="ready", stage="ready")
    assert "error" not in video
    history = (await person.client.get("/api/video/history")).json()["data"]["workflows"]
    mine = next(entry for entry in history if entry["videoId"] == video_id)
    assert mine["status"] == "completed"
    assert "errorMessage" not in mine


async def test_a_late_result_that_can_not_be_had(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.workflow_failed(video_id, code="WORKFLOW_TIMEOUT"))
    await world.publish(events.completed(video_id, adopted=True))
    await person.sees(video_id, stage="adopting")
    await world.publish(events.video_failed(video_id, code="NOT_A_VIDEO"))
    video = await person.sees(video_id, status="failed", stage="failed")
    assert video["error"]["code"] == "NOT_A_VIDEO"


@pytest.mark.parametrize("repeated", [True, False])
async def test_the_end_of_an_adoption_stays_whatever_comes_late(world: World, *, repeated: bool) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.workflow_failed(video_id, code="WORKFLOW_TIMEOUT"))
    await person.sees(video_id, status="failed")
    result = events.completed(video_id, adopted=True)
    if repeated:
        await world.publish(result)
        await person.sees(video_id, stage="adopting")
    await world.publish(events.video_failed(video_id, code="SOURCE_UNREACHABLE"))
    await seen_by_now(world, person)
    await world.publish(result)
    await seen_by_now(world, person)
    video = await person.status(video_id)
    assert (video["status"], video["stage"], video["error"]["code"]) == ("failed", "failed", "SOURCE_UNREACHABLE")


async def test_a_cancelled_video_stays_cancelled(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.started(video_id))
    await person.sees(video_id, stage="rendering")
    await person.client.post(f"/api/video/cancel/{video_id}")
    await world.publish(events.workflow_failed(video_id, code="CANCELLED"), events.ready(video_id))
    await seen_by_now(world, person)
    video = await person.status(video_id)
    assert (video["status"], video["stage"], video["error"]["code"]) == ("failed", "cancelled", "CANCELLED")


async def test_late_news_of_one_attempt_cannot_touch_the_next(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.workflow_failed(video_id))
    await person.sees(video_id, status="failed")
    await person.client.post(f"/api/video/retry/{video_id}")
    await world.publish(events.ready(video_id, attempt=1), events.completed(video_id, attempt=1, adopted=True))
    await seen_by_now(world, person)
    assert (await person.status(video_id))["status"] == "processing"
    await world.publish(events.started(video_id, attempt=2), events.ready(video_id, attempt=2))
    assert (await person.sees(video_id, status="ready"))["attempt"] == 2


async def test_deleted_is_for_ever(world: World) -> None:
    person = await world.person()
    video_id = await person.ask("Secret title", **{"Idempotency-Key": "once"})
    await person.client.delete(f"/api/video/delete/{video_id}")
    await world.publish(events.started(video_id), events.ready(video_id))
    await seen_by_now(world, person)
    assert (await person.client.get(f"/api/video/status/{video_id}")).status_code == 404
    tombstone = await world.database["videos"].find_one({"_id": video_id})
    assert tombstone is not None
    assert "Secret title" not in str(tombstone)
    assert not {"fields", "email", "title", "s3Key"} & set(tombstone)


@pytest.mark.parametrize(
    ("ends", "restart", "link"),
    [
        ("workflow", "workflow", None),
        ("transfer", "transfer", "http://n8n.test/a.mp4"),
        ("not a video", "workflow", None),
        ("cancel early", "workflow", None),
        ("cancel late", "transfer", "http://n8n.test/a.mp4"),
    ],
)
async def test_a_retry_starts_at_the_stage_that_failed(world: World, ends: str, restart: str, link: str | None) -> None:
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    if ends == "workflow":
        await world.publish(events.workflow_failed(video_id))
    elif ends != "cancel early":
        await world.publish(events.completed(video_id))
        await person.sees(video_id, stage="completed")
    if ends == "transfer":
        await world.publish(events.video_failed(video_id))
    if ends == "not a video":
        await world.publish(events.video_failed(video_id, code="NOT_A_VIDEO", retryable=False))
    if ends.startswith("cancel"):
        await person.client.post(f"/api/video/cancel/{video_id}")
    await person.sees(video_id, status="failed")
    answer = await person.client.post(f"/api/video/retry/{video_id}")
    assert answer.status_code == 202
    event = await world.told(VideoRetryRequested, video_id=video_id)
    assert (event.restart, event.attempt, event.video_url) == (restart, 2, link)
    assert event.fields is not None
    assert event.email == "contact@example.com"


async def test_a_file_of_an_earlier_attempt_is_not_fetched_for_a_later_one(world: World) -> None:
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    await world.publish(events.completed(video_id))
    await person.sees(video_id, stage="completed")
    await world.publish(events.video_failed(video_id, code="NOT_A_VIDEO", retryable=False))
    await person.sees(video_id, status="failed")
    await person.client.post(f"/api/video/retry/{video_id}")
    assert (await world.told(VideoRetryRequested, video_id=video_id, attempt=2)).restart == "workflow"
    assert "videoUrl" not in await person.status(video_id)
    await person.client.post(f"/api/video/cancel/{video_id}")
    await person.client.post(f"/api/video/retry/{video_id}")
    event = await world.told(VideoRetryRequested, video_id=video_id, attempt=3)
    assert (event.restart, event.video_url) == ("workflow", None)


async def test_where_the_file_is_counts_also_after_news_of_its_transfer(world: World) -> None:
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    await world.publish(events.transfer_started(video_id))
    await person.sees(video_id, stage="transferring")
    await world.publish(events.completed(video_id))
    await person.sees(video_id, stage="transferring", videoUrl="http://n8n.test/a.mp4")
    await person.client.post(f"/api/video/cancel/{video_id}")
    await person.client.post(f"/api/video/retry/{video_id}")
    event = await world.told(VideoRetryRequested, video_id=video_id)
    assert (event.restart, event.video_url) == ("transfer", "http://n8n.test/a.mp4")


async def test_an_object_that_the_workflow_stored_is_taken_again_after_a_cancel(world: World) -> None:
    person = await world.person()
    await world.watch()
    video_id, key = await person.ask(), f"videos/{person.user_id}/1.mp4"
    await world.publish(events.completed(video_id).model_copy(update={"video_url": None, "s3_key": key}))
    await person.sees(video_id, stage="completed")
    await person.client.post(f"/api/video/cancel/{video_id}")
    await person.client.post(f"/api/video/retry/{video_id}")
    event = await world.told(VideoRetryRequested, video_id=video_id)
    assert (event.restart, event.video_url, event.s3_key) == ("transfer", None, key)


async def test_how_long_videos_took_counts_from_the_last_request(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.workflow_failed(video_id))
    await person.sees(video_id, status="failed")
    assert (await person.client.post(f"/api/video/retry/{video_id}")).status_code == 202
    requested_at = datetime.now(UTC)
    await world.publish(events.ready(video_id, attempt=2, time=requested_at + timedelta(minutes=20)))
    await person.sees(video_id, status="ready")
    took = await Videos(world.database["videos"], cast("Outbox", None), timedelta(0)).durations("generate", 1)
    assert timedelta(minutes=20) <= took[0] < timedelta(minutes=20, seconds=10)


async def test_an_attempt_that_only_fetched_the_file_does_not_say_how_long_a_rendering_takes(world: World) -> None:
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    await world.publish(events.completed(video_id))
    await person.sees(video_id, stage="completed")
    await world.publish(events.video_failed(video_id, code="SOURCE_UNREACHABLE"))
    await person.sees(video_id, status="failed")
    assert (await person.client.post(f"/api/video/retry/{video_id}")).status_code == 202
    assert (await world.told(VideoRetryRequested, video_id=video_id)).restart == "transfer"
    videos = Videos(world.database["videos"], cast("Outbox", None), timedelta(0))
    before = await videos.durations("generate", 1000)
    await world.publish(events.ready(video_id, attempt=2))
    await person.sees(video_id, status="ready")
    assert await videos.durations("generate", 1000) == before


async def test_the_history_of_a_deleted_video_ends_and_knows_no_title(world: World) -> None:
    person = await world.person()
    running, waiting = await person.ask(), await person.ask()
    await world.publish(events.started(running))
    await person.sees(running, stage="rendering")
    for video_id in (running, waiting):
        assert (await person.client.delete(f"/api/video/delete/{video_id}")).status_code == 200
    await world.publish(events.started(waiting))  # it was on its way when the video was deleted
    for video_id in (running, waiting):
        entry = await eventually(partial(ended, person, video_id), f"the end of {video_id}")
        assert (entry["errorMessage"], "completedAt" in entry) == ("You deleted this video.", True)
        assert "title" not in entry


async def ended(person: Person, video_id: str) -> dict[str, Any] | None:
    """Return the entry of the video's attempt in the history once it is no longer under way."""
    history = (await person.client.get("/api/video/history")).json()["data"]["workflows"]
    entries = [entry for entry in history if entry["videoId"] == video_id]
    return next((entry for entry in entries if entry["status"] == "failed"), None)

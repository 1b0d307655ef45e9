"""Where another attempt starts, and what is kept of attempts that ended: how long they took, and their history."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest

from services.gateway.store.videos import Videos
from shared.contracts.events import CallbackJudged, VideoRetryRequested
from shared.delivery.outbox import Outbox
from tests.driving import eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import Person, World


@pytest.mark.parametrize(
    ("ends", "restart", "link"),
    [
        ("workflow", "workflow", None),
        ("transfer", "transfer", "http://n8n.test/a.mp4"),
        ("not a video", "workflow", None),
        ("unheard of, not a video", "workflow", None),
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
    elif ends not in ("cancel early", "unheard of, not a video"):
        await world.publish(events.completed(video_id))
        await person.sees(video_id, stage="completed")
    if ends == "transfer":
        await world.publish(events.video_failed(video_id))
    if ends.endswith("not a video"):
        await world.publish(events.video_failed(video_id, code="NOT_A_VIDEO", retryable=False))
    if ends.startswith("cancel"):
        await person.client.post(f"/api/video/cancel/{video_id}")
    await person.sees(video_id, status="failed")
    answer = await person.client.post(f"/api/video/retry/{video_id}")
    assert answer.status_code == 202
    event = await world.told(VideoRetryRequested, video_id=video_id)
    assert (event.restart, event.attempt, event.video_url) == (restart, 2, link)
    assert event.takes_result == (ends in ("workflow", "cancel early")), "its file was not what failed"
    assert event.fields is not None
    assert event.email == "contact@example.com"


async def test_a_late_result_that_is_said_to_be_taken_is_asked_about_until_it_is_heard_of(world: World) -> None:
    """A broker may have lost the news itself; its owner was told of the failure, after which nothing is asked."""
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.workflow_failed(video_id, code="WORKFLOW_TIMEOUT"))
    await person.sees(video_id, status="failed")
    about = {"receiptId": "r", "purpose": "complete", "videoId": video_id, "attempt": 1}
    await world.publish(CallbackJudged.model_validate({**about, "id": "j", "outcome": "adopted"}))
    await person.sees(video_id, stage="adopting", status="failed")
    assert "job" in (await world.database["videos"].find_one({"_id": video_id}) or {})
    await world.publish(events.video_failed(video_id))
    await person.sees(video_id, stage="failed")
    again = CallbackJudged.model_validate({**about, "id": "j2", "outcome": "adopted"})
    await world.publish(again, events.video_failed(video_id, code="NOT_A_VIDEO"))
    assert (await person.sees(video_id, status="failed"))["stage"] == "failed"


@pytest.mark.parametrize(
    ("code", "outcome", "restart"),
    [
        ("WORKFLOW_TIMEOUT", None, "transfer"),
        ("WORKFLOW_TIMEOUT", "adopted", "transfer"),
        ("WORKFLOW_TIMEOUT", "late", "workflow"),
        ("WORKFLOW_REFUSED", None, "transfer"),
        ("WORKFLOW_FAILED", None, "workflow"),  # it would contradict that
        ("WORKFLOW_FAILED", "adopted", "transfer"),
    ],
)
async def test_a_result_that_came_a_moment_ago_is_fetched_and_not_rendered_again(
    world: World, code: str, outcome: str | None, restart: str
) -> None:
    """The gateway has stored it, but has not heard yet that it is taken."""
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    await world.publish(events.workflow_failed(video_id, code=code))
    await person.sees(video_id, status="failed")
    link = "http://n8n.test/late.mp4"
    answer = await world.post_webhook("video-complete", {"videoId": video_id, "status": "ready", "videoUrl": link})
    receipt_id = answer.json()["data"]["receiptId"]
    if outcome is not None:
        await world.database["receipts"].update_one({"_id": receipt_id}, {"$set": {"outcome": outcome}})
    await person.client.post(f"/api/video/retry/{video_id}")
    event = await world.told(VideoRetryRequested, video_id=video_id)
    assert (event.restart, event.video_url) == (restart, link if restart == "transfer" else None)
    again = await world.database["videos"].find_one({"_id": video_id})
    assert again is not None
    assert again.get("resultUrl") == event.video_url, "asked again it says the same"


@pytest.mark.parametrize(
    ("place", "outcome"),
    [
        ({"videoUrl": "http://n8n.test/late.mp4"}, None),
        ({"videoUrl": "http://n8n.test/late.mp4"}, "late"),
        ({"s3Key": "videos/ann/late.mp4"}, None),
        ({"s3Key": "videos/ann/late.mp4"}, "applied"),
        ({"s3Key": "videos/ann/late.mp4"}, "late"),  # it stays until the video is deleted
    ],
)
async def test_a_result_that_crossed_a_cancellation_is_fetched_and_not_rendered_again(
    world: World, place: dict[str, str], outcome: str | None
) -> None:
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    answer = await world.post_webhook("video-complete", {"videoId": video_id, "status": "ready", **place})
    await person.client.post(f"/api/video/cancel/{video_id}")
    if outcome is not None:
        receipt_id = answer.json()["data"]["receiptId"]
        await world.database["receipts"].update_one({"_id": receipt_id}, {"$set": {"outcome": outcome}})
    await person.client.post(f"/api/video/retry/{video_id}")
    event = await world.told(VideoRetryRequested, video_id=video_id)
    assert (event.restart, event.video_url, event.s3_key) == ("transfer", place.get("videoUrl"), place.get("s3Key"))


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

"""The user's view of a video, built from others' events: never backwards, whatever comes twice or late."""

import itertools
import random

import pytest

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
    await person.sees(video_id, stage="rendering", progress=40)
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


async def test_late_news_and_repeats_change_nothing_but_where_the_file_came_from(world: World) -> None:
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
    signed = {"downloadUrl": "", "posterUrl": ""}
    assert {**after, **signed} == {**before, **signed, "videoUrl": "http://n8n.test/a.mp4"}


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

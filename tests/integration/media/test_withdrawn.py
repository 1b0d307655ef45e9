"""Cancelled or deleted: whatever was under way stops, and nothing of it stays."""

import asyncio

import pytest

from shared.contracts.events import VideoFailed, VideoReady, VideoRemoved
from tests.driving import eventually
from tests.integration.media.file_server import File
from tests.integration.media.world import BUCKET, World, bucket_agrees, new_user, slow, under_way, video_of
from tests.media_files import video

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_cancelled_transfer_stops_and_leaves_nothing(world: World) -> None:
    video_id = await under_way(world, "cancelled")
    await world.cancel(video_id)
    failed = await world.event(VideoFailed, video_id)
    assert (failed.code, failed.retryable) == ("CANCELLED", True)

    async def source_left_alone() -> bool:
        sent = world.files.sent_bytes["cancelled"]
        await asyncio.sleep(0.5)
        return world.files.sent_bytes["cancelled"] == sent

    await eventually(source_left_alone, "the source is no longer read", seconds=5)
    await world.nothing_left(video_id)
    assert world.told(video_id) == ["TransferStarted", "VideoFailed"]


async def test_a_cancel_that_crosses_a_failure_has_the_last_word(world: World) -> None:
    """Its owner was answered that it counts, and sees a cancelled video."""
    video_id = await world.import_from(world.files.serve("crossed", File(b"no video at all")))
    assert (await world.event(VideoFailed, video_id)).code == "NOT_A_VIDEO"
    world.published.clear()
    await world.cancel(video_id)
    assert (await world.event(VideoFailed, video_id)).code == "CANCELLED"


async def test_a_stalled_source_does_not_hold_up_a_cancel(world: World) -> None:
    video_id = await under_way(world, "stalled", slow())
    world.files.files["stalled"].pause_seconds = 30.0
    await world.cancel(video_id)

    async def job_done() -> bool:
        return "job" not in await world.asset(video_id)

    await eventually(job_done, "the erase job, which waits for the transfer to stop", seconds=12)


async def test_a_cancel_of_what_is_not_here_yet_keeps_it_out(world: World) -> None:
    video_id = video_of(new_user())
    await world.cancel(video_id)
    await eventually(lambda: world.asset(video_id), "the cancel noted")
    await world.complete(video_id, video_url=world.files.serve("cancelled-before", File(video())))
    await world.complete(video_id, attempt=2, video_url=world.files.serve("second", File(video())))
    await world.event(VideoReady, video_id, attempt=2)
    assert world.told(video_id, 1) == ["VideoFailed"], "whoever asks for it is told that it was cancelled"
    assert world.files.asked["cancelled-before"] == []


async def test_a_cancel_of_what_was_never_here_is_left_to_others_to_answer(world: World) -> None:
    """The gateway tells it until it is answered: at media's word it would stop before the generator has heard."""
    video_id, other = video_of(new_user()), video_of(new_user())
    for attempt in (1, 1, 2, 2):
        await world.cancel(video_id, attempt)
    await world.complete(other, video_url="http://127.0.0.1:1/none.mp4")
    await world.cancel(other)
    await world.event(VideoFailed, other)
    assert (await world.asset(video_id))["attempt"] == 2
    assert world.told(video_id, 1) + world.told(video_id, 2) == []


async def test_a_cancel_of_an_older_attempt_changes_nothing(world: World) -> None:
    url = world.files.serve("older", File(video()))
    video_id = video_of(new_user())
    await world.complete(video_id, attempt=2, video_url=url)
    await world.cancel(video_id, attempt=1)
    await world.event(VideoReady, video_id, attempt=2)
    await world.cancel(video_id, attempt=1)
    await world.retry(video_id, 3, video_url=url)
    await bucket_agrees(world, video_id, attempt=3)
    assert world.told(video_id, 1) == []


async def test_a_deleted_video_is_gone_for_ever(world: World) -> None:
    url = world.files.serve("deleted", File(video()))
    video_id = await world.import_from(url)
    await world.event(VideoReady, video_id)
    await world.delete(video_id)
    await world.event(VideoRemoved, video_id)
    assert await world.keys_of(video_id) == []
    await world.delete(video_id)
    await world.complete(video_id, attempt=2, video_url=url)
    await world.retry(video_id, 3, video_url=url)
    other = await world.import_from(url, video_id.rpartition("_")[0])
    await world.event(VideoReady, other)
    assert len(world.files.asked["deleted"]) == 2
    assert world.told(video_id) == ["TransferStarted", "VideoReady", "VideoRemoved"]
    kept = await world.asset(video_id)
    assert not {"title", "source", "metadata", "key"} & set(kept)


async def test_a_delete_in_the_middle_stops_the_transfer(world: World) -> None:
    video_id = await under_way(world, "deleted-in-the-middle")
    await world.delete(video_id)
    await world.event(VideoRemoved, video_id)
    await world.nothing_left(video_id)
    assert "VideoReady" not in world.told(video_id)


async def test_an_upload_whose_id_never_arrived_goes_with_its_video(world: World) -> None:
    video_id = await world.import_from(world.files.serve("id-lost", File(video())))
    key = (await world.event(VideoReady, video_id)).s3_key
    await asyncio.to_thread(world.bucket._create_multipart_upload, BUCKET, key, {})
    await world.delete(video_id)
    await world.event(VideoRemoved, video_id)
    uploads = await asyncio.to_thread(world.bucket._list_multipart_uploads, BUCKET, prefix=key)
    assert [upload.object_name for upload in uploads.uploads] == []

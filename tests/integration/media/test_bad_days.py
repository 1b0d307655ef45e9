"""Killed, frozen, cut off from storage or database: what is told and what lies in the bucket agree."""

import asyncio
from typing import Any

import httpx
import pytest
from minio.error import S3Error

from deploy.local.ports import free_port
from shared.contracts.events import TransferProgressed, TransferStarted, VideoFailed, VideoReady, VideoRemoved
from tests.driving import eventually
from tests.integration.media.file_server import File
from tests.integration.media.world import BUCKET, SLOW_BYTES, World, bucket_agrees, new_user, slow, under_way, video_of
from tests.media_files import padded, video

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_killed_service_goes_on_where_it_was(world: World) -> None:
    video_id = await under_way(world, "killed")
    await world.stack.kill("media")
    world.files.files["killed"].pause_seconds = 0.0
    await world.stack.start("media")
    ready = await bucket_agrees(world, video_id)
    assert ready.metadata.size == SLOW_BYTES
    assert world.told(video_id) == ["TransferStarted", "VideoReady"]


async def test_a_killed_upload_of_unknown_length_leaves_no_parts(world: World) -> None:
    file = File(padded(video(), 15_000_000), length=False, pause_seconds=0.01)
    video_id = await under_way(world, "killed-parts", file)

    async def parts_sent() -> bool:
        return world.files.sent_bytes["killed-parts"] > 9_000_000

    await eventually(parts_sent, "one part sent")
    await world.stack.kill("media")
    file.pause_seconds = 0.0
    await world.stack.start("media")
    await bucket_agrees(world, video_id)

    async def no_parts() -> bool:
        claims = await world.database["claims"].find({"videoId": video_id}).to_list()
        uploads = [(claim["_id"], claim["uploadId"]) for claim in claims if "uploadId" in claim]
        assert len(uploads) == 2
        return not any([await _parts_of(world, key, upload_id) for key, upload_id in uploads])

    await eventually(no_parts, "no upload left open")


async def _parts_of(world: World, key: str, upload_id: str) -> list[Any]:
    try:
        return list((await asyncio.to_thread(world.bucket._list_parts, BUCKET, key, upload_id)).parts)
    except S3Error as error:
        return [] if error.code == "NoSuchUpload" else [error]


async def test_a_stopped_service_hands_its_work_over(world: World) -> None:
    video_id = await under_way(world, "stopped")
    pid = world.stack.pid("media")
    assert pid is not None
    await world.stack.stop("media")
    assert world.stack.children["media"].exit_code() == 0
    world.files.files["stopped"].pause_seconds = 0.0
    await world.stack.start("media")
    await bucket_agrees(world, video_id)


async def test_a_stop_does_not_wait_for_a_silent_storage(world: World) -> None:
    video_id = await under_way(world, "silent-storage")
    world.stack.pause("s3")
    try:
        await eventually(lambda: degraded(world), "a probe that waits for the storage")
        await world.stack.stop("media")
        assert world.stack.children["media"].exit_code() == 0, "it took more than 20 s and was killed"
    finally:
        world.stack.resume("s3")
    world.files.files["silent-storage"].pause_seconds = 0.0
    await world.stack.start("media")
    await bucket_agrees(world, video_id)


async def test_a_frozen_service_writes_nothing_when_it_wakes(world: World) -> None:
    video_id = await under_way(world, "frozen")
    world.stack.pause("media")
    await world.delete(video_id)
    await asyncio.sleep(4)  # longer than its lease: it has lost its job when it wakes
    world.stack.resume("media")
    await world.event(VideoRemoved, video_id)
    await world.nothing_left(video_id)
    assert "VideoReady" not in world.told(video_id)


async def test_storage_that_is_away_is_waited_for(world: World) -> None:
    await world.stack.kill("s3")
    video_id = await world.import_from(world.files.serve("no-storage", File(video())))
    await world.event(TransferStarted, video_id)
    await asyncio.sleep(1.5)
    assert world.files.asked["no-storage"] == []
    await world.stack.start("s3")
    await bucket_agrees(world, video_id)
    assert len(world.files.asked["no-storage"]) == 1


async def test_storage_that_goes_away_in_the_middle_is_waited_for(world: World) -> None:
    video_id = await under_way(world, "storage-breaks")
    await world.stack.kill("s3")
    world.files.files["storage-breaks"].pause_seconds = 0.0
    await asyncio.sleep(1)
    await world.stack.start("s3")
    await bucket_agrees(world, video_id)
    assert world.told(video_id) == ["TransferStarted", "VideoReady"]


async def test_a_delete_waits_for_storage_that_is_away(world: World) -> None:
    video_id = await world.import_from(world.files.serve("removed-later", File(video())))
    await world.event(VideoReady, video_id)
    await world.stack.kill("s3")
    await world.delete(video_id)
    await asyncio.sleep(1)
    assert "VideoRemoved" not in world.told(video_id)
    await world.stack.start("s3")
    await world.event(VideoRemoved, video_id)
    assert await world.keys_of(video_id) == []


async def test_a_database_that_is_away_costs_no_second_transfer(world: World) -> None:
    file = slow()
    video_id = await under_way(world, "no-database", file)
    await world.stack.kill("media-db")
    file.pause_seconds = 0.0
    await asyncio.sleep(0.7)
    await world.stack.start("media-db")
    await bucket_agrees(world, video_id)


async def test_the_deadline_ends_what_does_not_come_to_an_end(world: World) -> None:
    await world.stack.restart("media", {"TRANSFER_DEADLINE": "2"})
    try:
        down = await world.import_from(world.files.serve("down", File(b"", statuses=[503] * 99)))
        endless = await world.import_from(world.files.serve("endless", slow()))
        assert (await world.event(VideoFailed, down)).code == "SOURCE_UNREACHABLE"
        assert (await world.event(VideoFailed, endless)).code == "TRANSFER_TIMEOUT"
        await world.nothing_left(endless)
    finally:
        await world.stack.restart("media", {"TRANSFER_DEADLINE": "PT30M"})


async def test_an_address_where_nobody_listens_is_told_of_and_given_up_for_imports_alone(world: World) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/a.mp4"
    await world.stack.restart("media", {"TRANSFER_UNREACHABLE_FOR": "2"})
    try:
        result = video_of(new_user())
        await world.complete(result, video_url=nowhere)
        imported = await world.import_from(nowhere)
        trouble = await world.event(TransferProgressed, imported)
        assert trouble.message == "The video's server can't be reached. Trying again."
        assert trouble.next_try_at is not None
        failed = await world.event(VideoFailed, imported)
        assert (failed.code, failed.retryable) == ("SOURCE_UNREACHABLE", True)
        assert (await world.asset(result))["state"] == "transferring"

        await world.retry(imported, 2, video_url=nowhere)
        await world.event(VideoFailed, imported, attempt=2)
        assert (await world.asset(result))["state"] == "transferring"
    finally:
        await world.stack.restart("media", {"TRANSFER_UNREACHABLE_FOR": "PT5M"})
    await world.cancel(result)


async def test_storage_that_is_away_is_told_of_and_never_held_against_the_source(world: World) -> None:
    await world.stack.restart("media", {"TRANSFER_UNREACHABLE_FOR": "0.2"})
    try:
        await world.stack.kill("s3")
        video_id = await world.import_from(world.files.serve("waits-for-storage", File(video())))
        trouble = await world.event(TransferProgressed, video_id)
        assert trouble.message == "The storage is not available at the moment. Trying again."
        await asyncio.sleep(1)  # longer than a source may be out of reach
        await world.stack.start("s3")
        await bucket_agrees(world, video_id)
    finally:
        await world.stack.restart("media", {"TRANSFER_UNREACHABLE_FOR": "PT5M"})


async def test_a_file_that_can_not_be_probed_in_time_holds_nothing_up(world: World) -> None:
    await world.stack.restart("media", {"PROBE_TIMEOUT": "0.01"})
    try:
        video_id = await world.import_from(world.files.serve("slow-to-open", File(video())))
        failed = await world.event(VideoFailed, video_id)
        assert (failed.code, failed.retryable) == ("NOT_A_VIDEO", False)
        await world.nothing_left(video_id)
    finally:
        await world.stack.restart("media", {"PROBE_TIMEOUT": "PT1M"})


async def test_what_it_says_of_itself(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.stack.url("media"), trust_env=False) as client:
        ready = (await client.get("/health/ready")).json()
        assert ready["status"] == "ready"
        assert ready["dependencies"]["storage"] == "up"
        assert "reelway_transfer_bytes_total" in (await client.get("/metrics")).text
        assert "VideoReady" in (await client.get("/asyncapi.json")).text
    await world.stack.kill("s3")
    await eventually(lambda: degraded(world), "storage reported as degraded")
    await world.stack.start("s3")


async def degraded(world: World) -> bool:
    async with httpx.AsyncClient(base_url=world.stack.url("media"), trust_env=False) as client:
        answer = await client.get("/health/ready")
        return answer.status_code == 200 and answer.json()["status"] == "degraded"

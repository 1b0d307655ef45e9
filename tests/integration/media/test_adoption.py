"""Objects that the workflow has put into the bucket itself."""

import asyncio
import hashlib
import io

import pytest

from shared.contracts.events import ResultDiscarded, VideoFailed, VideoReady, VideoRemoved
from tests.driving import eventually
from tests.integration.media.file_server import File
from tests.integration.media.world import BUCKET, World, new_user, video_of
from tests.media_files import sound, video

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def discard(world: World, video_id: str, key: str) -> None:
    user_id = video_id.rpartition("_")[0]
    told = {"id": f"{video_id}:{key}", "video_id": video_id, "user_id": user_id, "attempt": 1, "reason": "late"}
    await world.publish(ResultDiscarded(s3_key=key, **told))


async def put(world: World, key: str, content: bytes) -> None:
    await asyncio.to_thread(world.bucket.put_object, BUCKET, key, io.BytesIO(content), len(content))


async def looked_at(world: World, key: str) -> None:
    """Return once the key is claimed and the sweeper has found that nothing is to be done about it."""

    async def settled() -> bool:
        return await world.database["claims"].find_one({"_id": key, "sweepAt": None}) is not None

    await eventually(settled, f"{key} being settled")


async def test_an_object_of_the_owner_is_adopted_in_place(world: World) -> None:
    user_id = new_user()
    video_id, key = video_of(user_id), f"videos/{user_id}/rendered.mp4"
    await put(world, key, video())
    await world.complete(video_id, s3_key=key)
    ready = await world.event(VideoReady, video_id)
    assert (ready.s3_key, ready.poster_key) == (key, f"videos/{user_id}/rendered.jpg")
    assert ready.metadata.sha256 == hashlib.sha256(video()).hexdigest()
    assert ready.metadata.original_url is None
    assert await world.keys_of(video_id) == [ready.poster_key, key]

    await world.delete(video_id)
    await world.event(VideoRemoved, video_id)
    assert await world.keys_of(video_id) == []


@pytest.mark.parametrize(
    "key",
    [
        "videos/{other}/rendered.mp4",
        "videos/{me}/missing.mp4",
        "videos/{me}/../{other}/rendered.mp4",
        "videos/{me}//rendered.mp4",
        "videos/{me}/",
        "secrets/{me}.mp4",
    ],
)
async def test_what_is_not_the_owners_is_refused(world: World, key: str) -> None:
    me, other = new_user(), new_user()
    others_key = f"videos/{other}/rendered.mp4"
    await put(world, others_key, video())
    video_id = video_of(me)
    await world.complete(video_id, s3_key=key.format(me=me, other=other))
    failed = await world.event(VideoFailed, video_id)
    assert (failed.code, failed.retryable) == ("OBJECT_REFUSED", True)
    assert await world.content(others_key) == video()


async def test_an_object_has_one_owner(world: World) -> None:
    user_id = new_user()
    first = await world.import_from(world.files.serve("mine", File(video())), user_id)
    ready = await world.event(VideoReady, first)
    second = video_of(user_id)
    await world.complete(second, s3_key=ready.s3_key)
    assert (await world.event(VideoFailed, second)).code == "OBJECT_REFUSED"
    assert await world.content(ready.s3_key) == video()
    assert (await world.asset(first))["key"] == ready.s3_key


async def test_an_object_that_is_no_video_is_refused_and_goes_with_its_video(world: World) -> None:
    user_id = new_user()
    video_id, key = video_of(user_id), f"videos/{user_id}/sound.mp4"
    await put(world, key, sound())
    await world.complete(video_id, s3_key=key)
    assert (await world.event(VideoFailed, video_id)).code == "NOT_A_VIDEO"
    assert await world.keys_of(video_id) == [key]
    await world.delete(video_id)
    await world.nothing_left(video_id)


async def test_an_object_that_was_refused_to_one_video_may_be_taken_by_another(world: World) -> None:
    """It was not there yet when the first one's workflow named it; deleting that one must not take it away."""
    user_id = new_user()
    first, key = video_of(user_id), f"videos/{user_id}/seconds.mp4"
    await world.complete(first, s3_key=key)
    assert (await world.event(VideoFailed, first)).code == "OBJECT_REFUSED"
    await put(world, key, video())
    second = video_of(user_id)
    await world.complete(second, s3_key=key)
    await world.event(VideoReady, second)
    await world.delete(first)
    await world.event(VideoRemoved, first)
    assert await world.content(key) == video()
    await world.delete(second)
    await world.nothing_left(second)


async def test_an_object_delivered_for_a_deleted_video_is_erased(world: World) -> None:
    user_id = new_user()
    video_id, key = video_of(user_id), f"videos/{user_id}/late.mp4"
    await world.delete(video_id)
    await world.event(VideoRemoved, video_id)
    await put(world, key, video())
    await world.complete(video_id, s3_key=key)
    await world.nothing_left(video_id)
    assert world.told(video_id) == ["VideoRemoved"]


async def test_an_object_delivered_for_a_cancelled_video_goes_with_it(world: World) -> None:
    user_id = new_user()
    video_id, key = video_of(user_id), f"videos/{user_id}/cancelled.mp4"
    await put(world, key, video())
    await world.cancel(video_id)

    async def cancelled() -> bool:
        return (await world.asset(video_id)).get("state") == "cancelled"

    await eventually(cancelled, "the cancellation being noted")
    await world.complete(video_id, s3_key=key)
    await looked_at(world, key)
    assert await world.keys_of(video_id) == [key]
    await world.delete(video_id)
    await world.nothing_left(video_id)


async def test_a_discarded_object_of_a_deleted_video_is_erased_as_often_as_it_comes(world: World) -> None:
    user_id = new_user()
    video_id, key = video_of(user_id), f"videos/{user_id}/discarded.mp4"
    await world.delete(video_id)
    await world.event(VideoRemoved, video_id)
    for _ in range(2):
        await put(world, key, video())
        await discard(world, video_id, key)
        await world.nothing_left(video_id)
    assert world.told(video_id) == ["VideoRemoved"]


async def test_a_discarded_object_goes_with_its_video(world: World) -> None:
    user_id = new_user()
    key, in_use = f"videos/{user_id}/second.mp4", f"videos/{user_id}/first.mp4"
    video_id = video_of(user_id)
    await put(world, in_use, video())
    await put(world, key, video())
    await world.complete(video_id, s3_key=in_use)
    ready = await world.event(VideoReady, video_id)
    await discard(world, video_id, in_use)  # whoever says so: what the record uses is never erased
    await discard(world, video_id, key)
    for settled in (in_use, key):
        await looked_at(world, settled)
    assert await world.keys_of(video_id) == sorted([in_use, str(ready.poster_key), key])
    await world.delete(video_id)
    await world.nothing_left(video_id)


async def test_a_discarded_object_that_came_before_the_deletion_goes_with_the_video(world: World) -> None:
    user_id = new_user()
    video_id, key = video_of(user_id), f"videos/{user_id}/early.mp4"
    await put(world, key, video())
    await discard(world, video_id, key)
    await looked_at(world, key)
    assert await world.keys_of(video_id) == [key]
    await world.delete(video_id)
    await world.event(VideoRemoved, video_id, seconds=10)
    await world.nothing_left(video_id)


async def test_no_discard_touches_what_another_video_or_user_owns(world: World) -> None:
    user_id, other = new_user(), new_user()
    mine = await world.import_from(world.files.serve("kept", File(video())), user_id)
    ready = await world.event(VideoReady, mine)
    others_key, unclaimed = f"videos/{other}/1.mp4", f"videos/{user_id}/gone.mp4"
    await put(world, others_key, video())
    await put(world, unclaimed, video())
    gone = video_of(user_id)
    await world.delete(gone)
    for key in (ready.s3_key, others_key, unclaimed):
        await discard(world, gone, key)

    async def erased() -> bool:
        return unclaimed not in await world.keys_of(mine)

    await eventually(erased, "the object of the deleted video being erased")
    assert await world.content(ready.s3_key) == video()
    assert await world.content(others_key) == video()


async def test_a_completion_told_twice_leaves_the_claim_of_its_worker_alone(world: World) -> None:
    user_id = new_user()
    video_id, key = video_of(user_id), f"videos/{user_id}/twice.mp4"
    await put(world, key, video())
    await world.complete(video_id, s3_key=key)
    await world.event(VideoReady, video_id)
    await looked_at(world, key)
    claim = await world.database["claims"].find_one({"_id": key})
    await world.complete(video_id, s3_key=key)
    await discard(world, video_id, f"videos/{user_id}/mark.mp4")
    await looked_at(world, f"videos/{user_id}/mark.mp4")
    await looked_at(world, key)
    assert await world.database["claims"].find_one({"_id": key}) == claim


async def test_a_retry_without_address_looks_where_the_file_was_before(world: World) -> None:
    user_id = new_user()
    video_id, key = video_of(user_id), f"videos/{user_id}/second-chance.mp4"
    await world.complete(video_id, s3_key=key)
    await world.event(VideoFailed, video_id)
    await put(world, key, video())
    await world.retry(video_id, 2, kind="generate")
    ready = await world.event(VideoReady, video_id, attempt=2)
    assert ready.s3_key == key


async def test_a_retry_after_a_cancel_takes_the_object_that_was_put_there(world: World) -> None:
    """Whether the cancel came before the object was adopted or after."""
    user_id = new_user()
    for before in (True, False):
        video_id, key = video_of(user_id), f"videos/{user_id}/cancelled-{before}.mp4"
        await put(world, key, video())
        if not before:
            await world.complete(video_id, s3_key=key)
            await world.event(VideoReady, video_id)
        await world.cancel(video_id)
        await erased(world, video_id)
        await world.retry(video_id, 2, kind="generate", s3_key=key)
        assert (await world.event(VideoReady, video_id, attempt=2)).s3_key == key
        assert await world.content(key) == video()


async def erased(world: World, video_id: str) -> None:
    """Return once what a cancelled attempt had stored is erased."""

    async def done() -> bool:
        asset = await world.asset(video_id)
        return asset.get("state") == "cancelled" and "job" not in asset

    await eventually(done, f"{video_id} being erased")


async def test_a_result_without_file_fails(world: World) -> None:
    video_id = video_of(new_user())
    await world.complete(video_id)
    assert (await world.event(VideoFailed, video_id)).code == "RESULT_INVALID"


async def test_the_newest_attempt_replaces_the_file_of_the_one_before(world: World) -> None:
    url = world.files.serve("twice", File(video()))
    video_id = video_of(new_user())
    await world.complete(video_id, video_url=url)
    await world.event(VideoReady, video_id)
    await world.complete(video_id, attempt=2, video_url=url, adopted=True)
    second = await world.event(VideoReady, video_id, attempt=2)

    async def only_second() -> bool:
        return await world.keys_of(video_id) == sorted([second.s3_key, str(second.poster_key)])

    await eventually(only_second, "only the second file left")

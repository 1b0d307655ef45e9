"""Who waits for a place of a transfer, and who does not."""

import asyncio

import pytest

from deploy.local.ports import free_port
from shared.contracts.events import TransferProgressed, TransferStarted, VideoFailed, VideoReady, VideoRemoved
from tests.driving import eventually
from tests.integration.media.file_server import File
from tests.integration.media.world import World, new_user, slow, video_of
from tests.media_files import video

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_slow_imports_of_one_user_hold_up_nobody_else(world: World) -> None:
    greedy, url = new_user(), world.files.serve("greedy", slow())
    world.files.files["greedy"].pause_seconds = 1.0
    slow_ones = []
    for _ in range(8):
        slow_ones.append(await world.import_from(url, greedy))
        await asyncio.sleep(0.002)  # an id is made of its millisecond

    async def both_places_taken() -> bool:
        return sum(bool(world.told(video_id)) for video_id in slow_ones) == 2

    await eventually(both_places_taken, "two of them begin")
    rendered = video_of(greedy)
    await world.complete(rendered, video_url=world.files.serve("rendered", File(video())))
    imported = await world.import_from(world.files.serve("quick", File(video())))
    await world.event(VideoReady, rendered)
    await world.event(VideoReady, imported)
    assert await both_places_taken()
    for video_id in slow_ones:
        await world.delete(video_id)
    for video_id in slow_ones:
        await world.event(VideoRemoved, video_id)


async def test_whose_time_is_up_fails_without_waiting_for_a_place(world: World) -> None:
    """What its user's own slow imports kept from another try said "Trying again." until one of those ended."""
    user, url = new_user(), world.files.serve("endless", slow())
    await world.stack.restart("media", {"TRANSFER_UNREACHABLE_FOR": "3"})
    try:
        nowhere = await world.import_from(f"http://127.0.0.1:{free_port()}/a.mp4", user)
        await world.event(TransferProgressed, nowhere)
        slow_ones = [await world.import_from(f"{url}?{number}", user) for number in range(2)]
        for video_id in slow_ones:
            await world.event(TransferStarted, video_id)
        assert (await world.event(VideoFailed, nowhere)).code == "SOURCE_UNREACHABLE"
        assert [(await world.asset(video_id))["state"] for video_id in slow_ones] == ["transferring"] * 2
    finally:
        await world.stack.restart("media", {"TRANSFER_UNREACHABLE_FOR": "PT5M"})
    for video_id in slow_ones:
        await world.delete(video_id)

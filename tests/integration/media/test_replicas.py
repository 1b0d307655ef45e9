"""Two media processes: one that hangs in the middle of a transfer can't harm what the other one did."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import httpx
import pytest

from deploy.local.ports import free_port
from deploy.local.site import REPOSITORY
from shared.contracts.events import TransferProgressed, VideoReady, VideoRemoved
from tests.driving import eventually
from tests.integration.media.file_server import File
from tests.integration.media.world import World
from tests.media_files import padded, video

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE = 6_000_000


@contextlib.asynccontextmanager
async def another_media(world: World) -> AsyncIterator[None]:
    """Run one more media process on the same engines."""
    port = free_port()
    environment = {**world.stack.settings("media"), "MEDIA_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.media", env=environment, cwd=REPOSITORY, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

            async def ready() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return (await client.get("/health/ready")).status_code == 200
                return False

            await eventually(ready, "the other process is ready", seconds=40)
        yield
    finally:
        process.terminate()
        await process.wait()


async def frozen_in_the_middle(world: World, name: str) -> str:
    file = File(padded(video(), SIZE), pause_seconds=0.05)
    video_id = await world.import_from(world.files.serve(name, file))
    await world.event(TransferProgressed, video_id)
    world.stack.pause("media")
    file.pause_seconds = 0.0
    return video_id


async def test_a_worker_that_was_presumed_dead_changes_nothing(world: World) -> None:
    video_id = await frozen_in_the_middle(world, "taken-over")
    try:
        async with another_media(world):
            ready = await world.event(VideoReady, video_id, seconds=60)
            stored = sorted([ready.s3_key, str(ready.poster_key)])
            assert await world.keys_of(video_id) == stored
    finally:
        world.stack.resume("media")

    async def claims_settled() -> bool:
        claims = await world.database["claims"].find({"videoId": video_id}).to_list()
        return len(claims) == 2 and not any(claim["writing"] for claim in claims)

    async def as_stored() -> bool:
        return await world.keys_of(video_id) == stored

    await eventually(claims_settled, "the old worker has given up")
    await eventually(as_stored, "what it may have finished just then is swept away")
    assert (await world.asset(video_id))["key"] == ready.s3_key
    assert world.told(video_id) == ["TransferStarted", "VideoReady"]


async def test_a_delete_is_done_by_whoever_lives(world: World) -> None:
    async with another_media(world):
        video_id = await frozen_in_the_middle(world, "deleted-by-another")
        try:
            await world.delete(video_id)
            await world.event(VideoRemoved, video_id, seconds=60)
        finally:
            world.stack.resume("media")

        async def given_up() -> bool:
            claims = await world.database["claims"].find({"videoId": video_id}).to_list()
            return not any(claim["writing"] for claim in claims)

        await eventually(given_up, "the old worker has given up")
        await world.nothing_left(video_id)
    assert world.told(video_id)[-1] == "VideoRemoved"

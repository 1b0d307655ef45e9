"""Signed URLs against the storage itself: they work, for that object, for a while, and for nothing else."""

import asyncio
import io
from urllib.parse import quote

import pytest
from minio import Minio

from tests.integration.gateway import events
from tests.integration.gateway.world import Person, World

BODY = bytes(range(256)) * 40


@pytest.fixture
def bucket(world: World) -> Minio:
    keys = world.stack.credentials
    address = world.stack.url("s3").removeprefix("http://")
    client = Minio(address, keys.s3_access_key, keys.s3_secret_key, secure=False, region="us-east-1")
    if not client.bucket_exists("reelway"):
        client.make_bucket("reelway")
    return client


@pytest.fixture
async def stored(world: World, bucket: Minio) -> tuple[Person, str]:
    person = await world.person()
    video_id = await person.ask("Größe: 7")
    key = f"videos/{person.user_id}/{video_id.rpartition('_')[2]}.mp4"
    await asyncio.to_thread(bucket.put_object, "reelway", key, io.BytesIO(BODY), len(BODY), "video/mp4")
    await world.publish(events.ready(video_id))
    await person.sees(video_id, status="ready")
    return person, video_id


async def test_a_video_plays_from_its_download_url(world: World, stored: tuple[Person, str]) -> None:
    person, video_id = stored
    url = (await person.status(video_id))["downloadUrl"]
    stranger = world.client()
    whole = await stranger.get(url)
    assert (whole.status_code, whole.content) == (200, BODY)
    part = await stranger.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, BODY[100:200])
    other = url.replace(quote(person.user_id), "somebody")
    assert (await stranger.get(other)).status_code == 403
    assert (await stranger.get(url.partition("?")[0])).status_code == 403


async def test_a_download_has_a_name(world: World, stored: tuple[Person, str]) -> None:
    person, video_id = stored
    answer = await person.client.get(f"/api/video/download/{video_id}")
    file = await world.client().get(answer.headers["location"])
    assert (file.status_code, file.content) == (200, BODY)
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe%207.mp4" in file.headers["content-disposition"]

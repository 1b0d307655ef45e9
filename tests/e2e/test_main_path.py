"""From the request to the player, through real processes: HTTP in, MP4 out, SSE seen."""

import asyncio
import hashlib
import io
import uuid
from collections.abc import Awaitable, Callable

import av
import httpx
import pytest
from minio import Minio

from deploy.local.stack import LocalStack
from tests.conftest import User
from tests.driving import CREATE, GENERATE, Json, ask, eventually, listening, status_of, wait_for_stage, wait_for_status
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(180)


def playable(data: bytes) -> tuple[str, float]:
    """Return codec and duration in seconds of a file whose first frame could be decoded."""
    with av.open(io.BytesIO(data), mode="r") as container:
        video = container.streams.video[0]
        next(container.decode(video))
        assert container.duration is not None
        return video.codec_context.name, container.duration / av.time_base


async def download(client: httpx.AsyncClient, video_id: str) -> bytes:
    """Return the file as a browser gets it: through the redirect, without the account's credentials."""
    redirect = await client.get(f"/api/video/download/{video_id}")
    assert redirect.status_code == 302, redirect.text
    async with httpx.AsyncClient() as anyone:
        answer = await anyone.get(redirect.headers["location"])
        assert answer.status_code == 200, answer.text
        return answer.content


async def test_a_script_becomes_a_watchable_video(
    user: User, new_user: Callable[[], Awaitable[User]], engine: Engine
) -> None:
    async with listening(user.client) as stream:
        video_id = await ask(user.client, "Watch me")
        complete = await stream.wait_for(video_id, "complete")
        stored = [news for news in stream.about(video_id) if news["type"] in ("download", "complete", "error")]

    assert [news["type"] for news in stored] == ["download", "complete"]
    assert stored[0]["status"] == "progress"
    assert stored[0]["message"] == "Starting video download..."
    assert complete["status"] == "success"
    assert complete["message"] == "Video downloaded and uploaded successfully!"
    assert complete["title"] == "Watch me"

    video = await wait_for_status(user.client, video_id, "ready")  # the news and the status go different ways
    data = await download(user.client, video_id)
    codec, duration = playable(data)
    metadata = video["metadata"]
    assert (video["status"], codec, metadata["codec"]) == ("ready", "h264", "h264")
    assert complete["size"] == metadata["size"] == len(data)
    assert metadata["sha256"] == hashlib.sha256(data).hexdigest()
    assert metadata["duration"] == pytest.approx(duration, abs=0.2)
    assert metadata["width"] > metadata["height"] > 0
    async with httpx.AsyncClient() as anyone:
        assert (await anyone.get(video["posterUrl"])).content.startswith(b"\xff\xd8")

    runs = await engine.executions(video_id)
    assert [run["attempt"] for run in runs] == [1]
    history = (await user.client.get("/api/video/history")).json()["data"]["workflows"]
    assert [(h["executionId"], h["status"]) for h in history] == [(runs[0]["id"], "completed")]

    stranger = (await new_user()).client
    for method, path in (
        ("GET", "status"),
        ("GET", "download"),
        ("DELETE", "delete"),
        ("POST", "retry"),
        ("POST", "cancel"),
    ):
        answer = await stranger.request(method, f"/api/video/{path}/{video_id}")
        assert answer.status_code == 404, (path, answer.text)


async def test_deleting_removes_record_file_and_poster(user: User, stack: LocalStack) -> None:
    async with listening(user.client) as stream:
        video_id = await ask(user.client, "Delete me")
        await stream.wait_for(video_id, "complete")
        answer = await user.client.delete(f"/api/video/delete/{video_id}")
        assert (answer.status_code, answer.json()["message"]) == (200, "Video deleted")
        assert (await user.client.get(f"/api/video/status/{video_id}")).status_code == 404
        assert (await user.client.get("/api/video/gallery")).json()["data"]["videos"] == []
        await stream.wait_for(video_id, "removed")
    assert objects_of(stack, video_id) == []


async def test_create_goes_the_same_way(user: User) -> None:
    answer = await user.client.post("/api/video/create", json=CREATE)
    assert answer.status_code == 202, answer.text
    video_id = answer.json()["data"]["videoId"]
    await wait_for_status(user.client, video_id, "ready")
    assert playable(await download(user.client, video_id))[0] == "h264"


async def test_a_file_at_a_url_is_imported(user: User) -> None:
    first = await wait_for_status(user.client, await ask(user.client, "Original"), "ready")
    body = {"videoUrl": first["metadata"]["originalUrl"], "title": "Copy"}
    answer = await user.client.post("/api/video/download-video", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["message"] == "Video download started successfully"
    copy = await wait_for_status(user.client, answer.json()["data"]["videoId"], "ready")
    assert copy["title"] == "Copy"
    assert copy["metadata"]["sha256"] == first["metadata"]["sha256"]
    assert copy["s3Key"] != first["s3Key"]


async def test_the_same_request_twice_at_once_is_one_video(user: User, engine: Engine) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    body = {**GENERATE, "title": "Only once"}
    both = await asyncio.gather(
        *(user.client.post("/api/video/generate-video", json=body, headers=headers) for _ in range(2))
    )
    assert [answer.status_code for answer in both] == [202, 202]
    assert both[0].json() == both[1].json()
    video_id = both[0].json()["data"]["videoId"]
    await wait_for_status(user.client, video_id, "ready")
    assert len(await engine.executions(video_id)) == 1
    other = await user.client.post("/api/video/generate-video", json={**body, "hook": "Else"}, headers=headers)
    assert other.status_code == 422


async def test_an_object_that_the_workflow_stored_itself_is_adopted(
    user: User, stack: LocalStack, engine: Engine
) -> None:
    source = await download(user.client, (await finished(user, "Source"))["videoId"])
    await engine.fault("Stored by the workflow", {"kind": "callback-never"})
    video_id = await ask(user.client, "Stored by the workflow")
    await wait_for_stage(user.client, video_id, "rendering")
    key = f"videos/{video_id.rpartition('_')[0]}/from-the-workflow.mp4"
    storage(stack).put_object("reelway", key, io.BytesIO(source), len(source), "video/mp4")

    async def report(s3_key: str) -> int:
        body = {"videoId": video_id, "status": "ready", "s3Key": s3_key, "metadata": {"size": len(source)}}
        headers = {"X-Webhook-Secret": stack.webhook_secret}
        async with httpx.AsyncClient(base_url=stack.url("gateway")) as n8n:
            return (await n8n.post("/api/webhook/video-complete", json=body, headers=headers)).status_code

    assert await report(key) == 202
    video = await wait_for_status(user.client, video_id, "ready")
    assert video["s3Key"] == key
    assert video["metadata"]["sha256"] == hashlib.sha256(source).hexdigest()


async def finished(user: User, title: str) -> Json:
    """Ask for a video and return it when it is ready."""
    return await wait_for_status(user.client, await ask(user.client, title), "ready")


def storage(stack: LocalStack) -> Minio:
    """Return a client of the stack's object storage."""
    keys = stack.credentials
    address = stack.url("s3").removeprefix("http://")
    return Minio(address, keys.s3_access_key, keys.s3_secret_key, secure=False, region="us-east-1")


def objects_of(stack: LocalStack, video_id: str) -> list[str]:
    """Return the keys of everything stored for the owner of a video."""
    prefix = f"videos/{video_id.rpartition('_')[0]}/"
    return [str(found.object_name) for found in storage(stack).list_objects("reelway", prefix, recursive=True)]


async def test_statuses_never_go_backwards_while_a_video_is_made(user: User) -> None:
    order = ["pending", "processing", "ready"]
    video_id = await ask(user.client, "Forward only")
    seen: list[str] = []

    async def look() -> bool:
        seen.append((await status_of(user.client, video_id))["status"])
        return seen[-1] == "ready"

    await eventually(look, "ready", 60)
    assert [order.index(status) for status in seen] == sorted(order.index(status) for status in seen)

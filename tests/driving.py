"""Drives Reelway as its users do: asks, waits for a condition with a deadline, listens to the live stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx

from deploy.local.stack import LocalStack
from tests.conftest import User
from tests.waiting import until

GENERATE: dict[str, Any] = {
    "hook": "Three things buyers forget.",
    "body": "First the roof. Then the street at night. Last of all the neighbours.",
    "conclusion": "Ask us before you sign.",
    "company_name": "Rosewood Homes",
    "social_handles": "@rosewood",
    "license": "CA-1234",
    "avatar_title": "nobody-in-particular",
    "avatar_body": "nobody-in-particular",
    "avatar_conclusion": "nobody-in-particular",
    "email": "contact@example.com",
    "title": "Three things buyers forget",
}

CREATE: dict[str, Any] = {
    "prompt": "A short tour of a quiet street.",
    "avatar": ["nobody-in-particular"],
    "name": "Ana Lima",
    "position": "Agent",
    "companyName": "Rosewood Homes",
    "license": "CA-1234",
    "tailoredFit": "first-time buyers",
    "socialHandles": "@rosewood",
    "videoTopic": "Quiet streets",
    "topicKeyPoints": "noise, light, trees",
    "city": "Porto",
    "preferredTone": "calm",
    "callToAction": "Call us today.",
    "email": "contact@example.com",
}

STAGE_SECONDS = 0.05
"""Stages are short, as quickly as everything goes in tests."""

Json = dict[str, Any]
Found = TypeVar("Found")


async def eventually(
    look: Callable[[], Awaitable[Found | None]], what: str, seconds: float = 40.0, *, every_seconds: float | None = None
) -> Found:
    """Return what `look` finds once it is something; fail with `what` after `seconds`."""
    found: Found = await until(look, what, within_seconds=seconds, every_seconds=every_seconds)
    return found


async def ask(client: httpx.AsyncClient, title: str, **changes: Any) -> str:
    """Ask for a generated video and return its videoId."""
    answer = await client.post("/api/video/generate-video", json={**GENERATE, "title": title, **changes})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["videoId"])


async def status_of(client: httpx.AsyncClient, video_id: str) -> Json:
    """Return the video as its owner sees it."""
    answer = await client.get(f"/api/video/status/{video_id}")
    assert answer.status_code == 200, answer.text
    data: Json = answer.json()["data"]
    return data


async def wait_for_status(client: httpx.AsyncClient, video_id: str, wanted: str, seconds: float = 60.0) -> Json:
    """Return the video once its status is `wanted`; fail at once where it ends otherwise."""

    async def look() -> Json | None:
        video = await status_of(client, video_id)
        if wanted == "ready":
            assert video["status"] != "failed", video
        return video if video["status"] == wanted else None

    return await eventually(look, f"{video_id} {wanted}", seconds)


async def wait_for_stage(client: httpx.AsyncClient, video_id: str, *wanted: str, seconds: float = 40.0) -> Json:
    """Return the video once it is in one of the stages `wanted`."""

    async def look() -> Json | None:
        video = await status_of(client, video_id)
        return video if video["stage"] in wanted else None

    return await eventually(look, f"{video_id} in stage {wanted}", seconds, every_seconds=STAGE_SECONDS)


async def timeline_of(client: httpx.AsyncClient, video_id: str) -> Json:
    """Return what is told of a video, and where it stands."""
    answer = await client.get(f"/api/video/timeline/{video_id}")
    assert answer.status_code == 200, answer.text
    data: Json = answer.json()["data"]
    return data


async def timeline_with(client: httpx.AsyncClient, video_id: str, *wanted: tuple[int, str]) -> Json:
    """Return the timeline once it has an entry of each (attempt, code)."""

    async def look() -> Json | None:
        data = await timeline_of(client, video_id)
        return data if set(wanted) <= {(entry["attempt"], entry["code"]) for entry in data["entries"]} else None

    return await eventually(look, f"{wanted}")


class Stream:
    """What one live stream has brought so far: (event name, id, data), in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Json]] = []

    def about(self, video_id: str, *types: str) -> list[Json]:
        """Return the news about one video, of these types or of all."""
        return [
            data
            for name, _, data in self.seen
            if name == "video-download-update"
            and data.get("videoId") == video_id
            and (not types or data["type"] in types)
        ]

    async def wait_for(self, video_id: str, kind: str, seconds: float = 60.0) -> Json:
        """Return the first news of type `kind` about the video."""

        async def look() -> Json | None:
            return next(iter(self.about(video_id, kind)), None)

        return await eventually(look, f"news {kind!r} about {video_id}; seen: {self.about(video_id)}", seconds)


@asynccontextmanager
async def listening(client: httpx.AsyncClient, last_event_id: str | None = None) -> AsyncIterator[Stream]:
    """Open the live stream through the gateway and collect what it brings."""
    stream = Stream()
    headers = {"Last-Event-ID": last_event_id} if last_event_id is not None else {}
    opened = asyncio.Event()
    reader = asyncio.create_task(_read(client, headers, stream, opened))
    try:
        waiting = asyncio.create_task(opened.wait())
        await asyncio.wait({waiting, reader}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if reader.done():
            reader.result()
        assert opened.is_set(), "the stream did not open"
        yield stream
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _read(client: httpx.AsyncClient, headers: dict[str, str], stream: Stream, opened: asyncio.Event) -> None:
    path = "/api/notifications/stream"
    async with client.stream("GET", path, headers=headers, timeout=httpx.Timeout(10, read=60)) as answer:
        assert answer.status_code == 200, await answer.aread()
        name, event_id, data = "message", "", ""
        async for line in answer.aiter_lines():
            opened.set()
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    stream.seen.append((name, event_id, json.loads(data)))
                name, data = "message", ""
            elif field == "event":
                name = value
            elif field == "id":
                event_id = value
            elif field == "data":
                data += value


@asynccontextmanager
async def away(stack: LocalStack, name: str) -> AsyncIterator[None]:
    """Have one process killed for a while."""
    await stack.kill(name)
    try:
        yield
    finally:
        if stack.pid(name) is None:
            await stack.start(name)


async def webhook(stack: LocalStack, path: str, body: Json, **headers: str) -> httpx.Response:
    """Post a callback as n8n would."""
    async with httpx.AsyncClient(base_url=stack.url("gateway"), timeout=15) as n8n:
        return await n8n.post(f"/api/webhook/{path}", json=body, headers=headers)


async def marker_passed(user: User) -> None:
    """Let another video of the same user go through all of it: what was still under way has arrived by then."""
    await wait_for_stage(user.client, await ask(user.client, "Marker"), "ready", seconds=60)

"""What a test does to the media service, and what it sees of it."""

import asyncio
import time
import uuid
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from minio import Minio
from pymongo.asynchronous.database import AsyncDatabase

from deploy.local.stack import LocalStack
from shared.contracts import topics
from shared.contracts.cloudevents import decode, encode
from shared.contracts.events import (
    Event,
    TransferNoted,
    TransferProgressed,
    VideoCancelled,
    VideoDeleted,
    VideoEvent,
    VideoImportRequested,
    VideoReady,
    VideoRetryRequested,
    WorkflowCompleted,
    event_id,
)
from tests.driving import eventually
from tests.integration.media.file_server import File, FileServer
from tests.media_files import padded, video

BUCKET = "reelway"
SLOW_BYTES = 6_000_000
WATCHED = (topics.VIDEO_ASSETS.name,)

SomeEvent = TypeVar("SomeEvent", bound=Event)


def new_user() -> str:
    return f"ann{uuid.uuid4().hex[:10]}"


def video_of(user_id: str) -> str:
    return f"{user_id}_{time.time_ns() // 1_000_000}"


def slow(**changes: Any) -> File:
    """Return a file that takes some ten seconds unless it is made quicker."""
    return File(padded(video(), SLOW_BYTES), pause_seconds=0.05, **changes)


class World:
    """One media service with engines of its own, and the server it fetches from."""

    def __init__(
        self,
        stack: LocalStack,
        files: FileServer,
        bucket: Minio,
        producer: AIOKafkaProducer,
        database: AsyncDatabase[dict[str, Any]],
    ) -> None:
        self.stack = stack
        self.files = files
        self.database = database
        self.bucket = bucket
        self.published: list[Event] = []
        self._producer = producer

    # --- doing ---

    async def publish(self, event: Event) -> None:
        record = encode(event, "test")
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        await self._producer.send_and_wait(record.topic, record.value, record.key, headers=headers)

    async def import_from(self, url: str, user_id: str | None = None) -> str:
        """Ask for the file at `url`; return the video's id."""
        user_id = user_id or new_user()
        video_id = video_of(user_id)
        await self.ask_again(video_id, url)
        return video_id

    async def ask_again(self, video_id: str, url: str) -> None:
        """Ask for the file at `url` as video `video_id`."""
        await self.publish(VideoImportRequested(**_named(video_id, 1), request_id="r", title="A tour", video_url=url))

    async def complete(self, video_id: str, attempt: int = 1, **result: Any) -> None:
        """Say that the workflow delivered."""
        named = _named(video_id, attempt, "completed")
        await self.publish(WorkflowCompleted(**named, title="A tour", email="a@example.com", **result))

    async def retry(self, video_id: str, attempt: int, **changes: Any) -> None:
        fields = {"kind": "import", "restart": "transfer", "request_id": "r", "title": "A tour", **changes}
        await self.publish(VideoRetryRequested(**_named(video_id, attempt), **fields))

    async def cancel(self, video_id: str, attempt: int = 1) -> None:
        await self.publish(VideoCancelled(**_named(video_id, attempt, "cancel"), title="A tour"))

    async def delete(self, video_id: str, attempt: int = 1) -> None:
        await self.publish(VideoDeleted(**_named(video_id, attempt, "delete"), title="A tour"))

    # --- seeing ---

    async def watch(self, consumer: AIOKafkaConsumer) -> None:
        """Collect what media publishes, for ever."""
        async for record in consumer:
            headers = {name: value.decode() for name, value in record.headers}
            self.published.append(decode(headers, record.value))

    def told(self, video_id: str, attempt: int = 1) -> list[str]:
        """Return the types of the events about an attempt in order; repeats, progress and notes left out."""
        ids = {e.id: type(e).__name__ for e in self.published if _about(e, video_id, attempt)}
        return [name for name in ids.values() if name not in (TransferProgressed.__name__, TransferNoted.__name__)]

    def notes(self, video_id: str, attempt: int = 1) -> list[TransferNoted]:
        """Return what was noted about an attempt for its timeline, repeats left out, in order."""
        found = {e.id: e for e in self.published if isinstance(e, TransferNoted) and _about(e, video_id, attempt)}
        return list(found.values())

    async def event(self, kind: type[SomeEvent], video_id: str, attempt: int = 1, seconds: float = 20) -> SomeEvent:
        """Return the first event of that type about an attempt, once it is there."""

        async def look() -> SomeEvent | None:
            return next((e for e in self.published if isinstance(e, kind) and _about(e, video_id, attempt)), None)

        return await eventually(look, f"{kind.__name__} of {video_id}; told {self.told(video_id, attempt)}", seconds)

    async def asset(self, video_id: str) -> dict[str, Any]:
        return await self.database["assets"].find_one({"_id": video_id}) or {}

    async def keys_of(self, video_id: str) -> list[str]:
        """Return the keys of all objects of the video's owner."""
        prefix = f"videos/{video_id.rpartition('_')[0]}/"
        found = await asyncio.to_thread(lambda: list(self.bucket.list_objects(BUCKET, prefix, recursive=True)))
        return sorted(str(one.object_name) for one in found)

    async def content(self, key: str) -> bytes:
        def read() -> bytes:
            response = self.bucket.get_object(BUCKET, key)
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()

        return await asyncio.to_thread(read)

    async def content_type(self, key: str) -> str | None:
        return (await asyncio.to_thread(self.bucket.stat_object, BUCKET, key)).content_type

    async def nothing_left(self, video_id: str, seconds: float = 20) -> None:
        async def look() -> bool:
            return not await self.keys_of(video_id)

        await eventually(look, f"{video_id} without objects", seconds)

    async def asked_for(self, name: str, times: int = 1, seconds: float = 20) -> list[str | None]:
        """Return the requests for a file once there are that many."""

        async def look() -> list[str | None] | None:
            asked = self.files.asked[name]
            return asked if len(asked) >= times else None

        return await eventually(look, f"{times} requests for {name}", seconds)


def _named(video_id: str, attempt: int, transition: str = "requested") -> dict[str, Any]:
    return {
        "id": event_id(video_id, attempt, transition),
        "video_id": video_id,
        "user_id": video_id.rpartition("_")[0],
        "attempt": attempt,
    }


def _about(event: Event, video_id: str, attempt: int) -> bool:
    return isinstance(event, VideoEvent) and (event.video_id, event.attempt) == (video_id, attempt)


async def under_way(world: World, name: str, file: File | None = None) -> str:
    """Have a slow file imported; return the video's id once bytes of it flow."""
    video_id = await world.import_from(world.files.serve(name, file or slow()))
    await world.event(TransferProgressed, video_id)
    return video_id


async def bucket_agrees(world: World, video_id: str, attempt: int = 1, seconds: float = 20) -> VideoReady:
    """Return the news of the stored file once the bucket holds it and its poster and nothing else."""
    ready = await world.event(VideoReady, video_id, attempt, seconds)

    async def agreed() -> bool:
        return await world.keys_of(video_id) == sorted([ready.s3_key, str(ready.poster_key)])

    await eventually(agreed, f"one file and one poster of {video_id}")
    assert (await world.asset(video_id))["key"] == ready.s3_key
    return ready

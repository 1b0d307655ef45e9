"""What a test does to the generator, and what it sees of it."""

import uuid
from typing import Any, TypeVar

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo.asynchronous.database import AsyncDatabase

from deploy.local.stack import LocalStack
from shared.contracts import topics
from shared.contracts.cloudevents import decode, encode
from shared.contracts.events import (
    CompletionReported,
    Event,
    ProgressReported,
    VideoCancelled,
    VideoEvent,
    VideoRequested,
    WorkflowErrorReported,
    WorkflowNoted,
    WorkflowStarted,
    event_id,
)
from tests.driving import eventually
from tests.integration.generator.scripted_n8n import Answer, Received, ScriptedN8n
from tests.integration.generator.wishes import retry_of

SomeEvent = TypeVar("SomeEvent", bound=Event)

FIELDS = {
    "hook": "Stop scrolling.",
    "body": "Rates moved again this week.",
    "conclusion": "Call me.",
    "company_name": "Harbor Homes",
    "social_handles": "@harbor",
    "license": "RE 123",
    "avatar_title": "amara-okafor",
    "avatar_body": "ben-whitaker",
    "avatar_conclusion": "amara-okafor",
    "email": "ann@example.com",
    "title": "Rates",
}


class World:
    """One generator with Kafka and a database of its own, and the workflow engine it calls."""

    def __init__(
        self, stack: LocalStack, n8n: ScriptedN8n, producer: AIOKafkaProducer, database: AsyncDatabase[dict[str, Any]]
    ) -> None:
        self.stack = stack
        self.n8n = n8n
        self.database = database
        self.published: list[Event] = []
        self.producer = producer

    # --- doing ---

    async def publish(self, event: Event, key: str | None = None) -> None:
        record = encode(event, "test")
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        await self.producer.send_and_wait(record.topic, record.value, (key or event.key()).encode(), headers=headers)

    async def request(self, answer: Answer | None = None, **changes: Any) -> VideoRequested:
        """Ask for a video that the engine will answer so."""
        video_id = changes.pop("video_id", None) or f"ann{uuid.uuid4().hex[:8]}_1700000000000"
        event = VideoRequested(
            **{
                "id": event_id(video_id, 1, "requested"),
                "video_id": video_id,
                "user_id": "ann",
                "attempt": 1,
                "kind": "generate",
                "request_id": f"video_{video_id}",
                "title": "Rates",
                "email": "ann@example.com",
                "fields": FIELDS,
                **changes,
            }
        )
        if answer is not None:
            self.n8n.script[video_id] = answer
        await self.publish(event)
        return event

    async def retry(self, event: VideoRequested, answer: Answer) -> None:
        """Begin the second attempt, which the engine will answer so; return once that is known to have started."""
        self.n8n.script[event.video_id] = answer
        await self.publish(retry_of(event))
        await self.event(WorkflowStarted, event.video_id, attempt=2)

    async def complete(self, video_id: str, attempt: int | None = 1, **changes: Any) -> str:
        receipt = uuid.uuid4().hex
        event = {"status": "ready", "video_url": f"https://files.example.com/{video_id}.mp4", **changes}
        await self.publish(
            CompletionReported(id=receipt, receipt_id=receipt, video_id=video_id, attempt=attempt, **event)
        )
        return receipt

    async def report_error(self, execution_id: str, message: str = "Avatar generation failed", **changes: Any) -> str:
        receipt = uuid.uuid4().hex
        await self.publish(
            WorkflowErrorReported(
                id=receipt, receipt_id=receipt, execution_id=execution_id, error_message=message, **changes
            )
        )
        return receipt

    async def report_progress(self, video_id: str, progress: float, execution_id: str | None = None) -> None:
        await self.publish(
            ProgressReported(
                id=uuid.uuid4().hex, video_id=video_id, attempt=1, execution_id=execution_id, progress=progress
            )
        )

    # --- seeing ---

    async def watch(self, consumer: AIOKafkaConsumer) -> None:
        """Collect what the generator publishes, for ever."""
        async for record in consumer:
            headers = {name: value.decode() for name, value in record.headers}
            self.published.append(decode(headers, record.value))

    def told(self, video_id: str, attempt: int = 1) -> list[str]:
        """Return the types of the events about an attempt, repeats and notes left out, in order."""
        ids = {e.id: type(e).__name__ for e in self.published if self._about(e, video_id, attempt)}
        return [name for name in ids.values() if name != WorkflowNoted.__name__]

    def notes(self, video_id: str, attempt: int = 1) -> list[WorkflowNoted]:
        """Return what was noted about an attempt for its timeline, repeats left out, in order."""
        found = {e.id: e for e in self.published if isinstance(e, WorkflowNoted) and self._about(e, video_id, attempt)}
        return list(found.values())

    async def event(self, kind: type[SomeEvent], video_id: str, attempt: int = 1, seconds: float = 20) -> SomeEvent:
        """Return the first event of that type about an attempt, once it is there."""

        async def look() -> SomeEvent | None:
            return next((e for e in self.published if isinstance(e, kind) and self._about(e, video_id, attempt)), None)

        return await eventually(look, f"{kind.__name__} of {video_id}; told {self.told(video_id, attempt)}", seconds)

    async def document(self, video_id: str, attempt: int = 1) -> dict[str, Any]:
        return await self.database["workflows"].find_one({"_id": f"{video_id}:{attempt}"}) or {}

    async def state(self, video_id: str, *states: str, attempt: int = 1, seconds: float = 20) -> dict[str, Any]:
        """Return the attempt's document once it is in one of these states."""

        async def look() -> dict[str, Any] | None:
            document = await self.document(video_id, attempt)
            return document if document.get("state") in states else None

        return await eventually(look, f"{video_id} in {states}", seconds)

    async def called(self, video_id: str, times: int = 1, seconds: float = 20) -> list[Received]:
        """Return the calls about a video once there are that many."""

        async def look() -> list[Received] | None:
            calls = self.n8n.calls[video_id]
            return calls if len(calls) >= times else None

        return await eventually(look, f"{times} calls about {video_id}", seconds)

    async def requests_handled(self, video_id: str) -> None:
        """Return when all requests published about the video were handled: those of one key are, in order."""
        mark = f"mark{uuid.uuid4().hex}_1"
        event = VideoCancelled(id=mark, video_id=mark, user_id="ann", attempt=1, title="mark")
        await self.publish(event, key=video_id)
        await self.state(mark, "cancelled")

    async def callbacks_handled(self, video_id: str) -> None:
        """Return when all callbacks published about the video were handled."""
        mark = f"mark{uuid.uuid4().hex}_1"
        event = CompletionReported(id=mark, receipt_id=mark, video_id=mark, attempt=1, status="failed")
        await self.publish(event, key=video_id)
        await eventually(lambda: self.database["held"].find_one({"_id": mark}), "the mark being held")

    async def held(self, receipt: str, state: str = "held", seconds: float = 20) -> dict[str, Any]:
        """Return a held callback's document once it is in that state."""
        look = self.database["held"].find_one
        return await eventually(lambda: look({"_id": receipt, "state": state}), f"{receipt} {state}", seconds)

    async def metric(self, series: str) -> float:
        """Return the value of one of the generator's series, 0 while it has none."""
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            text = (await client.get(f"{self.stack.url('generator')}/metrics")).text
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{series} ")), 0.0)

    @staticmethod
    def _about(event: Event, video_id: str, attempt: int) -> bool:
        return isinstance(event, VideoEvent) and (event.video_id, event.attempt) == (video_id, attempt)


WATCHED = (topics.VIDEO_WORKFLOWS.name, topics.CATALOG.name)

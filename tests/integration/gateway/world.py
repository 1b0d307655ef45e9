"""What a test does to the gateway, and what it sees of it."""

import asyncio
import ssl
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from deploy.local.stack import LocalStack
from shared.contracts import topics
from shared.contracts.cloudevents import decode, encode
from shared.contracts.events import Event
from tests.driving import GENERATE, eventually

ENGINES = ("kafka", "gateway-db")
STORAGE = {"S3_ENDPOINT": "http://127.0.0.1:9", "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret"}
"""Where there is no storage: URLs are signed all the same."""

WATCHED = (topics.VIDEO_REQUESTS.name, topics.VIDEO_CALLBACKS.name)

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Loading the usual certificates for every client would take longer than most tests."""

Json = dict[str, Any]
SomeEvent = TypeVar("SomeEvent", bound=Event)


@dataclass(frozen=True)
class Person:
    """Somebody with an account and a client that carries their bearer token."""

    user_id: str
    email: str
    password: str
    token: str
    client: httpx.AsyncClient

    async def ask(self, title: str = "A tour", **headers: str) -> str:
        """Ask for a generated video; return its id."""
        body = {**GENERATE, "title": title}
        answer = await self.client.post("/api/video/generate-video", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["data"]["videoId"])

    async def status(self, video_id: str) -> Json:
        answer = await self.client.get(f"/api/video/status/{video_id}")
        assert answer.status_code == 200, answer.text
        data: Json = answer.json()["data"]
        return data

    async def sees(self, video_id: str, **wanted: Any) -> Json:
        """Return the status of the video as soon as it has these values."""
        seen: list[Json] = []

        async def look() -> Json | None:
            seen[:] = [await self.status(video_id)]
            return seen[0] if all(seen[0].get(name) == value for name, value in wanted.items()) else None

        try:
            return await eventually(look, str(wanted))
        except AssertionError as error:
            raise AssertionError(f"wanted {wanted}, saw {seen}") from error


class World:
    """One gateway, and the rest of Reelway played by the test."""

    def __init__(self, stack: LocalStack, database: AsyncDatabase[Json], people: AsyncExitStack) -> None:
        self.stack = stack
        self.database = database
        self.published: list[Event] = []
        self._people = people
        self._producer: AIOKafkaProducer | None = None

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Return a client of the gateway, logged in as nobody, closed at the end of the test."""
        client = httpx.AsyncClient(base_url=self.stack.url("gateway"), timeout=30, verify=NO_TLS, **options)
        self._people.push_async_callback(client.aclose)
        return client

    async def person(self) -> Person:
        """Register somebody new."""
        email, password = f"ann-{uuid.uuid4().hex[:12]}@example.com", uuid.uuid4().hex
        client = self.client()
        made = await client.post("/api/auth/register", json={"email": email, "password": password, "name": "Ann"})
        assert made.status_code == 201, made.text
        login = await client.post("/api/auth/login", json={"email": email, "password": password})
        assert login.status_code == 200, login.text
        token = login.json()["data"]["accessToken"]
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {token}"
        return Person(made.json()["data"]["userId"], email, password, token, client)

    async def post_webhook(self, path: str, body: Json, **headers: str) -> httpx.Response:
        """Send a webhook with the shared secret, or with other headers."""
        sent = headers or {"X-Webhook-Secret": self.stack.webhook_secret}
        return await self.client().post(f"/api/webhook/{path}", json=body, headers=sent)

    async def kafka_prepared(self) -> None:
        """Return once the gateway has made its topics: a client that asks earlier gets them made wrongly."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.stack.url("kafka"))
        await admin.start()

        async def made() -> bool | None:
            return {topic.name for topic in topics.ALL} <= set(await admin.list_topics()) or None

        try:
            await eventually(made, "topics")
        finally:
            await admin.close()

    async def publish(self, *events: Event) -> None:
        """Say something on Kafka as one of the other services."""
        if self._producer is None:
            await self.kafka_prepared()
            self._producer = AIOKafkaProducer(bootstrap_servers=self.stack.url("kafka"), acks="all")
            await self._producer.start()
            self._people.push_async_callback(self._producer.stop)
        for event in events:
            record = encode(event, "test")
            headers = [(name, value.encode()) for name, value in record.headers.items()]
            await self._producer.send_and_wait(record.topic, record.value, record.key, headers=headers)

    async def watch(self) -> None:
        """Begin to collect what the gateway publishes, from the oldest event on."""
        await self.kafka_prepared()
        consumer = AIOKafkaConsumer(
            *WATCHED, bootstrap_servers=self.stack.url("kafka"), auto_offset_reset="earliest", fetch_max_wait_ms=20
        )
        await consumer.start()
        watching = asyncio.create_task(self._collect(consumer))

        async def stop() -> None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await consumer.stop()

        self._people.push_async_callback(stop)

    async def _collect(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            headers = {name: value.decode() for name, value in record.headers}
            self.published.append(decode(headers, record.value))

    async def told(self, kind: type[SomeEvent], **wanted: Any) -> SomeEvent:
        """Return the first event of this type with these values as soon as the gateway has published it."""

        async def look() -> SomeEvent | None:
            return next(iter(self.all_told(kind, **wanted)), None)

        return await eventually(look, f"{kind.__name__} with {wanted}")

    def all_told(self, kind: type[SomeEvent], **wanted: Any) -> list[SomeEvent]:
        """Return every such event published so far, repeats left out."""
        found = {
            event.id: event
            for event in self.published
            if isinstance(event, kind) and all(getattr(event, name) == value for name, value in wanted.items())
        }
        return list(found.values())


@asynccontextmanager
async def world_of(stack: LocalStack) -> AsyncIterator[World]:
    """Return the world around a running gateway, for one test."""
    async with AsyncExitStack() as people:
        mongo: AsyncMongoClient[Json] = AsyncMongoClient(stack.settings("gateway")["GATEWAY_MONGO_URL"], tz_aware=True)
        people.push_async_callback(mongo.close)
        yield World(stack, mongo["gateway"], people)


def unknown_video() -> str:
    """Return the id of a video that nobody asked for."""
    return f"{uuid.uuid4().hex[:24]}_{time.time_ns() // 1_000_000}"

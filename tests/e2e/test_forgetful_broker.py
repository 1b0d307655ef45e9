"""A broker that confirms an event and forgets it before it was read: nothing is lost, and nothing happens twice.

Who should have read it is frozen until the event was published, and the broker, which keeps everything in memory, is
killed: so the event is lost for certain.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from pymongo import AsyncMongoClient

from deploy.local.stack import LocalStack
from services.gateway.domain import FOREVER
from tests.conftest import User
from tests.driving import Json, ask, eventually, status_of, wait_for_stage, wait_for_status
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)

READING_SECONDS = 2.0
"""Longer than a consumer's read waits at the broker (KAFKA_FETCH_WAIT)."""

Documents = Callable[[str, str, Json], Awaitable[list[Json]]]


@pytest.fixture
async def documents(stack: LocalStack) -> AsyncIterator[Documents]:
    """Looks into a service's database: (service, collection, query)."""
    clients: dict[str, AsyncMongoClient[Json]] = {}

    async def find(service: str, collection: str, query: Json) -> list[Json]:
        if service not in clients:
            clients[service] = AsyncMongoClient(stack.settings(service)[f"{service.upper()}_MONGO_URL"])
        return await clients[service][service][collection].find(query).to_list()

    yield find
    for client in clients.values():
        await client.close()


@asynccontextmanager
async def forgotten_by(stack: LocalStack, deaf: str) -> AsyncIterator[None]:
    """Freeze a service, and have the broker forget what was published inside before it goes on.

    It goes on before the broker is back: woken between its old membership of a group and a new one, it would leave a
    member behind that the embedded broker waits for, and never drops.
    """
    stack.pause(deaf)
    try:
        await asyncio.sleep(READING_SECONDS)  # or its last read, which waits at the broker, is given what comes now
        yield
        await stack.kill("kafka")
    finally:
        stack.resume(deaf)
    await eventually(lambda: _lost_the_broker(stack, deaf), f"{deaf} sees that the broker is away")
    await stack.start("kafka")


async def _lost_the_broker(stack: LocalStack, name: str) -> bool:
    async with httpx.AsyncClient(base_url=stack.url(name), timeout=10) as client:
        health = (await client.get("/health/ready")).json()
    return bool(health["dependencies"]["kafka"] != "up")


async def published(find: Documents, service: str, collection: str, query: Json, count: int = 1) -> None:
    """Return once `count` such documents are there and none of their events is still to be published."""

    async def look() -> bool:
        found = await find(service, collection, query)
        return len(found) >= count and not any("outbox" in document for document in found)

    await eventually(look, f"{service}.{collection} has published", 90)


async def ends_well(user: User, engine: Engine, video_id: str) -> None:
    await wait_for_status(user.client, video_id, "ready", 90)

    async def told() -> list[str]:
        notes = (await user.client.get("/api/notifications")).json()["data"]["notifications"]
        return [note["type"] for note in notes if note["videoId"] == video_id and note["type"] in ("complete", "error")]

    assert await eventually(told, "the end is told", 90) == ["complete"]
    assert len(await engine.executions(video_id)) == 1, "paid once"


async def rendering(user: User, engine: Engine, title: str, *, seconds: int) -> str:
    """Return the id of a video that the engine works on for so long."""
    await engine.fault(title, {"kind": "slow", "seconds": seconds})
    video_id = await ask(user.client, title)
    await wait_for_stage(user.client, video_id, "rendering")
    return video_id


async def test_a_request_that_was_forgotten(
    user: User, stack: LocalStack, engine: Engine, documents: Documents
) -> None:
    async with forgotten_by(stack, "generator"):
        video_id = await ask(user.client, "Forgotten request")
        await published(documents, "gateway", "videos", {"_id": video_id})
    await ends_well(user, engine, video_id)


async def test_a_callback_that_was_forgotten(
    user: User, stack: LocalStack, engine: Engine, documents: Documents
) -> None:
    video_id = await rendering(user, engine, "Forgotten callback", seconds=2)
    async with forgotten_by(stack, "generator"):
        await published(documents, "gateway", "receipts", {"videoId": video_id, "purpose": "complete"})
    await ends_well(user, engine, video_id)


async def test_a_result_that_was_forgotten(user: User, stack: LocalStack, engine: Engine) -> None:
    async with forgotten_by(stack, "media"):
        video_id = await ask(user.client, "Forgotten result")
        await wait_for_stage(user.client, video_id, "completed")
    await ends_well(user, engine, video_id)


@pytest.mark.parametrize("deaf", ["gateway", "notifier"])
async def test_an_end_that_was_forgotten(
    user: User, stack: LocalStack, engine: Engine, documents: Documents, deaf: str
) -> None:
    title = f"End forgotten by {deaf}"
    await engine.fault(title, {"kind": "file-slow", "bytesPerSecond": 60_000})
    video_id = await ask(user.client, title)
    await wait_for_stage(user.client, video_id, "transferring")
    async with forgotten_by(stack, deaf):
        await published(documents, "media", "assets", {"_id": video_id, "state": "ready"})
    await ends_well(user, engine, video_id)


async def test_a_deletion_that_was_forgotten(user: User, stack: LocalStack, documents: Documents) -> None:
    video_id = await ask(user.client, "Forgotten deletion")
    await wait_for_status(user.client, video_id, "ready")
    async with forgotten_by(stack, "media"):
        assert (await user.client.delete(f"/api/video/delete/{video_id}")).status_code == 200
        await published(documents, "gateway", "videos", {"_id": video_id, "status": "deleted"})
    await published(documents, "media", "assets", {"_id": video_id, "erasedAt": {"$exists": True}})


async def test_a_deletion_that_only_the_generator_has_not_heard(
    user: User, stack: LocalStack, engine: Engine, documents: Documents
) -> None:
    video_id = await rendering(user, engine, "Deletion forgotten by one", seconds=180)
    async with forgotten_by(stack, "generator"):
        assert (await user.client.delete(f"/api/video/delete/{video_id}")).status_code == 200
        await published(documents, "gateway", "videos", {"_id": video_id, "toldOrder": FOREVER})

    async def stopped() -> bool:
        return [run["status"] for run in await engine.executions(video_id)] == ["canceled"]

    await eventually(stopped, "its run costs nothing any more", 90)


async def test_a_cancellation_that_was_forgotten(
    user: User, stack: LocalStack, engine: Engine, documents: Documents
) -> None:
    video_id = await rendering(user, engine, "Forgotten cancellation", seconds=60)
    async with forgotten_by(stack, "generator"):
        assert (await user.client.post(f"/api/video/cancel/{video_id}")).status_code == 202
        await published(documents, "gateway", "videos", {"_id": video_id})
    await published(documents, "generator", "workflows", {"videoId": video_id, "state": "cancelled"})
    assert (await status_of(user.client, video_id))["stage"] == "cancelled"

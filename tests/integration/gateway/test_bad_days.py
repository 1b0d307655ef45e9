"""The gateway while something is away or dies: what was answered 2xx is never lost, what can't be kept is refused."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from shared.contracts.events import CompletionReported, VideoRequested
from tests.driving import GENERATE, eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import ENGINES, STORAGE, Json, World, world_of


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    folder = tmp_path_factory.mktemp("bad-days")
    overrides = {"gateway": STORAGE}
    async with LocalStack(folder, services=("gateway",), engines=ENGINES, overrides=overrides) as stack:
        yield stack


@pytest.fixture
async def own(own_stack: LocalStack) -> AsyncIterator[World]:
    async with world_of(own_stack) as world:
        yield world


async def answers(client: httpx.AsyncClient, path: str, status: int) -> None:
    async def look() -> bool | None:
        try:
            return (await client.get(path)).status_code == status or None
        except httpx.TransportError:
            return None

    await eventually(look, f"{path} answers {status}")


async def receipts_of(world: World, video_id: str) -> list[Json]:
    return await world.database["receipts"].find({"videoId": video_id}).to_list()


async def test_kafka_away(own: World) -> None:
    person = await own.person()
    await own.stack.kill("kafka")
    try:
        video_id = await person.ask()
        webhook = await own.post_webhook("video-complete", {"videoId": video_id, "status": "failed", "error": "x"})
        assert (webhook.status_code, webhook.json()["data"]["matched"]) == (202, True)
        progress = {"videoId": video_id, "attempt": 1, "executionId": "1", "progress": 5}
        for _ in range(3):
            assert (await own.post_webhook("workflow-progress", progress)).status_code == 202
        assert (await person.status(video_id))["status"] == "pending"
        waiting = await receipts_of(own, video_id)
        assert len(waiting) == 2
        assert not any("expiresAt" in receipt for receipt in waiting), "their time begins when they are passed on"

        async def degraded() -> bool | None:
            health = await own.client().get("/health/ready")
            return (health.status_code, health.json()["status"]) == (200, "degraded") or None

        await eventually(degraded, "degraded but ready")
    finally:
        await own.stack.start("kafka")
    await own.watch()
    await own.told(VideoRequested, video_id=video_id)
    await own.told(CompletionReported, video_id=video_id)

    async def kept_for_a_time() -> bool:
        return all("expiresAt" in receipt for receipt in await receipts_of(own, video_id))

    await eventually(kept_for_a_time, "the receipts' time begins")
    await own.publish(events.started(video_id))
    await person.sees(video_id, status="processing")


async def test_database_away(own: World) -> None:
    person = await own.person()
    video_id = await person.ask()
    await own.stack.kill("gateway-db")
    try:
        for answer in (
            await person.client.post("/api/video/generate-video", json=GENERATE),
            await person.client.get(f"/api/video/status/{video_id}"),
            await own.post_webhook("video-complete", {"videoId": video_id, "status": "failed"}),
            await own.client().post("/api/auth/login", json={"email": person.email, "password": person.password}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE"), answer.text
            assert int(answer.headers["retry-after"]) > 0
        await answers(own.client(), "/health/ready", 503)
        assert (await own.client().get("/health/live")).status_code == 200
    finally:
        await own.stack.start("gateway-db")
    await answers(own.client(), "/health/ready", 200)
    assert (await person.status(video_id))["title"] == "A tour"
    await own.publish(events.ready(video_id))
    await person.sees(video_id, status="ready")


async def test_killed_with_events_still_to_publish(own: World) -> None:
    person = await own.person()
    await own.stack.kill("kafka")
    try:
        video_id = await person.ask()
        receipt = await own.post_webhook("video-complete", {"videoId": video_id, "status": "failed", "error": "x"})
        assert receipt.status_code == 202
        await own.stack.kill("gateway")
    finally:
        await own.stack.start("kafka")
        await own.stack.start("gateway")
    await own.watch()
    event = await own.told(VideoRequested, video_id=video_id)
    assert event.id == f"{video_id}:1:requested"
    await own.told(CompletionReported, video_id=video_id)
    # The key that signs tokens is in the database: who was logged in still is.
    assert (await person.status(video_id))["status"] == "pending"


async def test_it_starts_without_its_database(own: World) -> None:
    await own.stack.stop("gateway")
    await own.stack.kill("gateway-db")
    child = own.stack.children["gateway"]
    child.start()
    try:
        await answers(own.client(), "/health/live", 200)
        assert (await own.client().get("/.well-known/jwks.json")).status_code == 503
        assert (await own.client().get("/api/auth/me", headers={"Authorization": "Bearer x"})).status_code in (401, 503)
        assert (await own.client().get("/health/ready")).status_code == 503
    finally:
        await own.stack.start("gateway-db")
    await answers(own.client(), "/health/ready", 200)
    assert (await own.client().get("/.well-known/jwks.json")).status_code == 200


async def test_it_stops_when_told(own: World) -> None:
    assert await own.stack.children["gateway"].stop()
    assert own.stack.children["gateway"].exit_code() == 0
    await own.stack.start("gateway")

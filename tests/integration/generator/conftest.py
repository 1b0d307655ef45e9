"""A generator of a module's own. Module scope: each module's generator has the settings its tests need."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import AsyncMongoClient

from deploy.local.stack import LocalStack
from tests.integration.generator.scripted_n8n import ScriptedN8n
from tests.integration.generator.world import WATCHED, World

OpenWorld = Callable[[Mapping[str, str]], AbstractAsyncContextManager[World]]

ENGINES = ("kafka", "generator-db")
QUICK = {
    "DISPATCH_RETRY_FIRST": "0.05",
    "DISPATCH_RETRY_MOST": "0.2",
    "JOB_LEASE": "1.5",
    "WORKFLOW_ANSWER_TIMEOUT": "1",
    "WORKFLOW_CONNECT_TIMEOUT": "1",
}


@pytest.fixture(scope="module")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> OpenWorld:
    """Starts a generator with these settings, and stops it at the end."""

    @contextlib.asynccontextmanager
    async def open_(settings: Mapping[str, str]) -> AsyncIterator[World]:
        async with ScriptedN8n().running() as n8n:
            given = {
                "VIDEO_CREATION_WEBHOOK_URL": n8n.url("create"),
                "GENERATE_VIDEO_WEBHOOK_URL": n8n.url("generate"),
                **QUICK,
                **settings,
            }
            folder = tmp_path_factory.mktemp("generator")
            overrides = {"generator": given}
            async with (
                LocalStack(folder, services=("generator",), engines=ENGINES, overrides=overrides) as stack,
                _eyes(stack, n8n) as world,
            ):
                await world.requests_handled("warm-up")
                yield world

    return open_


@contextlib.asynccontextmanager
async def _eyes(stack: LocalStack, n8n: ScriptedN8n) -> AsyncIterator[World]:
    servers = stack.url("kafka")
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    consumer = AIOKafkaConsumer(*WATCHED, bootstrap_servers=servers, auto_offset_reset="earliest", fetch_max_wait_ms=20)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        stack.settings("generator")["GENERATOR_MONGO_URL"], tz_aware=True
    )
    await producer.start()
    await consumer.start()
    world = World(stack, n8n, producer, client["generator"])
    watching = asyncio.create_task(world.watch(consumer))
    try:
        yield world
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await consumer.stop()
        await producer.stop()
        await client.close()

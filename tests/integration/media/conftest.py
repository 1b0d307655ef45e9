"""A media service of a module's own. Module scope: each module's service has the settings its tests need."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from minio import Minio
from pymongo import AsyncMongoClient

from deploy.local.stack import LocalStack
from tests.integration.media.file_server import FileServer
from tests.integration.media.world import WATCHED, World

OpenWorld = Callable[[Mapping[str, str]], AbstractAsyncContextManager[World]]

ENGINES = ("kafka", "media-db", "s3")
QUICK = {
    "TRANSFER_RETRY_FIRST": "0.1",
    "TRANSFER_RETRY_MOST": "0.5",
    "TRANSFER_LEASE": "3",
    "FETCH_READ_TIMEOUT": "5",
    "SWEEP_EVERY": "0.5",
    "MAX_VIDEO_BYTES": "20000000",
}


@pytest.fixture(scope="module")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> OpenWorld:
    """Starts a media service with these settings, and stops it at the end."""

    @contextlib.asynccontextmanager
    async def open_(settings: Mapping[str, str]) -> AsyncIterator[World]:
        overrides = {"media": {**QUICK, **settings}}
        folder = tmp_path_factory.mktemp("media")
        with FileServer().running() as files:
            async with (
                LocalStack(folder, services=("media",), engines=ENGINES, overrides=overrides) as stack,
                _eyes(stack, files) as world,
            ):
                yield world

    return open_


@contextlib.asynccontextmanager
async def _eyes(stack: LocalStack, files: FileServer) -> AsyncIterator[World]:
    servers = stack.url("kafka")
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    consumer = AIOKafkaConsumer(*WATCHED, bootstrap_servers=servers, auto_offset_reset="earliest", fetch_max_wait_ms=20)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        stack.settings("media")["MEDIA_MONGO_URL"], tz_aware=True
    )
    keys = stack.credentials
    bucket = Minio(
        stack.url("s3").removeprefix("http://"),
        keys.s3_access_key,
        keys.s3_secret_key,
        secure=False,
        region="us-east-1",
    )
    await producer.start()
    await consumer.start()
    world = World(stack, files, producer, client["media"], bucket)
    watching = asyncio.create_task(world.watch(consumer))
    try:
        yield world
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await consumer.stop()
        await producer.stop()
        await client.close()

"""What a test needs to talk to one service over its topics and to look into its database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from deploy.local.stack import LocalStack

Database = AsyncDatabase[dict[str, Any]]

CUT_OFF = "timeout graceful shutdown exceeded"
"""What the HTTP server says of a stop that did not wait for its requests any longer."""


class Watcher(Protocol):
    """Collects what it reads, for ever."""

    async def watch(self, consumer: AIOKafkaConsumer) -> None: ...


SomeWatcher = TypeVar("SomeWatcher", bound=Watcher)


@contextlib.asynccontextmanager
async def eyes_on(
    stack: LocalStack, service: str, topics: Sequence[str], make: Callable[[AIOKafkaProducer, Database], SomeWatcher]
) -> AsyncIterator[SomeWatcher]:
    """Make a world of a producer and the service's database, and have it watch these topics from their beginning."""
    servers = stack.url("kafka")
    url = stack.settings(service)[f"{service.upper()}_MONGO_URL"]
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url, tz_aware=True)
    async with (
        client,
        AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer,
        AIOKafkaConsumer(
            *topics, bootstrap_servers=servers, auto_offset_reset="earliest", fetch_max_wait_ms=20
        ) as consumer,
    ):
        world = make(producer, client[service])
        watching = asyncio.create_task(world.watch(consumer))
        try:
            yield world
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

"""A real notifier process on real engines, and its partners."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo.asynchronous.database import AsyncDatabase

from deploy.local import ready
from deploy.local.ports import free_port
from deploy.local.processes import Child
from deploy.local.services import service
from deploy.local.stack import LocalStack
from shared.contracts import topics
from shared.contracts.cloudevents import decode
from shared.contracts.events import NotificationCreated
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import Mongo
from tests.integration.notifier.partners import Gateway, Publisher

QUICK = {
    "STREAM_HEARTBEAT": "1",
    "STREAM_QUEUE": "20",
    "STREAMS_PER_USER": "5",
    "REPLAY_MOST": "12",
    "SNAPSHOT_MOST": "3",
    "AUTH_EXPIRING_BEFORE": "3",
    "AUDIT_EVERY": "1",
    "JWKS_AGAIN_AFTER": "0.5",
    "JWKS_REFRESH": "3600",
}


@pytest.fixture(scope="package")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def notifier(tmp_path_factory: pytest.TempPathFactory, gateway: Gateway) -> AsyncIterator[LocalStack]:
    """One notifier with short times; a test that stops something starts it again."""
    folder = tmp_path_factory.mktemp("notifier")
    overrides = {"notifier": {**QUICK, "JWKS_URL": gateway.url}}
    async with LocalStack(
        folder, services=("notifier",), engines=("kafka", "notifier-db"), overrides=overrides
    ) as stack:
        yield stack


@pytest.fixture
async def replica(notifier: LocalStack) -> AsyncIterator[str]:
    """The URL of a second notifier process beside the first."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {**notifier.settings("notifier"), "NOTIFIER_PORT": str(port)}
    check = partial(ready.http, f"{url}/health/ready")
    program = replace(service(notifier.site, "notifier"), name="replica", env=env, url=url, check=check)
    child = Child(program, notifier.site.log("replica"))
    child.start()
    try:
        await child.wait_ready(60)
        yield url
    finally:
        await child.stop()


@pytest.fixture
async def publisher(notifier: LocalStack) -> AsyncIterator[Publisher]:
    producer = AIOKafkaProducer(bootstrap_servers=notifier.url("kafka"), max_request_size=4_000_000)
    await producer.start()
    yield Publisher(producer)
    await producer.stop()


@pytest.fixture
async def heard_by_all(notifier: LocalStack) -> AsyncIterator[list[NotificationCreated]]:
    """What replicas tell each other from now on."""
    heard: list[NotificationCreated] = []
    consumer = AIOKafkaConsumer(topics.NOTIFICATIONS.name, bootstrap_servers=notifier.url("kafka"))

    async def listen() -> None:
        async for record in consumer:
            event = decode({name: value.decode() for name, value in record.headers}, record.value)
            if isinstance(event, NotificationCreated):
                heard.append(event)

    await consumer.start()
    await asyncio.gather(*map(consumer.position, consumer.assignment()))  # it would begin where it first looks
    listening = asyncio.create_task(listen())
    yield heard
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await consumer.stop()


@pytest.fixture
async def database(notifier: LocalStack) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """The notifier's own database, to make in it what only time or another replica would."""
    mongo = Mongo(notifier.url("notifier-db"), "notifier", Metrics())
    yield mongo.database
    await mongo.close()


@pytest.fixture
def user_id() -> str:
    """Somebody new."""
    return uuid4().hex[:16]


Connect = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def connect(notifier: LocalStack, gateway: Gateway) -> AsyncIterator[Connect]:
    """Makes clients of the notifier (or of `url`) that are logged in as a user."""
    async with contextlib.AsyncExitStack() as clients:

        def connect(user_id: str | None = None, *, url: str | None = None, **how: Any) -> httpx.AsyncClient:
            headers = {"Authorization": f"Bearer {gateway.token(user_id, **how)}"} if user_id else {}
            base = url or notifier.url("notifier")
            client = httpx.AsyncClient(base_url=base, headers=headers, timeout=15, trust_env=False)
            clients.push_async_callback(client.aclose)
            return client

        yield connect


@pytest.fixture
def client(connect: Connect, user_id: str) -> httpx.AsyncClient:
    """The new user's client."""
    return connect(user_id)

"""Engines of these tests' own: some of them stop, kill or freeze an engine."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from pymongo.asynchronous.collection import AsyncCollection

from deploy.local.stack import LocalStack
from shared.wiring.cancellation import lose_no_cancellation
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import Mongo
from shared.wiring.runtime import Runtime
from shared.wiring.settings import CommonSettings
from tests.integration.shared.world import Topic

Document = dict[str, Any]
Collection = AsyncCollection[Document]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def core(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """Kafka and one database, and clients that lose no cancellation, as every service's."""
    lose_no_cancellation()
    folder = tmp_path_factory.mktemp("core")
    async with LocalStack(folder, services=(), engines=("kafka", "media-db")) as stack:
        yield stack


@pytest.fixture
async def collection(core: LocalStack) -> AsyncIterator[Collection]:
    """An empty collection."""
    mongo = Mongo(core.url("media-db"), "delivery", Metrics())
    yield mongo.database[f"things_{uuid4().hex}"]
    await mongo.close()


@pytest.fixture
def settings(core: LocalStack) -> CommonSettings:
    """The settings of a service on these engines."""
    servers, real = core.url("kafka"), "kafka" in core.site.real
    return CommonSettings(kafka_bootstrap_servers=servers, kafka_idempotence=real, kafka_leave_groups=real)


@pytest.fixture
async def topic(core: LocalStack) -> AsyncIterator[Topic]:
    """A topic with one partition."""
    topic = Topic(core.url("kafka"))
    await topic.make()
    await topic.producer.start()
    yield topic
    await topic.producer.stop()


Running = Callable[[Runtime], contextlib.AbstractAsyncContextManager[Runtime]]
NewRuntime = Callable[..., Runtime]


@pytest.fixture
def new_runtime(core: LocalStack, settings: CommonSettings) -> NewRuntime:
    """Builds a runtime as a service does, with other settings where told; `media` lends its name."""

    def build(service: str = "media", **changes: object) -> Runtime:
        runtime = Runtime(service, settings.model_copy(update=changes), core.url("media-db"))
        runtime.watch_dependencies(kafka_required=True)
        return runtime

    return build

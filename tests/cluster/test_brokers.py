"""Three brokers, one killed at a time while people work: nothing is lost, nothing happens twice, no service ends."""

import os
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from deploy.local.site import BROKERS, ENGINE_VARIABLES, SERVICES, EngineMissing
from deploy.local.stack import LocalStack
from shared.contracts.topics import VIDEO_ASSETS, VIDEO_CALLBACKS, VIDEO_REQUESTS, VIDEO_WORKFLOWS
from shared.delivery.offsets import Brokers
from tests.asking import Asker, all_are_ready_and_told_once, asking
from tests.cluster.brokers import Cluster
from tests.conftest import QUICK, User
from tests.driving import Stream, eventually, listening, wait_for_status
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(900)

OVERRIDES = {
    **{name: {"KAFKA_SESSION_TIMEOUT": "6"} for name in SERVICES},
    "gateway": {"KAFKA_SESSION_TIMEOUT": "6", "REANNOUNCE_AFTER": "3600"},
    "workflow": QUICK["workflow"],
}
"""Nothing is asked for again: what a cluster has taken, it has to keep."""
READY_SECONDS = 45.0
END_SECONDS = 300.0  # the renderer falls behind where it has little of a core, and its queue says nothing about Kafka
BY_VIDEO = (VIDEO_REQUESTS, VIDEO_CALLBACKS, VIDEO_WORKFLOWS, VIDEO_ASSETS)
CONSUMERS_FIRST = ("notifier", "media", "generator", "gateway")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    folder, environ = tmp_path_factory.mktemp("cluster"), {**os.environ, "REAL_ENGINES": "kafka3"}
    try:
        async with LocalStack(folder, engines=ENGINE_VARIABLES, environ=environ, overrides=OVERRIDES) as stack:
            yield stack
    except EngineMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def engine(stack: LocalStack) -> AsyncIterator[Engine]:
    async with httpx.AsyncClient(base_url=stack.url("workflow"), timeout=10) as client:
        yield Engine(client)


@pytest.fixture
async def cluster(stack: LocalStack) -> AsyncIterator[Cluster]:
    async with Cluster.at(stack.url("kafka")) as cluster:
        yield cluster


async def test_a_broker_that_is_killed_and_comes_back_costs_nothing(
    stack: LocalStack, cluster: Cluster, user: User, engine: Engine
) -> None:
    assert all(len(one["replicas"]) == 3 for one in await cluster.partitions())
    assert (await cluster.own_settings("video.requests"))["min.insync.replicas"] == "2"
    pids = {name: stack.pid(name) for name in SERVICES}
    async with listening(user.client) as stream:
        async with asking(user.client) as asker:
            first = await cluster.leader_of("video.requests")
            await _lose(stack, cluster, first, asker, user)
            await _lose(stack, cluster, await cluster.leader_of("video.assets", first), asker, user)
        await all_are_ready_and_told_once(user, asker.accepted, END_SECONDS)
        await stream.wait_for(asker.accepted[-1], "complete")
    for video_id in asker.accepted:
        assert len(await engine.executions(video_id)) == 1
    _told_in_order(stream)
    assert {name: stack.pid(name) for name in SERVICES} == pids, "a service ended"


async def test_partitions_are_raised_while_people_work(
    stack: LocalStack, cluster: Cluster, user: User, engine: Engine
) -> None:
    """Keys move to other partitions, so that events of one video may be handled side by side and out of order."""
    async with asking(user.client) as asker:
        await asker.one_more()
        await cluster.raise_partitions(2 * VIDEO_REQUESTS.partitions, *(topic.name for topic in BY_VIDEO))
        for name in CONSUMERS_FIRST:
            await asker.one_more()
            await stack.restart(name)
        await eventually(lambda: _new_one_is_used(stack), "a new partition being used")
    await all_are_ready_and_told_once(user, asker.accepted, END_SECONDS)
    for video_id in asker.accepted:
        assert len(await engine.executions(video_id)) == 1


async def _new_one_is_used(stack: LocalStack) -> bool:
    async with Brokers(stack.url("kafka").split(",")) as offsets:
        ends = await offsets.ends([topic.name for topic in BY_VIDEO])
    return any(end for place, end in ends.items() if place.partition >= VIDEO_REQUESTS.partitions)


async def _lose(stack: LocalStack, cluster: Cluster, number: int, asker: Asker, user: User) -> None:
    """Kill a broker in the midst of work, see that two are enough, and bring it back to where it was."""
    name = BROKERS[number - 1]
    await asker.one_more()
    await stack.kill(name)
    during = await asker.one_more()
    await wait_for_status(user.client, during, "ready", END_SECONDS)
    await eventually(lambda: _all_ready(stack), f"all services ready without {name}", READY_SECONDS)
    await stack.start(name)
    await eventually(lambda: cluster.all_in_sync(3), f"{name} caught up", READY_SECONDS)


async def _all_ready(stack: LocalStack) -> bool:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        answers = [await client.get(f"{stack.url(name)}/health/ready") for name in SERVICES]
    return all(answer.status_code == 200 for answer in answers)


def _told_in_order(stream: Stream) -> None:
    told = [int(event_id) for name, event_id, data in stream.seen if name == "video-download-update" and "seq" in data]
    assert told == list(range(1, len(told) + 1))

"""Three brokers, one killed at a time while people work: nothing is lost, nothing happens twice, no service ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.local.kafka_cluster import BROKERS, ClusterStack
from deploy.local.site import SERVICES, EngineMissing
from tests.asking import Asker, all_are_ready_and_told_once, asking
from tests.cluster.brokers import Brokers
from tests.conftest import QUICK, User
from tests.driving import Stream, eventually, listening, wait_for_status
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(400)

OVERRIDES = {
    **{name: {"KAFKA_SESSION_TIMEOUT": "6"} for name in SERVICES},
    "gateway": {"KAFKA_SESSION_TIMEOUT": "6", "REANNOUNCE_AFTER": "3600"},
    "workflow": QUICK["workflow"],
}
"""Nothing is asked for again: what a cluster has taken, it has to keep."""
READY_SECONDS = 45.0


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[ClusterStack]:
    try:
        async with ClusterStack(tmp_path, OVERRIDES) as stack:
            yield stack
    except EngineMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def engine(stack: ClusterStack) -> AsyncIterator[Engine]:
    async with httpx.AsyncClient(base_url=stack.url("workflow"), timeout=10) as client:
        yield Engine(client)


@pytest.fixture
async def brokers(stack: ClusterStack) -> AsyncIterator[Brokers]:
    async with Brokers.at(stack.url("kafka")) as brokers:
        yield brokers


async def test_a_broker_that_is_killed_and_comes_back_costs_nothing(
    stack: ClusterStack, brokers: Brokers, user: User, engine: Engine
) -> None:
    assert all(len(one["replicas"]) == 3 for one in await brokers.partitions())
    assert (await brokers.own_settings("video.requests"))["min.insync.replicas"] == "2"
    pids = {name: stack.pid(name) for name in SERVICES}
    async with listening(user.client) as stream:
        async with asking(user.client) as asker:
            first = await brokers.leader_of("video.requests")
            await _lose(stack, brokers, first, asker, user)
            await _lose(stack, brokers, await brokers.leader_of("video.assets", first), asker, user)
        await all_are_ready_and_told_once(user, asker.accepted)
        await stream.wait_for(asker.accepted[-1], "complete")
    for video_id in asker.accepted:
        assert len(await engine.executions(video_id)) == 1
    _told_in_order(stream)
    assert {name: stack.pid(name) for name in SERVICES} == pids, "a service ended"


async def _lose(stack: ClusterStack, brokers: Brokers, number: int, asker: Asker, user: User) -> None:
    """Kill a broker in the midst of work, see that two are enough, and bring it back to where it was."""
    name = BROKERS[number - 1]
    await asker.one_more()
    await stack.kill(name)
    during = await asker.one_more()
    await wait_for_status(user.client, during, "ready", 90)
    await eventually(lambda: _all_ready(stack), f"all services ready without {name}", READY_SECONDS)
    await stack.start(name)
    await eventually(lambda: brokers.all_in_sync(3), f"{name} caught up", READY_SECONDS)


async def _all_ready(stack: ClusterStack) -> bool:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        answers = [await client.get(f"{stack.url(name)}/health/ready") for name in SERVICES]
    return all(answer.status_code == 200 for answer in answers)


def _told_in_order(stream: Stream) -> None:
    told = [int(event_id) for name, event_id, data in stream.seen if name == "video-download-update" and "seq" in data]
    assert told == list(range(1, len(told) + 1))

"""What the connection to the broker outlives."""

import contextlib
import gc
from collections.abc import AsyncIterator

import pytest
from aiokafka.conn import AIOKafkaConnection

from deploy.local.stack import LocalStack
from shared.contracts import topics
from shared.contracts.cloudevents import Record, encode
from shared.contracts.topics import TopicSpec
from shared.delivery.outbox import PublishError
from shared.wiring.runtime import Runtime
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Listener, Topic, created, running, started
from tests.waiting import until


async def test_a_record_too_large_for_kafka_does_not_take_the_connection_down(new_runtime: NewRuntime) -> None:
    async with running(new_runtime()) as runtime:
        with pytest.raises(PublishError, match="MessageSizeTooLarge"):
            await runtime.kafka.publish(Record("media.dlq", b"", {}, b"x" * 3_000_000))
        await runtime.kafka.probe()


@pytest.fixture
async def forgotten_connections() -> AsyncIterator[None]:
    """Close what aiokafka's consumers forget where a broker goes while they connect to it; else pytest complains."""
    yield
    for found in gc.get_objects():
        if type(found) is AIOKafkaConnection and found.connected():  # isinstance would ask a dead weakref.proxy
            found.close()


@pytest.mark.usefixtures("forgotten_connections")
async def test_a_broker_that_forgot_everything_is_connected_again(core: LocalStack, new_runtime: NewRuntime) -> None:
    """The embedded broker keeps nothing: topics are made anew and consumers find their place in them."""
    stored, woken = Listener(), Listener()
    runtime = new_runtime()
    runtime.inbox.on(topics.VIDEO_ASSETS, stored.on_created)
    runtime.inbox.on_every_replica(topics.NOTIFICATIONS, woken.on_created)

    async def send(topic: TopicSpec, seq: int) -> None:
        record = encode(created(seq), "test")
        with contextlib.suppress(PublishError):
            await runtime.kafka.publish(type(record)(topic.name, record.key, record.headers, record.value))

    async def heard(seq: int) -> bool:
        await send(topics.VIDEO_ASSETS, seq)
        await send(topics.NOTIFICATIONS, seq)
        return seq in stored.seen and seq in woken.seen

    async with running(runtime):
        await until(lambda: heard(1), every_seconds=0.3)
        await core.kill("kafka")
        await until(lambda: not runtime.health.ready)
        await core.start("kafka")
        await until(lambda: runtime.health.ready, within_seconds=40)
        await until(lambda: heard(2), within_seconds=40, every_seconds=0.3)


async def test_a_group_comes_together_again_whoever_leaves_while_it_is_formed(
    new_runtime: NewRuntime, topic: Topic
) -> None:
    """The embedded broker would wait for ever for a leader that says so then; this one falls silent instead."""

    def listening(listener: Listener) -> Runtime:
        runtime = new_runtime()
        runtime.inbox.on(topic.spec, listener.on_created)
        return runtime

    leader, follower = Listener(), Listener()
    async with running(listening(Listener())):
        pass  # brokers count generations from 0, and aiokafka says that it leaves only from the second one on
    async with contextlib.AsyncExitStack() as joining:
        async with running(listening(leader)):
            await topic.put(created(1))
            await until(lambda: leader.seen == [1])
            await until(lambda: topic.has_members("media", 1), "the first one is forgotten")
            await joining.enter_async_context(started(listening(follower)))
            await until(lambda: topic.has_members("media", 2), every_seconds=0.05)
        await topic.put(created(2))
        await until(lambda: follower.seen[-1:] == [2], within_seconds=30)


async def test_the_single_member_of_a_group_says_that_it_leaves(new_runtime: NewRuntime, topic: Topic) -> None:
    runtime, listener = new_runtime(), Listener()
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await topic.put(created(1))
        await until(lambda: listener.seen == [1])
    assert await topic.has_members("media", 0), "whoever comes next need not wait for its session to run out"

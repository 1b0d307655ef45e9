"""Clients that fall silent though their connections look well are noticed and made anew."""

import asyncio
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer
from pymongo.errors import AutoReconnect

from shared.contracts.events import NotificationCreated
from shared.delivery.offsets import Brokers, Offsets
from shared.wiring import consumers, health, kafka, mongo
from shared.wiring.runtime import Runtime
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Listener, Topic, caught_signal, consumer_of, created, running
from tests.waiting import until

PATIENCE = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(health, "PROBE_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(kafka, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(mongo, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(mongo, "SILENT_SECONDS", 0.5)


def silence(consumer: AIOKafkaConsumer) -> None:
    """Let it fetch nothing more; its connections, its heartbeat and its membership stay as they are."""
    consumer._fetcher._fetch_task.cancel()


def value(runtime: Runtime, name: str, topic: Topic) -> float | None:
    return runtime.metrics.registry.get_sample_value(f"reelway_{name}", {"topic": topic.spec.name})


@pytest.mark.parametrize("in_a_group", [True, False], ids=["in a group", "on every replica"])
async def test_a_consumer_that_fell_silent_is_made_anew(
    new_runtime: NewRuntime, topic: Topic, in_a_group: bool
) -> None:
    runtime, listener = new_runtime(kafka_standstill=PATIENCE), Listener()
    (runtime.inbox.on if in_a_group else runtime.inbox.on_every_replica)(topic.spec, listener.on_created)

    async def heard() -> bool:
        await topic.put(created(3))
        return listener.seen[-1] == 3

    async with running(runtime):
        await until(lambda: consumer_of(runtime, topic).assignment(), "it is in its group")
        await topic.put(created(1))
        await until(lambda: listener.seen == [1])
        silence(consumer_of(runtime, topic))
        await topic.put(created(2))
        await until(lambda: value(runtime, "consumer_lag", topic) == 1, "what waits is measured")
        await until(lambda: (value(runtime, "oldest_unhandled_event_seconds", topic) or 0) > 0, "and since when")
        await until(lambda: "none is handled" in str(runtime.health.report()), "it is reported")
        await until(heard, "it was made anew", every_seconds=0.3)
        await until(lambda: runtime.health.report()["status"] == "ready", "all is well again")
        await until(lambda: value(runtime, "consumer_lag", topic) == 0)
    assert (value(runtime, "consumers_renewed_total", topic) or 0) >= 1


async def test_what_a_broker_forgot_is_not_waited_for(new_runtime: NewRuntime, topic: Topic) -> None:
    """It was told how far a topic had been handled before it made it anew, and answers reads beyond with nothing."""
    runtime, listener = new_runtime(kafka_standstill=PATIENCE), Listener()
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await until(lambda: consumer_of(runtime, topic).assignment(), "it is in its group")
        await topic.put(created(1))
        await until(lambda: listener.seen == [1])
        consumer = consumer_of(runtime, topic)
        (partition,) = consumer.assignment()
        consumer.seek(partition, 1000)
        await consumer.commit({partition: 1000})
        await topic.put(created(2))
        await until(lambda: listener.seen[-1] == 2, "it reads on", within_seconds=20)
        await until(lambda: value(runtime, "consumer_lag", topic) == 0)


async def test_a_broker_that_names_too_low_an_end_has_nothing_read_again(
    new_runtime: NewRuntime, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An embedded one names the record that it wrote last, which with two writers at once may not be the last one."""
    truly, looks = Brokers.ends, 0

    async def too_low(brokers: Brokers, topics: set[str]) -> Offsets:
        nonlocal looks
        looks += 1
        return {partition: max(0, end - 1) for partition, end in (await truly(brokers, topics)).items()}

    monkeypatch.setattr(Brokers, "ends", too_low)
    runtime, listener = new_runtime(kafka_standstill=PATIENCE), Listener()
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await topic.put(created(1))
        await topic.put(created(2))
        await until(lambda: listener.seen == [1, 2])
        looks = 0
        await until(lambda: looks > 3, "it was looked at, and looked at again")
        assert listener.seen == [1, 2]
        assert value(runtime, "consumer_lag", topic) == 0


async def test_what_waits_is_measured_however_long_the_fetches_wait(new_runtime: NewRuntime, topic: Topic) -> None:
    """Asked over a consumer's own connection, brokers answer after its fetch: too late where there are many topics."""
    runtime, may_go_on = new_runtime(kafka_fetch_wait=timedelta(seconds=8)), asyncio.Event()

    async def on_created(event: NotificationCreated) -> None:
        await may_go_on.wait()

    runtime.inbox.on(topic.spec, on_created)
    async with running(runtime):
        await topic.put(created(1))
        await until(lambda: value(runtime, "consumer_lag", topic) == 1, "it waits for its handler")
        may_go_on.set()
        await until(lambda: value(runtime, "consumer_lag", topic) == 0)


async def test_a_handler_that_waits_for_the_database_is_left_alone(new_runtime: NewRuntime, topic: Topic) -> None:
    runtime = new_runtime(kafka_standstill=PATIENCE)
    listener = Listener(*[AutoReconnect("away")] * 5, at=1)
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await topic.put(created(1))
        await topic.put(created(2))
        await until(lambda: listener.seen == [1, 2], "the database is back", within_seconds=60)
    assert len(listener.calls) == 7
    assert value(runtime, "consumers_renewed_total", topic) == 0


async def test_a_database_client_that_fell_silent_ends_the_process(new_runtime: NewRuntime) -> None:
    runtime = new_runtime()
    with caught_signal() as told:
        async with running(runtime):
            topology = runtime.mongo.client._topology
            for server in topology._servers.values():
                await server._monitor.close()
                await server.pool.reset()
            async with asyncio.timeout(60):
                await told.wait()
            assert not runtime.health.ready

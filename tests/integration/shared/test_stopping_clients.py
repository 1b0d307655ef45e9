"""Kafka's clients are stopped whole, whenever they are told to and whatever broke before."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.producer.message_accumulator import MessageBatch

from deploy.local.stack import LocalStack
from shared.contracts.cloudevents import encode
from shared.delivery.outbox import PublishError
from shared.wiring import consumers, kafka
from shared.wiring.kafka import KafkaLink
from shared.wiring.kafka_connections import mend_connections
from shared.wiring.settings import CommonSettings
from shared.wiring.topics import ensure_topics
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Listener, Topic, caught_signal, consumer_of, created, running
from tests.waiting import until

CUTS = 150


async def test_a_look_at_the_topics_can_be_cut_off_at_any_moment(settings: CommonSettings) -> None:
    """It ends, and leaves no connection open, which would be a warning here."""
    mend_connections()
    now = asyncio.get_running_loop().time
    await ensure_topics(settings)
    begun = now()
    await ensure_topics(settings)
    usual = now() - begun
    went_on = 0
    for number in range(CUTS):
        looking = asyncio.create_task(ensure_topics(settings))
        await asyncio.sleep(usual * number / CUTS)
        told = looking.cancel()
        await asyncio.wait({looking})
        went_on += told and not looking.cancelled()
    assert went_on == 0


async def test_a_consumer_whose_coordination_breaks_at_the_stop_leaves_its_group(
    new_runtime: NewRuntime, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heartbeat went on, and so it kept partitions that nobody read."""
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, Listener().on_created)

    async def breaks(_: object) -> None:
        raise RuntimeError("broken")

    async with running(runtime):
        coordinator = consumer_of(runtime, topic)._coordinator
        heartbeat = coordinator._heartbeat_task
        monkeypatch.setattr(coordinator, "_maybe_do_last_autocommit", breaks)
        assert not heartbeat.done()
    assert heartbeat.done()


async def test_brokers_that_answer_nothing_hold_up_no_stop(
    core: LocalStack, new_runtime: NewRuntime, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every question a client asks at its end waited for its own time limit: longer than anybody waits for a stop."""
    monkeypatch.setattr(consumers, "FAREWELL_SECONDS", 0.5)
    monkeypatch.setattr(consumers, "CUT_OFF_SECONDS", 10.0)
    runtime = new_runtime(kafka_session_timeout=timedelta(seconds=1))
    runtime.inbox.on(topic.spec, Listener().on_created)
    async with running(runtime):
        coordinator = consumer_of(runtime, topic)._coordinator
        core.pause("kafka")
        try:
            await until(lambda: coordinator.coordinator_id is None, "every part of it looks for a way back")
            begun = time.monotonic()
            await runtime._consuming.stop()
            assert time.monotonic() - begun < 10
            assert not runtime._consuming.stuck
        finally:
            core.resume("kafka")


async def test_brokers_that_answer_nothing_for_long_end_no_process(
    core: LocalStack, new_runtime: NewRuntime, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All services ended themselves at once, half a minute after a broker had been frozen or a network swallowed."""
    monkeypatch.setattr(consumers, "FAREWELL_SECONDS", 0.5)
    monkeypatch.setattr(consumers, "CUT_OFF_SECONDS", 5.0)
    monkeypatch.setattr(kafka, "WATCH_SECONDS", 0.1)
    disconnects = 0
    disconnect = KafkaLink._disconnect

    async def counted(link: KafkaLink) -> None:
        nonlocal disconnects
        await disconnect(link)
        disconnects += 1

    monkeypatch.setattr(KafkaLink, "_disconnect", counted)
    runtime = new_runtime()
    listener = Listener()
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        monkeypatch.setattr(kafka, "CHECK_SECONDS", 1.0)
        core.pause("kafka")
        try:
            await until(lambda: disconnects >= 3, "tried again and again", within_seconds=60)
        finally:
            core.resume("kafka")
        assert not runtime.health.stopping
        monkeypatch.setattr(kafka, "CHECK_SECONDS", 30.0)
        await topic.put(created(1))
        await until(lambda: listener.seen == [1], "back again", within_seconds=60)


async def test_what_is_under_way_to_brokers_that_went_away_holds_up_no_stop(
    core: LocalStack, new_runtime: NewRuntime, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idempotent producer sends again for ever, also while it is stopped; that ended the process.

    The embedded broker has none, so the one here is told that no time is up.
    """
    monkeypatch.setattr(consumers, "FAREWELL_SECONDS", 0.5)
    monkeypatch.setattr(consumers, "CUT_OFF_SECONDS", 5.0)
    monkeypatch.setattr(MessageBatch, "expired", lambda _: False)
    with caught_signal() as broken:
        async with running(new_runtime()) as runtime:
            producer = runtime.kafka._producer
            assert producer is not None
            record = replace(encode(created(1), "test"), topic=topic.spec.name)
            await runtime.kafka.publish(record)
            await until(lambda: _knows_leader(producer.client, topic), "it need not ask first who leads the topic")
            core.pause("kafka")
            try:
                publishing = asyncio.create_task(runtime.kafka.publish(record))
                await until(lambda: producer._message_accumulator._pending_batches, "it is under way")
                await core.kill("kafka")
                with pytest.raises(PublishError):
                    await publishing
                sending = producer._sender.sender_task
                await until(lambda: sending.done() or broken.is_set(), "it has stopped, or the process ends")
                assert not broken.is_set()
            finally:
                await core.kill("kafka")
                await core.start("kafka")


def _knows_leader(client: AIOKafkaClient, topic: Topic) -> bool:
    """Return whether it knows, and no answer is on its way that may still say otherwise, as of a topic just made."""
    if client._md_update_fut is not None:
        return False
    return client.cluster.leader_for_partition(TopicPartition(topic.spec.name, 0)) not in (None, -1)

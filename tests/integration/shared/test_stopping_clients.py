"""Kafka's clients are stopped whole, whenever they are told to and whatever broke before."""

import asyncio

import pytest

from shared.wiring.kafka_connections import mend_connections
from shared.wiring.settings import CommonSettings
from shared.wiring.topics import ensure_topics
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Listener, Topic, consumer_of, running

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

"""The connection to Kafka where no broker is needed to see what it does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import InvalidReplicationFactorError, KafkaConnectionError, KafkaError
from faststream.kafka import KafkaBroker

from shared.delivery.backlog import Backlog
from shared.delivery.inbox import consumer_broker
from shared.wiring import consumers, kafka
from shared.wiring.consumers import ClientStuckError, Consumers
from shared.wiring.kafka import KafkaLink
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings
from shared.wiring.stop_time import StopTime
from tests.waiting import until

NOBODY = CommonSettings(kafka_bootstrap_servers="127.0.0.1:1")
METRICS = Metrics()


def consumers_of(broker: KafkaBroker) -> Consumers:
    backlog = Backlog(broker, NOBODY.kafka_servers, (), METRICS, timedelta(seconds=1))
    return Consumers(broker, backlog, METRICS, StopTime())


async def test_a_connection_that_came_only_half_way_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: set[asyncio.StreamWriter] = set()
    accepted = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        opened.add(writer)
        await reader.read()
        opened.discard(writer)
        writer.close()

    async def refused(_: CommonSettings) -> bool:
        raise InvalidReplicationFactorError("too few brokers")

    monkeypatch.setattr(kafka, "ensure_topics", refused)
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)
    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        settings = CommonSettings(kafka_bootstrap_servers=address)
        link = KafkaLink(settings, "media", METRICS, consumers_of(consumer_broker(settings, "media")), StopTime())
        for _ in range(3):
            await link._check()
        await until(lambda: accepted == 3 and not opened, "every connection closed again")


async def test_a_client_that_does_not_stop_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = consumer_broker(NOBODY, "media")

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(consumers, "FAREWELL_SECONDS", 0.05)
    monkeypatch.setattr(consumers, "CUT_OFF_SECONDS", 0.05)
    monkeypatch.setattr(kafka, "AWAY_SECONDS", 0.05)
    monkeypatch.setattr(broker, "stop", never)
    async with asyncio.timeout(10):
        with pytest.raises(ClientStuckError):
            await KafkaLink(NOBODY, "media", METRICS, consumers_of(broker), StopTime()).run()


async def test_that_nothing_was_renewed_is_said_of_each_topic_from_the_start() -> None:
    broker, metrics = consumer_broker(NOBODY, "media"), Metrics()
    for name in ("things", "others"):
        broker.subscriber(name)
    backlog = Backlog(broker, NOBODY.kafka_servers, (), metrics, timedelta(seconds=1))
    looking = asyncio.create_task(Consumers(broker, backlog, metrics, StopTime()).look_for_silence())

    def renewed(topic: str) -> float | None:
        return metrics.registry.get_sample_value("reelway_consumers_renewed_total", {"topic": topic})

    try:
        await until(lambda: (renewed("things"), renewed("others")) == (0, 0))
    finally:
        looking.cancel()


async def test_no_time_limit_cuts_off_the_stop_of_consumers_that_fell_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is cut off takes itself for stopped, stays in its group, and keeps partitions from the new one."""
    broker = consumer_broker(NOBODY, "media")
    silent = consumers_of(broker)
    silent._renewal_due = True
    link = KafkaLink(NOBODY, "media", METRICS, silent, StopTime())
    stops: list[str] = []

    async def take_long() -> None:
        stops.append("begun")
        await asyncio.sleep(0.2)
        stops.append("ended")

    async def whole(*_: object) -> bool:
        return False

    monkeypatch.setattr(kafka, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(kafka, "ensure_topics", whole)
    monkeypatch.setattr(KafkaLink, "_connected", property(lambda _: True))
    monkeypatch.setattr(KafkaLink, "_connect", whole)
    monkeypatch.setattr(broker, "stop", take_long)
    await link._check()
    assert stops[:2] == ["begun", "ended"]


async def test_a_stop_that_cancels_itself_does_not_end_the_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service was without Kafka for as long as it lived, and nobody was told."""
    broker = consumer_broker(NOBODY, "media")
    stops = 0

    async def cancels_itself() -> None:
        nonlocal stops
        stops += 1
        own = asyncio.get_running_loop().create_future()
        own.cancel()
        await own

    monkeypatch.setattr(kafka, "AWAY_SECONDS", 0.01)
    monkeypatch.setattr(broker, "stop", cancels_itself)
    watching = asyncio.create_task(KafkaLink(NOBODY, "media", METRICS, consumers_of(broker), StopTime()).run())
    await until(lambda: stops > 3 or watching.done(), "several looks")
    assert not watching.done()
    watching.cancel()
    await asyncio.wait({watching})
    assert watching.cancelled()


async def test_a_stop_that_cancels_itself_cuts_off_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that is cut off stays in its group, and its partitions are read by nobody."""
    broker = consumer_broker(NOBODY, "media")
    over: list[str] = []

    async def cancels_itself() -> None:
        raise asyncio.CancelledError

    async def takes_a_while() -> None:
        await asyncio.sleep(0.05)
        over.append("stopped")

    stoppable = [broker.subscriber("one", group_id="g"), broker.subscriber("two", group_id="g")]
    monkeypatch.setattr(stoppable[0], "stop", cancels_itself)
    monkeypatch.setattr(stoppable[1], "stop", takes_a_while)
    await consumers_of(broker).stop()
    assert over[:1] == ["stopped"]


async def test_a_start_that_cancels_itself_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    link = KafkaLink(NOBODY, "media", METRICS, consumers_of(consumer_broker(NOBODY, "media")), StopTime())

    async def cancels_itself() -> bool:
        raise asyncio.CancelledError

    async def is_cancelled() -> bool:
        checking.cancel()
        await asyncio.Event().wait()
        return True

    assert not await link._in_time(cancels_itself)
    checking = asyncio.create_task(link._in_time(is_cancelled))
    await asyncio.wait({checking})
    assert checking.cancelled()


async def test_where_one_consumer_does_not_start_none_goes_on_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would join its group after the stop, and keep partitions that nobody reads."""
    broker = consumer_broker(NOBODY, "media")
    going_on = asyncio.Event()

    class Starting:
        def __init__(self, start: Callable[[], Awaitable[None]]) -> None:
            self.start = start

    async def fails() -> None:
        await going_on.wait()
        raise KafkaConnectionError

    async def takes_long() -> None:
        going_on.set()
        try:
            await asyncio.Event().wait()
        finally:
            going_on.clear()

    async def nothing() -> None:
        return

    monkeypatch.setattr(type(broker), "subscribers", [Starting(fails), Starting(takes_long)])
    monkeypatch.setattr(broker, "connect", nothing)
    with pytest.raises(KafkaConnectionError):
        await consumers_of(broker).start()
    assert not going_on.is_set()


async def test_a_consumer_whose_fetching_broke_is_stopped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen where a connection was reset while a request was being written: its stop raises what had happened."""
    broker, closed = consumer_broker(NOBODY, "media"), []

    class Broken:
        _closed = False
        _coordinator = _fetcher = None

        async def stop(self) -> None:
            already, self._closed = self._closed, True  # a second stop has nothing to do
            if not already:
                raise KafkaError("Unexpected error during data retrieval")

        @property
        def _client(self) -> SimpleNamespace:
            return SimpleNamespace(close=self._close)

        async def _close(self) -> None:
            closed.append("client")

    subscriber = broker.subscriber("video.assets")
    subscriber.consumer = cast("AIOKafkaConsumer", Broken())
    consuming = consumers_of(broker)
    await consuming.stop()
    assert closed == ["client"]
    assert not consuming.stuck
    assert subscriber.consumer is None

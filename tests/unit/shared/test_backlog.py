"""When consumers count as silent, and how often they are made anew where that does not help."""

from datetime import timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from shared.contracts.events import NotificationCreated
from shared.contracts.topics import TopicSpec
from shared.delivery.backlog import LOOK_SECONDS, Backlog, Done
from shared.delivery.inbox import Inbox, consumer_broker
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings

ONE, OTHER = TopicPartition("things", 0), TopicPartition("others", 0)
PATIENCE = 30.0


async def heard(event: NotificationCreated) -> None:
    """Nothing is sent in these tests."""


class Watched(Backlog):
    """A backlog of messages that the test lays out, looked at as the test's clock goes on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: Done = {}
        self.failure: Exception | None = None
        self.consumers = consumer_broker(CommonSettings(), "media")
        super().__init__(self.consumers, (), Metrics(), timedelta(seconds=PATIENCE), lambda: self.now)

    def inbox(self) -> Inbox:
        return Inbox(self.consumers, "media", Metrics(), CommonSettings())

    async def _waiting(self) -> Done:
        if self.failure is not None:
            raise self.failure
        return self.waiting

    async def after(self, seconds: float) -> set[str]:
        self.now += seconds
        return await self.look()

    async def seconds_until_standing(self) -> float:
        began = self.now
        while not await self.after(LOOK_SECONDS):
            pass
        return self.now - began


@pytest.fixture
def backlog() -> Watched:
    return Watched()


async def test_where_nothing_moves_for_long_the_topic_stands(backlog: Watched) -> None:
    backlog.waiting = {ONE: 7, OTHER: 3}
    assert await backlog.after(0) == set()
    backlog.waiting = {ONE: 7, OTHER: 4}
    assert await backlog.after(PATIENCE - 1) == set()
    assert await backlog.after(1) == {"things"}


async def test_what_waits_anew_has_its_time(backlog: Watched) -> None:
    backlog.waiting = {ONE: 7}
    await backlog.after(0)
    backlog.waiting = {}
    await backlog.after(PATIENCE)
    backlog.waiting = {ONE: 7}
    assert await backlog.after(PATIENCE) == set()


async def test_patience_doubles_with_each_renewal_until_nothing_waits(backlog: Watched) -> None:
    backlog.waiting = {ONE: 7}
    await backlog.after(0)
    waits = []
    for _ in range(8):
        waits.append(await backlog.seconds_until_standing())
        backlog.renewed()
        await backlog.after(0)
    assert waits == [PATIENCE * factor for factor in (1, 2, 4, 8, 16, 32, 32, 32)]
    backlog.waiting = {}
    await backlog.after(LOOK_SECONDS)
    backlog.waiting = {ONE: 8}
    await backlog.after(0)
    assert await backlog.seconds_until_standing() == PATIENCE


async def test_where_brokers_tell_nothing_for_long_all_topics_stand(backlog: Watched) -> None:
    backlog.inbox().on(TopicSpec("things", partitions=1), heard)
    await backlog.after(0)
    backlog.failure = KafkaTimeoutError()
    assert await backlog.after(PATIENCE - 1) == set()
    assert await backlog.after(1) == {"things", "media.redrive"}
    backlog.failure = None
    assert await backlog.after(PATIENCE) == set()

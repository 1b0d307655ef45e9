"""How a consumer's own reads are watched, on aiokafka's own record of them."""

from datetime import timedelta
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState, TopicPartitionState

from shared.delivery.backlog import Backlog
from shared.delivery.inbox import consumer_broker
from shared.delivery.reads import Read, reads_of
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings

NOBODY = CommonSettings(kafka_bootstrap_servers="127.0.0.1:1")
FIRST, SECOND, THIRD = (TopicPartition("t", number) for number in range(3))


class Reading:
    """Stands for a consumer that nobody starts."""

    def __init__(self, *partitions: TopicPartition) -> None:
        self._subscription = SubscriptionState()
        self.sought: list[TopicPartition] = []
        if partitions:
            self._subscription.assign_from_user(partitions)

    def answered(self, partition: TopicPartition, offset: int, end: int, at_ms: int) -> None:
        state = self._state(partition)
        state.seek(offset)
        state.highwater, state.timestamp = end, at_ms

    def reset(self, partition: TopicPartition) -> None:
        self._state(partition).await_reset(None)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self.sought.extend(partitions)

    def as_consumer(self) -> AIOKafkaConsumer:
        return cast("AIOKafkaConsumer", self)

    def _state(self, partition: TopicPartition) -> TopicPartitionState:
        return self._subscription.subscription.assignment.state_value(partition)


@pytest.fixture
async def reading() -> Reading:
    """A consumer of three partitions."""
    return Reading(FIRST, SECOND, THIRD)


async def test_how_a_partition_is_read_is_known_from_its_first_answer_on(reading: Reading) -> None:
    reading.answered(SECOND, 7, 9, 1_000)
    assert reads_of(reading.as_consumer()) == {SECOND: Read(7, 9, 1_000)}


async def test_a_partition_without_a_position_hides_no_other_one(reading: Reading) -> None:
    """Asked for in public, it was waited for, and what came after it in the order of names was not looked at."""
    reading.answered(FIRST, 7, 9, 1_000)
    reading.answered(SECOND, 3, 3, 1_000)
    reading.reset(FIRST)
    assert reads_of(reading.as_consumer()) == {SECOND: Read(3, 3, 1_000)}


async def test_a_consumer_without_partitions_reads_nothing() -> None:
    assert reads_of(Reading().as_consumer()) == {}


@pytest.fixture
def backlog(reading: Reading) -> Backlog:
    """The backlog of a service that has this one consumer."""
    broker = consumer_broker(NOBODY, "media")
    broker.subscriber("t").consumer = reading.as_consumer()
    return Backlog(broker, NOBODY.kafka_servers, (), Metrics(), timedelta(seconds=1))


async def test_what_is_read_beyond_the_end_for_long_is_read_from_its_beginning(
    reading: Reading, backlog: Backlog
) -> None:
    """Not at once: a new leader may not know yet how far its records are confirmed. Nor where it still moves."""
    reading.answered(FIRST, 100, 3, 1_000)
    reading.answered(SECOND, 20, 19, 1_000)
    await backlog._begin_anew(reads_of(reading.as_consumer()))
    assert reading.sought == []
    reading.answered(FIRST, 100, 3, 2_000)
    reading.answered(SECOND, 21, 19, 2_000)
    await backlog._begin_anew(reads_of(reading.as_consumer()))
    assert reading.sought == [FIRST]


async def test_one_answer_that_is_seen_twice_is_one(reading: Reading, backlog: Backlog) -> None:
    reading.answered(FIRST, 100, 3, 1_000)
    for _ in range(2):
        await backlog._begin_anew(reads_of(reading.as_consumer()))
    assert reading.sought == []


async def test_what_is_read_rightly_again_by_then_stays_where_it_is(reading: Reading, backlog: Backlog) -> None:
    for at_ms in (1_000, 2_000):
        reading.answered(FIRST, 100, 3, at_ms)
        seen = reads_of(reading.as_consumer())
        if at_ms == 2_000:
            reading.answered(FIRST, 100, 100, 2_500)
        await backlog._begin_anew(seen)
    assert reading.sought == []

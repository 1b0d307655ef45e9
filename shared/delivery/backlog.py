"""What waits in the consumer groups, and whether anything of it is handled at all.

A consumer can fall silent while its connections and heartbeats look well: after an outage of the whole cluster, or
where a member of the group has partitions and does not read them. What tells is that messages
wait and the group does not move on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Container
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import LogicSubscriber

from shared.delivery.standstill import Standstill
from shared.wiring.metrics import Metrics

LOOK_SECONDS = 10.0
ANSWER_SECONDS = 5.0
MOST_DOUBLINGS = 5

Done = dict[TopicPartition, int]
"""An offset of each partition: how far it is handled (committed by any member of the group; without one, read here)."""


class Backlog:
    """Looks at every group of one service now and then: how much waits, and where nothing moves.

    A message that is at hand in this process explains a standstill: its handler waits for a database, perhaps for
    hours. After each renewal of the consumers the patience doubles, up to 32 times, until nothing waits any more: where
    making them anew does not help, doing it all the time would only disturb the other members.
    """

    def __init__(
        self,
        consumers: KafkaBroker,
        at_hand: Container[str],
        metrics: Metrics,
        patience: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`at_hand` holds the topics that a message is being handled of; `patience` is how long all may stand still."""
        self._consumers = consumers
        self._at_hand = at_hand
        self._metrics = metrics
        self._patience = patience
        self._clock = clock
        self._told = clock()
        self._renewals = 0
        self._standstill = Standstill(patience, clock)
        self._caught_up: Done = {}

    async def look(self) -> set[str]:
        """Measure, and return the topics that stand still: all, where brokers have not told anything for too long."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                waiting = await self._waiting()
        except (KafkaError, OSError, TimeoutError):
            return self._topics if self._clock() - self._told >= self._patience.total_seconds() else set()
        self._told = self._clock()
        self._standstill.keep_only(waiting)
        if not waiting and self._renewals:
            self._be_patient(renewals=0)
        return {partition.topic for partition, done in waiting.items() if self._standstill.stands(partition, done)}

    def renewed(self) -> None:
        """Note that the consumers were made anew: they have their time before they stand still again."""
        self._be_patient(min(self._renewals + 1, MOST_DOUBLINGS))

    def _be_patient(self, renewals: int) -> None:
        self._renewals = renewals
        self._told = self._clock()
        self._standstill = Standstill(self._patience * 2**renewals, self._clock)

    @property
    def _subscribers(self) -> list[LogicSubscriber[Any]]:
        return [one for one in self._consumers.subscribers if isinstance(one, LogicSubscriber)]

    @property
    def _topics(self) -> set[str]:
        return {topic for subscriber in self._subscribers for topic in subscriber.topic_names_for_subscribe}

    async def _waiting(self) -> Done:
        waiting: Done = {}
        for subscriber in self._subscribers:
            if subscriber.consumer is not None:
                waiting |= await self._measure(subscriber, subscriber.consumer)
        return waiting

    async def _measure(self, subscriber: LogicSubscriber[Any], consumer: AIOKafkaConsumer) -> Done:
        waiting: Done = {}
        ask = consumer.position if subscriber.group_id is None else consumer.committed
        for topic in subscriber.topic_names_for_subscribe:
            ends = await self._moved_on(topic, consumer)
            done = await _handled(list(ends), consumer, ask)
            lag = {partition: end - done[partition] for partition, end in ends.items() if done[partition] < end}
            self._caught_up |= {partition: end for partition, end in ends.items() if partition not in lag}
            self._metrics.consumer_lag.labels(topic=topic).set(sum(lag.values()))
            if topic not in self._at_hand:
                waiting |= {partition: done[partition] for partition in lag}
        return waiting

    async def _moved_on(self, topic: str, consumer: AIOKafkaConsumer) -> Done:
        """Return the ends of those partitions that got something since all of it was seen to be handled."""
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends = await consumer.end_offsets(partitions)
        return {partition: end for partition, end in ends.items() if end != self._caught_up.get(partition, 0)}


async def _handled(
    partitions: list[TopicPartition],
    consumer: AIOKafkaConsumer,
    ask: Callable[[TopicPartition], Awaitable[int | None]],
) -> Done:
    firsts = await consumer.beginning_offsets(partitions) if partitions else {}
    return {partition: max(first, await ask(partition) or 0) for partition, first in firsts.items()}

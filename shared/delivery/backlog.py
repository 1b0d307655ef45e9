"""What waits in the consumer groups, and whether anything of it is handled at all.

A consumer can fall silent while its connections and heartbeats look well: after an outage of the whole cluster, or
where a member of the group has partitions and does not read them. What tells is that messages
wait and the group does not move on.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Container, Sequence
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import LogicSubscriber

from shared.delivery.offsets import Brokers, Offsets
from shared.delivery.standstill import Standstill
from shared.wiring.metrics import Metrics

LOOK_SECONDS = 10.0
ANSWER_SECONDS = 5.0
POSITION_SECONDS = 1.0
MOST_DOUBLINGS = 5


class Backlog:
    """Looks at every group of one service now and then: how much waits, and where nothing moves.

    A message that is at hand in this process explains a standstill: its handler waits for a database, perhaps for
    hours. After each renewal of the consumers the patience doubles, up to 32 times, until nothing waits any more: where
    making them anew does not help, doing it all the time would only disturb the other members. Brokers that do not
    answer say nothing about the consumers.
    """

    def __init__(
        self,
        consumers: KafkaBroker,
        servers: Sequence[str],
        at_hand: Container[str],
        metrics: Metrics,
        patience: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`at_hand` holds the topics that a message is being handled of; `patience` is how long all may stand still."""
        self._consumers = consumers
        self._servers = servers
        self._at_hand = at_hand
        self._metrics = metrics
        self._patience = patience
        self._clock = clock
        self._renewals = 0
        self._standstill = Standstill(patience, clock)
        self._caught_up: Offsets = {}

    async def look(self) -> set[str]:
        """Measure, and return the topics that stand still."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                waiting = await self._waiting()
        except (KafkaError, OSError, TimeoutError):
            return set()
        self._standstill.keep_only(waiting)
        if not waiting and self._renewals:
            self._be_patient(renewals=0)
        return {partition.topic for partition, done in waiting.items() if self._standstill.stands(partition, done)}

    def renewed(self) -> None:
        """Note that the consumers were made anew: they have their time before they stand still again."""
        self._be_patient(min(self._renewals + 1, MOST_DOUBLINGS))

    def _be_patient(self, renewals: int) -> None:
        self._renewals = renewals
        self._standstill = Standstill(self._patience * 2**renewals, self._clock)

    @property
    def _subscribers(self) -> list[LogicSubscriber[Any]]:
        return [one for one in self._consumers.subscribers if isinstance(one, LogicSubscriber)]

    async def _waiting(self) -> Offsets:
        """Return how far the partitions are handled in which something waits that is not at hand."""
        topics = {topic for subscriber in self._subscribers for topic in subscriber.topic_names_for_subscribe}
        async with Brokers(self._servers) as brokers:
            ends = await brokers.ends(topics)
            moved_on = {partition: end for partition, end in ends.items() if end != self._caught_up.get(partition, 0)}
            handled = await self._handled(brokers, moved_on)
        lag = {partition: end - handled[partition] for partition, end in moved_on.items()}
        self._caught_up |= {partition: end for partition, end in moved_on.items() if lag[partition] <= 0}
        for topic in topics:
            waiting = sum(count for partition, count in lag.items() if partition.topic == topic)
            self._metrics.consumer_lag.labels(topic=topic).set(waiting)
        return {
            partition: handled[partition]
            for partition, count in lag.items()
            if count > 0 and partition.topic not in self._at_hand
        }

    async def _handled(self, brokers: Brokers, partitions: Collection[TopicPartition]) -> Offsets:
        """Return how far each is handled: committed by any member of the group; without a group, read here."""
        if not partitions:
            return {}
        told = await asyncio.gather(*(_handled_by(one, brokers, partitions) for one in self._subscribers))
        done = {partition: offset for offsets in told for partition, offset in offsets.items()}
        return {
            partition: max(first, done.get(partition, 0))
            for partition, first in (await brokers.firsts(partitions)).items()
        }


async def _handled_by(
    subscriber: LogicSubscriber[Any], brokers: Brokers, partitions: Collection[TopicPartition]
) -> Offsets:
    own = [partition for partition in partitions if partition.topic in subscriber.topic_names_for_subscribe]
    if not own or subscriber.consumer is None:
        return {}
    if subscriber.group_id is not None:
        return await brokers.committed(subscriber.group_id, own)
    return await _positions(subscriber.consumer, own)


async def _positions(consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> Offsets:
    """Return where it reads next; not of those where it has not found that out in time."""
    positions: Offsets = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(POSITION_SECONDS):
            for partition in partitions:
                positions[partition] = await consumer.position(partition)
    return positions

"""What waits in the consumer groups, since when, and whether anything of it is handled at all.

A consumer can fall silent while its connections and heartbeats look well: after an outage of the whole cluster, or
where a member of the group has partitions and does not read them. What tells is that messages
wait and the group does not move on.

A broker that has forgotten its topics (one in memory, killed; one restored from an old copy) may still be told how far
the old ones had been handled, by a client that had not noticed. Some answer a read beyond the end with nothing, for as
long as it is beyond: there reading begins anew. What a broker withholds is not waited for.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import LogicSubscriber

from shared.delivery.offsets import Brokers, Offsets
from shared.delivery.reads import Reads, Withheld, reads_of
from shared.delivery.standstill import Standstill
from shared.wiring.metrics import Metrics

LOOK_SECONDS = 10.0
ANSWER_SECONDS = 5.0
POSITION_SECONDS = 1.0
MOST_DOUBLINGS = 5
UNKNOWN_AFTER_SECONDS = 3 * LOOK_SECONDS
MOST_LOOKS = 1000

log = structlog.get_logger(__name__)


class Seen(NamedTuple):
    """Where each partition ends, how far those are handled that got something since all of it was, how all are read."""

    ends: Offsets
    handled: Offsets
    reads: Reads


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
        self._withheld = Withheld()
        self._will_not_come: set[TopicPartition] = set()
        self._beyond: Reads = {}
        self._caught_up: Offsets = {}
        self._looks: deque[tuple[float, Offsets]] = deque(maxlen=MOST_LOOKS)
        self._looked_at = self._all_heard_until = self._heard_until = clock()

    async def look(self) -> set[str]:
        """Measure, and return the topics that stand still."""
        seen = await self.measure()
        if seen is None:
            return set()
        await self._begin_anew(seen.reads)
        waiting = {
            partition: handled
            for partition, handled in seen.handled.items()
            if handled < seen.ends[partition]
            and partition not in self._will_not_come
            and partition.topic not in self._at_hand
        }
        self._standstill.keep_only(waiting)
        if not waiting and self._renewals:
            self._be_patient(renewals=0)
        return {partition.topic for partition, done in waiting.items() if self._standstill.stands(partition, done)}

    async def _begin_anew(self, reads: Reads) -> None:
        """Read from the beginning what is read beyond the end, from the same offset at two answers in a row.

        One answer may be that of a new leader, which does not know yet how far its records are confirmed.
        """
        before, self._beyond = self._beyond, {one: read for one, read in reads.items() if read.offset > read.end}
        again = {one for one, read in self._beyond.items() if one in before and read.again(before[one])}
        if again:
            log.warning("kafka.read_beyond_the_end", partitions=_told(again))
        for consumer in _consuming(self._consumers):
            own = [one for one, read in reads_of(consumer).items() if one in again and read.offset > read.end]
            if own:
                with contextlib.suppress(TimeoutError, KafkaError):
                    async with asyncio.timeout(POSITION_SECONDS):
                        await consumer.seek_to_beginning(*own)

    async def measure(self) -> Seen | None:
        """Measure what waits, whether or not anybody is to take it; None where the brokers do not say."""
        began = self._clock()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                seen = await self._see()
        except (KafkaError, OSError, TimeoutError):
            return None
        self._note(began, seen)
        return seen

    def behind(self) -> timedelta:
        """Return for how long there may be messages that will come and are not handled yet; nothing if not known."""
        now = self._clock()
        if now - self._looked_at > UNKNOWN_AFTER_SECONDS:
            return timedelta(0)
        return timedelta(seconds=now - self._heard_until)

    def _note(self, began: float, seen: Seen) -> None:
        """Learn until when all is handled: up to the newest look whose ends have been reached, or forgotten.

        That may be this look: where nothing waits, looks that failed before it say nothing of being behind. What is
        withheld counts again, and since it came, as soon as the broker gives it after all.
        """
        self._looked_at = began
        self._looks.append((began, seen.ends))
        reached = dict(seen.ends) | seen.handled
        waiting_since = self._waiting_since(seen.ends, reached)
        self._look_for_withheld({one: reached[one] for one in waiting_since}, seen.reads)
        while self._looks and self._looks[0][0] < min(waiting_since.values(), default=math.inf):
            self._all_heard_until, _ = self._looks.popleft()
        coming = [at for one, at in waiting_since.items() if one not in self._will_not_come]
        heard = [at for at, _ in self._looks if at < min(coming, default=math.inf)]
        self._heard_until = max(heard, default=self._all_heard_until)
        self._caught_up = {partition: end for partition, end in seen.ends.items() if reached[partition] == end}
        for topic in {partition.topic for partition in seen.ends}:
            own = [partition for partition in seen.ends if partition.topic == topic]
            lag = sum(max(0, seen.ends[one] - reached[one]) for one in own)
            self._metrics.consumer_lag.labels(topic=topic).set(lag)
            oldest = min(waiting_since.get(one, began) for one in own)
            self._metrics.unhandled_seconds.labels(topic=topic).set(began - oldest)

    def _look_for_withheld(self, waiting: Offsets, reads: Reads) -> None:
        before, self._will_not_come = self._will_not_come, self._withheld.among(waiting, reads)
        if self._will_not_come - before:
            log.warning("kafka.message_withheld", partitions=_told(self._will_not_come - before))

    def _waiting_since(self, now: Offsets, reached: Offsets) -> dict[TopicPartition, float]:
        """Return which look first saw what still waits; what was forgotten does not."""
        since: dict[TopicPartition, float] = {}
        for at, ends in self._looks:
            for partition, end in ends.items():
                if reached.get(partition, end) < end <= now.get(partition, 0):
                    since.setdefault(partition, at)
        return since

    def renewed(self) -> None:
        """Note that the consumers were made anew: they have their time before they stand still again."""
        self._be_patient(min(self._renewals + 1, MOST_DOUBLINGS))

    def _be_patient(self, renewals: int) -> None:
        self._renewals = renewals
        self._standstill = Standstill(self._patience * 2**renewals, self._clock)

    async def _see(self) -> Seen:
        told = [one for one in readers(self._consumers) if one.group_id is not None or one.consumer is not None]
        async with Brokers(self._servers) as brokers:
            ends = await brokers.ends(topics_of(told))
            moved_on = [partition for partition, end in ends.items() if end != self._caught_up.get(partition, 0)]
            handled = await self._handled(brokers, moved_on)
        reads = {one: read for consumer in _consuming(self._consumers) for one, read in reads_of(consumer).items()}
        return Seen(ends, handled, reads)

    async def _handled(self, brokers: Brokers, partitions: Collection[TopicPartition]) -> Offsets:
        """Return how far each is handled: committed by any member of the group; without a group, read here."""
        if not partitions:
            return {}
        told = await asyncio.gather(*(_handled_by(one, brokers, partitions) for one in readers(self._consumers)))
        done = {partition: offset for offsets in told for partition, offset in offsets.items()}
        return {
            partition: max(first, done.get(partition, 0))
            for partition, first in (await brokers.firsts(partitions)).items()
        }


def readers(broker: KafkaBroker) -> list[LogicSubscriber[Any]]:
    """Return the subscribers that have one consumer each, started or not: all that there are in a service."""
    return [one for one in broker.subscribers if isinstance(one, LogicSubscriber)]


def topics_of(subscribers: Iterable[LogicSubscriber[Any]]) -> set[str]:
    """Return the topics that they read."""
    return {topic for subscriber in subscribers for topic in subscriber.topic_names_for_subscribe}


def _consuming(broker: KafkaBroker) -> list[AIOKafkaConsumer]:
    return [one.consumer for one in readers(broker) if one.consumer is not None]


def _told(partitions: Iterable[TopicPartition]) -> list[str]:
    return sorted(f"{one.topic}/{one.partition}" for one in partitions)


async def _handled_by(
    subscriber: LogicSubscriber[Any], brokers: Brokers, partitions: Collection[TopicPartition]
) -> Offsets:
    own = [partition for partition in partitions if partition.topic in subscriber.topic_names_for_subscribe]
    if own and subscriber.group_id is not None:
        return await brokers.committed(subscriber.group_id, own)
    if not own or subscriber.consumer is None:
        return {}
    return await _positions(subscriber.consumer, own)


async def _positions(consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> Offsets:
    """Return where it reads next; not of those where it has not found that out in time."""
    positions: Offsets = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(POSITION_SECONDS):
            for partition in partitions:
                positions[partition] = await consumer.position(partition)
    return positions

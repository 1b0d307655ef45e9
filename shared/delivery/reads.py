"""What this process's own reads were told, and what a broker counts and gives to none of them."""

import asyncio
import contextlib
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.delivery.offsets import Offsets

POSITION_SECONDS = 1.0
ANSWERS = 2


class Read(NamedTuple):
    """How its last answer left a partition: what is read next, where the partition ends by it, when it came."""

    offset: int
    end: int
    answered_ms: int


Reads = dict[TopicPartition, Read]


async def reads_of(consumer: AIOKafkaConsumer) -> Reads:
    """Return how far it reads what is assigned to it; not where none was answered, nor what isn't found out in time.

    Asked for where a topic ends, an embedded broker names the record that it wrote last, which with two writers at once
    may not be the one with the highest offset. What a read is told is right.
    """
    reads: Reads = {}
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(POSITION_SECONDS):
            for one in sorted(consumer.assignment()):
                if consumer.highwater(one) is not None:
                    offset = await consumer.position(one)
                    end, answered_ms = consumer.highwater(one), consumer.last_poll_timestamp(one)
                    if end is not None and answered_ms is not None:
                        reads[one] = Read(offset, end, answered_ms)
    return reads


class Withheld:
    """Watches for what waits and will not come: the broker counts it, and its answers to reads end before it.

    An embedded broker makes a topic known before it has set where its partitions end. What is written in between is
    counted, and given to nobody until something more is written there. Only reads tell that from what is not read or
    handled yet: all before it is handled, and new answers, again and again, say that there is no more.
    """

    def __init__(self) -> None:
        self._seen: dict[TopicPartition, tuple[Read, int]] = {}

    def among(self, waiting: Offsets, reads: Reads) -> set[TopicPartition]:
        """Return which of those that wait, each handled up to there, are withheld; ask at each look."""
        self._seen = {
            one: self._counted(one, reads[one])
            for one, handled in waiting.items()
            if one in reads and reads[one].end <= reads[one].offset <= handled
        }
        return {one for one, (_, answers) in self._seen.items() if answers >= ANSWERS}

    def _counted(self, partition: TopicPartition, read: Read) -> tuple[Read, int]:
        before, answers = self._seen.get(partition, (read, 0))
        if before.offset != read.offset:
            return read, 0
        return read, answers + (read.answered_ms > before.answered_ms)

"""How far topics reach and groups have come, as the brokers say."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from shared.wiring.cancellation import to_its_end
from shared.wiring.together import all_or_none

REQUEST_MS = 4_000

Offsets = dict[TopicPartition, int]
"""An offset of each partition."""


class Brokers:
    """Asks over connections of its own, for as long as it is entered. Raises KafkaError and OSError.

    A consumer's connection answers only after the fetch that waits on it, and that of a silent one never.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        """Call it where an event loop runs."""
        options = {"bootstrap_servers": servers, "request_timeout_ms": REQUEST_MS, "client_id": "reelway-offsets"}
        self._admin = AIOKafkaAdminClient(**options)
        self._reader: Any = AIOKafkaConsumer(**options)

    async def __aenter__(self) -> Self:
        try:
            await all_or_none([self._admin.start(), self._reader.start()])
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await to_its_end(self._close())

    async def _close(self) -> None:
        await asyncio.gather(self._admin.close(), self._reader.stop())

    async def ends(self, topics: Collection[str]) -> Offsets:
        """Return where the next record of each partition will stand. Topics that are not there have no partitions."""
        if not await self._reader._client.set_topics(topics):
            raise KafkaConnectionError("no broker tells which partitions there are")
        numbers = {topic: self._reader.partitions_for_topic(topic) or () for topic in topics}
        partitions = [TopicPartition(topic, number) for topic in topics for number in numbers[topic]]
        ends: Offsets = await self._reader.end_offsets(partitions)
        return ends

    async def firsts(self, partitions: Collection[TopicPartition]) -> Offsets:
        """Return where the oldest record that is still kept stands."""
        firsts: Offsets = await self._reader.beginning_offsets(partitions)
        return firsts

    async def committed(self, group: str, partitions: Collection[TopicPartition]) -> Offsets:
        """Return how far the group has committed, of those partitions where it has."""
        told = await self._admin.list_consumer_group_offsets(group, partitions=list(partitions))
        return {partition: committed.offset for partition, committed in told.items() if committed.offset >= 0}

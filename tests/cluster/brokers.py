"""What the brokers of a cluster say of its topics: who leads what, who is in sync."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contracts.topics import ALL
from shared.wiring.cancellation import to_its_end

Json = dict[str, Any]
TOPICS = [topic.name for topic in ALL]


class Cluster:
    """Asks whichever broker answers. Raises KafkaError where none does."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    @classmethod
    @asynccontextmanager
    async def at(cls, servers: str) -> AsyncIterator[Self]:
        """Connect to the cluster."""
        admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5_000)
        await admin.start()
        try:
            yield cls(admin)
        finally:
            await to_its_end(admin.close())

    async def partitions(self, topics: Iterable[str] = TOPICS) -> list[Json]:
        """Return every partition: `leader`, `replicas` and `isr` are numbers of brokers."""
        described = await self._admin.describe_topics(list(topics))
        return [partition for topic in described for partition in topic["partitions"]]

    async def leader_of(self, topic: str, *others: int) -> int:
        """Return who leads most partitions of the topic, of those that are not `others`."""
        leaders = Counter(one["leader"] for one in await self.partitions([topic]) if one["leader"] not in others)
        ((leader, _),) = leaders.most_common(1)
        return int(leader)

    async def all_in_sync(self, replicas: int) -> bool:
        """Return whether so many replicas of everything are in sync."""
        return all(len(one["isr"]) == replicas for one in await self.partitions())

    async def raise_partitions(self, partitions: int, *topics: str) -> None:
        """Give topics more partitions than they have."""
        answer = await self._admin.create_partitions({topic: NewPartitions(partitions) for topic in topics})
        for topic, code, message in answer.topic_errors:
            assert code == 0, (topic, message)

    async def own_settings(self, topic: str) -> dict[str, str]:
        """Return what was set for the topic itself."""
        (answer,) = await self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        ((*_, entries),) = answer.resources
        topics_own = 1  # where a setting comes from: others are the broker's
        return {name: value for name, value, _, source, *_ in entries if source == topics_own}

"""The bench's own ends of Kafka: events in the services' place, and ears for what they say."""

import asyncio
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import NamedTuple, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contracts.cloudevents import decode, encode
from shared.contracts.events import Event, VideoReady
from shared.contracts.topics import TopicSpec
from tests.bench.figures import BrokenRun

_FETCH_WAIT_MS = 20
_SILENCE_MS = 500


class Volume(NamedTuple):
    """What lies on a topic: records, and the bytes of their keys, values and headers."""

    records: int
    size: int


class Kafka:
    """Publishes and listens while it is entered."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
        self._listener = AIOKafkaConsumer(bootstrap_servers=servers, fetch_max_wait_ms=_FETCH_WAIT_MS)

    async def __aenter__(self) -> Self:
        await self._producer.start()
        await self._listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()
        await self._listener.stop()

    async def publish(self, *events: Event, source: str) -> None:
        """Publish events as the service `source` would and wait until the broker has them all."""
        sent = []
        for event in events:
            record = encode(event, source)
            headers = [(name, value.encode()) for name, value in record.headers.items()]
            sent.append(await self._producer.send(record.topic, record.value, record.key, headers=headers))
        await asyncio.gather(*sent)

    async def listen(self, topic: TopicSpec) -> None:
        """Hear all that is and will be published to `topic`, and to no other.

        From the beginning, and counted by what arrives: the embedded broker's end offsets fall short by what its last
        batch holds beyond one record.
        """
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        self._listener.assign(partitions)
        await self._listener.seek_to_beginning(*partitions)

    async def heard(self) -> Event:
        """Return the next event of the topic that is listened to."""
        record = await self._listener.getone()
        return decode({name: value.decode() for name, value in record.headers}, record.value)

    async def until_heard(self, video_ids: Iterable[str], within_seconds: float) -> float:
        """Return, when an event about each of these videos was heard, the seconds that took. Raises BrokenRun."""
        return await self._until(lambda _: True, video_ids, within_seconds)

    async def until_ready(self, video_ids: Iterable[str], within_seconds: float) -> float:
        """Return the same for each video's VideoReady. Raises BrokenRun."""
        return await self._until(lambda event: isinstance(event, VideoReady), video_ids, within_seconds)

    async def _until(self, wanted: Callable[[Event], bool], video_ids: Iterable[str], within_seconds: float) -> float:
        missing, began = set(video_ids), time.perf_counter()
        try:
            async with asyncio.timeout(within_seconds):
                while missing:
                    event = await self.heard()
                    if wanted(event):
                        missing.discard(str(getattr(event, "video_id", "")))
        except TimeoutError:
            raise BrokenRun(f"{len(missing)} events were never published, one for {missing.pop()}") from None
        return time.perf_counter() - began

    async def volumes(self, topics: Iterable[TopicSpec]) -> dict[str, Volume]:
        """Return what lies on each topic now; whatever was listened to is listened to no more."""
        return {topic.name: await self._volume(topic) for topic in topics}

    async def _volume(self, topic: TopicSpec) -> Volume:
        await self.listen(topic)
        records = size = 0
        while brought := await self._listener.getmany(timeout_ms=_SILENCE_MS):
            for record in (record for some in brought.values() for record in some):
                records += 1
                size += len(record.key or b"") + len(record.value or b"")
                size += sum(len(name) + len(value) for name, value in record.headers)
        return Volume(records, size)

    async def make_topic(self, name: str, partitions: int) -> None:
        """Make a topic for the bench alone."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)
        try:
            await admin.start()
            await admin.create_topics([NewTopic(name, partitions, 1)])
        finally:
            await admin.close()

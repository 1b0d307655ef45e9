"""A topic of a test's own, a service's runtime that listens to it, and a handler that fails as told."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.record.util import calc_crc32c

from shared.contracts.cloudevents import encode
from shared.contracts.events import Event, NotificationCreated
from shared.contracts.topics import TopicSpec, dead_letters
from shared.delivery.backlog import readers
from shared.delivery.letter import Letter, Selection
from shared.wiring.runtime import Runtime
from shared.wiring.serve import BROKEN
from tests.waiting import until

CRC = 17  # where a batch has its check sum, over all that follows
ALL = Selection(state="all")
Headers = list[tuple[str, bytes | None]]


class Topic:
    """One topic with one partition, made for one test, and everything a test does with it."""

    def __init__(self, servers: str) -> None:
        self.spec = TopicSpec(f"test.{uuid4().hex}", partitions=1)
        self.servers = servers
        self.producer = AIOKafkaProducer(bootstrap_servers=servers)

    async def make(self, *others: str) -> None:
        """Make the topic, the dead letters' one and `others`, as far as they are missing."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            dead = dead_letters("media")
            wanted = {self.spec.name, dead.name, *others} - set(await admin.list_topics())
            await admin.create_topics([NewTopic(name, 1, 1) for name in wanted])
        finally:
            await admin.close()

    async def put(self, event: Event) -> None:
        record = encode(event, "test")
        await self.put_raw(record.value, [(name, value.encode()) for name, value in record.headers.items()])

    async def put_raw(self, value: bytes | None, headers: Headers, key: bytes | None = b"k") -> None:
        await self.producer.send_and_wait(self.spec.name, value, key, headers=headers)

    async def put_compressed(self, value: bytes, headers: Headers) -> None:
        """Put more bytes than a broker would take otherwise."""
        most = 64 * 1024 * 1024
        async with AIOKafkaProducer(
            bootstrap_servers=self.servers, compression_type="gzip", max_request_size=most
        ) as producer:
            await producer.send_and_wait(self.spec.name, value, b"k", headers=headers)

    async def put_with_header_name(self, name: bytes) -> None:
        """Put created(2) with a header of that name, which no client library would write."""
        stand_in = "x" * len(name)
        record = encode(created(2), "test")
        headers = [(header, value.encode()) for header, value in record.headers.items()]
        batch = self.producer.create_batch()
        batch.append(key=b"k", value=b'{"userId":"u","seq":2}', timestamp=None, headers=[*headers, (stand_in, b"v")])
        build = batch._builder.build

        def build_renamed() -> bytearray:
            raw = bytearray(bytes(build()).replace(stand_in.encode(), name))
            raw[CRC : CRC + 4] = struct.pack(">I", calc_crc32c(bytes(raw[CRC + 4 :])))
            return raw

        batch._builder = SimpleNamespace(build=build_renamed, record_count=batch.record_count)
        await (await self.producer.send_batch(batch, self.spec.name, partition=0))

    async def has_members(self, service: str, count: int) -> bool:
        """Return whether so many consumers of the service are, or want to be, in the group that reads this topic."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            (described,) = await admin.describe_consumer_groups([f"{service}.{self.spec.name}"])
            return len(described.groups[0][5]) == count
        finally:
            await admin.close()

    async def dead_letters(self) -> list[ConsumerRecord[bytes, bytes]]:
        """Return the dead letters that came from this topic."""
        found = await read_all(self.servers, dead_letters("media").name)
        return [record for record in found if dict(record.headers)["dlq_topic"] == self.spec.name.encode()]


async def read_all(servers: str, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[ConsumerRecord[bytes, bytes]] = []
        ends = await consumer.end_offsets(consumer.assignment())
        for partition, end in ends.items():
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(partition, timeout_ms=500)).values():
                    found += records
        return found
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def running(runtime: Runtime) -> AsyncIterator[Runtime]:
    async with started(runtime):
        await until(lambda: runtime.health.ready)
        yield runtime


def started(runtime: Runtime) -> AbstractAsyncContextManager[None]:
    """Live, without waiting for anything."""
    return runtime.lifespan(_nothing)


async def _nothing() -> None:
    return


@contextlib.contextmanager
def caught_signal() -> Iterator[asyncio.Event]:
    """Catch the signal that a broken process sends itself; gives what is set by it."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(BROKEN, told.set)
    try:
        yield told
    finally:
        loop.remove_signal_handler(BROKEN)


def consumer_of(runtime: Runtime, topic: Topic) -> AIOKafkaConsumer:
    """Return what a started runtime reads that topic with."""
    for subscriber in readers(runtime.consumers):
        if subscriber.topic_names_for_subscribe == [topic.spec.name]:
            assert subscriber.consumer is not None
            return subscriber.consumer
    raise AssertionError("nobody listens to it")


def delivery_of(runtime: Runtime) -> object:
    """Return what the inbox delivers with, for a test to break."""
    (factory,) = [m for m in runtime.consumers.middlewares if type(m).__name__ == "DeliveryMiddleware"]
    return factory


def created(seq: int) -> NotificationCreated:
    return NotificationCreated(id=f"n{seq}", user_id="u", seq=seq)


class Listener:
    """A handler that remembers, and fails as told: one failure per call until they are used up."""

    def __init__(self, *failures: Exception, at: int = 0) -> None:
        self.seen: list[int] = []
        self.calls: list[int] = []
        self._failures = list(failures)
        self._at = at

    async def on_created(self, event: NotificationCreated) -> None:
        self.calls.append(event.seq)
        if self._failures and event.seq == self._at:
            raise self._failures.pop(0)
        self.seen.append(event.seq)


async def letters(runtime: Runtime, topic: Topic, selection: Selection = ALL) -> list[Letter]:
    """Return the letters that came from this test's topic."""
    async with runtime.letter_box() as box:
        return [letter for letter in await box.select(selection) if letter.topic == topic.spec.name]

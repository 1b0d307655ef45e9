"""The connection to Kafka: topics made, producer and consumers started, and all of it again after an outage."""

import asyncio
import contextlib

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError, for_code
from faststream.kafka import KafkaBroker

from shared.contracts.cloudevents import Record, encode
from shared.contracts.events import Event
from shared.contracts.topics import ALL, LARGEST_RECORD_BYTES, TopicSpec
from shared.delivery.outbox import PublishError
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings

WATCH_SECONDS = 2.0
REQUEST_MS = 8_000
PUBLISH_SECONDS = 12.0
CHECK_SECONDS = 30.0

log = structlog.get_logger(__name__)


class BrokerAwayError(Exception):
    """Kafka is not connected."""


class KafkaLink:
    """One service's connection to Kafka.

    `run` connects as soon as the brokers can be reached and keeps watching: topics that are missing (a broker that
    keeps everything in memory forgets them when it restarts) are made again. Nothing here blocks the service's start.
    """

    def __init__(self, settings: CommonSettings, service: str, metrics: Metrics, consumers: KafkaBroker) -> None:
        self._settings = settings
        self._service = service
        self._metrics = metrics
        self._consumers = consumers
        self._producer: AIOKafkaProducer | None = None
        self._reachable = False

    async def probe(self) -> None:
        """Return while the brokers answer. Raises BrokerAwayError."""
        if self._producer is None or not self._reachable:
            raise BrokerAwayError

    async def publish(self, record: Record) -> None:
        """Publish `record` and wait until all in-sync replicas have it. Raises PublishError."""
        if self._producer is None or not self._reachable:
            raise PublishError("not connected")
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._producer.send_and_wait(record.topic, record.value, record.key, headers=headers)
        except MessageSizeTooLargeError as error:
            raise PublishError(repr(error)) from error  # the record's fault: the connection is well
        except (KafkaError, TimeoutError, OSError) as error:
            self._reachable = False  # nothing more until topics and clients have been looked after
            raise PublishError(repr(error)) from error
        self._metrics.events_published.labels(topic=record.topic).inc()

    async def send(self, event: Event) -> None:
        """Publish an event that needs no outbox; where Kafka is away it is lost and that is all right."""
        with contextlib.suppress(PublishError):
            await self.publish(encode(event, self._service))

    async def run(self) -> None:
        """Connect and watch until cancelled, then stop the consumers and flush the producer."""
        try:
            while True:
                await self._check()
                await asyncio.sleep(WATCH_SECONDS)
        finally:
            await self._disconnect()

    async def _check(self) -> None:
        """Keep topics and clients whole; after an outage clients are made anew, since old ones may stay silent."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                forgotten = await self._ensure_topics()
                if forgotten or not self._reachable:
                    await self._disconnect()
                    await self._connect()
        except (KafkaError, OSError, TimeoutError) as error:
            if self._producer is not None:
                log.warning("kafka.away", error=repr(error))
                await self._disconnect()

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            acks="all",
            enable_idempotence=self._settings.kafka_idempotence,
            request_timeout_ms=REQUEST_MS,
            max_request_size=LARGEST_RECORD_BYTES,
            client_id=f"reelway-{self._service}",
        )
        self._producer = producer
        await producer.start()
        self._reachable = True
        await self._consumers.connect()
        await asyncio.gather(*(subscriber.start() for subscriber in self._consumers.subscribers))
        log.info("kafka.connected")

    async def _disconnect(self) -> None:
        self._reachable = False
        await self.stop_consuming()
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def stop_consuming(self) -> None:
        """Stop taking messages; the one being handled is finished first."""
        await self._consumers.stop()

    async def _ensure_topics(self) -> bool:
        """Make what is missing; return whether anything was."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            existing = set(await admin.list_topics())
            missing = [topic for topic in ALL if topic.name not in existing]
            if missing:
                await self._create(admin, missing)
            return bool(missing)
        finally:
            await admin.close()

    async def _create(self, admin: AIOKafkaAdminClient, missing: list[TopicSpec]) -> None:
        replicas = self._settings.kafka_replication_factor
        made = await admin.create_topics(
            [NewTopic(t.name, t.partitions, replicas, topic_configs=t.config) for t in missing]
        )
        for name, code, *_ in made.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise for_code(code)(name)
        log.info("kafka.topics_made", topics=[topic.name for topic in missing])

    @property
    def _servers(self) -> list[str]:
        return self._settings.kafka_bootstrap_servers.split(",")

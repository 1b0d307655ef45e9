"""The connection to Kafka: topics made, producer and consumers started, and all of it again after an outage."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError, for_code
from faststream.kafka import KafkaBroker

from shared.contracts.cloudevents import Record, encode
from shared.contracts.events import Event
from shared.contracts.topics import ALL, LARGEST_RECORD_BYTES, TopicSpec
from shared.delivery.backlog import LOOK_SECONDS, Backlog
from shared.delivery.outbox import PublishError
from shared.wiring.health import Unready
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings
from shared.wiring.tracing import current_traceparent
from shared.wiring.tripwire import Tripwire

WATCH_SECONDS = 2.0
AWAY_SECONDS = 0.5
REQUEST_MS = 8_000
PUBLISH_SECONDS = 12.0
CHECK_SECONDS = 30.0
STOP_SECONDS = 18.0

log = structlog.get_logger(__name__)


class BrokerAwayError(Exception):
    """Kafka is not connected."""


class ClientStuckError(Exception):
    """A client does not stop; what it still holds, only the end of the process lets go."""


class KafkaLink:
    """One service's connection to Kafka.

    `run` connects as soon as the brokers can be reached and keeps watching. When a broker goes away nothing is
    published until topics have been looked at (one that keeps everything in memory forgets them when it restarts)
    and producer and consumers have been made anew. Nothing here blocks the service's start.
    """

    def __init__(
        self, settings: CommonSettings, service: str, metrics: Metrics, consumers: KafkaBroker, backlog: Backlog
    ) -> None:
        self._settings = settings
        self._service = service
        self._metrics = metrics
        self._consumers = consumers
        self._backlog = backlog
        self._standing: set[str] = set()
        self._renewal_due = False
        self._producer: AIOKafkaProducer | None = None
        self._tripwire: Tripwire | None = None
        self._consuming = False
        self._may_consume = True
        self._broken = False
        self._stuck: str | None = None

    @property
    def _connected(self) -> bool:
        cut = self._tripwire is None or self._tripwire.cut.is_set()
        return self._producer is not None and not cut and not self._broken

    async def probe(self) -> None:
        """Return while the brokers answer and the consumers, if any, get on. Raises BrokerAwayError, Unready."""
        if not self._connected:
            raise BrokerAwayError
        if self._standing:
            raise Unready(
                f"Messages of {', '.join(sorted(self._standing))} wait and none is handled; consumers made anew."
            )
        if self._may_consume and not self._consuming:
            raise BrokerAwayError

    async def publish(self, record: Record) -> None:
        """Publish `record` and wait until all in-sync replicas have it. Raises PublishError."""
        if self._producer is None or self._tripwire is None or not self._connected:
            raise PublishError("not connected")
        tripwire = self._tripwire
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._producer.send_and_wait(record.topic, record.value, record.key, headers=record.all_headers)
        except MessageSizeTooLargeError as error:
            raise PublishError(repr(error)) from error  # the record's fault: the connection is well
        except (KafkaError, TimeoutError, OSError) as error:
            self._broken = True  # nothing more until topics and clients have been looked after
            raise PublishError(repr(error)) from error
        if tripwire.cut.is_set():
            # The producer sends again by itself after a reconnect. A broker that forgot its topics confirms that, too,
            # and keeps nothing: what was under way meanwhile does not count.
            raise PublishError("a broker went away meanwhile")
        self._metrics.events_published.labels(topic=record.topic).inc()

    async def send(self, event: Event) -> None:
        """Publish an event that needs no outbox; where Kafka is away it is lost and that is all right."""
        traced = event.model_copy(update={"traceparent": event.traceparent or current_traceparent()})
        with contextlib.suppress(PublishError):
            await self.publish(encode(traced, self._service))

    async def run(self) -> None:
        """Connect and watch until cancelled, then stop the consumers and flush the producer.

        Raises ClientStuckError where a client of an ended connection does not stop: as a member of its group it would
        keep partitions that nobody reads any more.
        """
        looking = asyncio.create_task(self._look_for_silence())
        try:
            while self._stuck is None:
                await self._check()
                await self._pause()
            raise ClientStuckError(self._stuck)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await self._disconnect()

    async def _look_for_silence(self) -> None:
        """Find consumers that stand still; beside the checks, which must not wait for a broker that says nothing."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._standing = await self._backlog.look() if self._consuming and self._connected else set()
            self._renewal_due = bool(self._standing)

    async def _pause(self) -> None:
        """Wait for the next look: a while, or until the tripwire says that a broker is gone."""
        if self._tripwire is None or self._tripwire.cut.is_set():
            await asyncio.sleep(AWAY_SECONDS)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._tripwire.cut.wait(), WATCH_SECONDS)

    async def _check(self) -> None:
        """Keep topics and clients whole; after an outage clients are made anew, since old ones may stay silent.

        Stopping has no part in the time limits: a client that is cut off while it stops takes itself for stopped, and
        stays a member of its group.
        """
        if await self._in_time(self._look_after):
            return
        await self._disconnect()
        if not await self._in_time(self._connect):
            await self._disconnect()  # also what a connection that came only half way has opened

    async def _in_time(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """Return what `step` says; False where it fails or takes too long."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await step()
        except (KafkaError, OSError, TimeoutError) as error:
            if self._producer is not None:
                log.warning("kafka.away", error=repr(error))
            return False

    async def _look_after(self) -> bool:
        """Return whether the connection is whole."""
        if not self._connected:
            if self._producer is not None:
                log.warning("kafka.away")
            return False
        if await self._ensure_topics():
            return False
        await self._renew_tripwire()
        await self._renew_silent_consumers()
        return True

    async def _connect(self) -> bool:
        self._tripwire = await Tripwire.lay(self._servers)
        await self._ensure_topics()
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
        self._broken = False
        if self._may_consume:
            await self._start_consuming()
        log.info("kafka.connected")
        return True

    async def _start_consuming(self) -> None:
        """Start every consumer, or none: one that started after all others were stopped would never be stopped itself.

        It would be a member of its group for as long as the process lives, with partitions that nobody reads.
        """
        await self._consumers.connect()
        starting = [asyncio.create_task(subscriber.start()) for subscriber in self._consumers.subscribers]
        try:
            await asyncio.gather(*starting)
        finally:
            for start in starting:
                start.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
        self._consuming = True

    async def _renew_silent_consumers(self) -> None:
        """Make the consumers anew where messages wait and none is handled, whatever their connections look like."""
        if not self._renewal_due or not self._consuming:
            return
        log.error("kafka.consumers_stand_still", topics=sorted(self._standing))
        for topic in self._standing:
            self._metrics.consumers_renewed.labels(topic=topic).inc()
        await self.stop_consuming()
        self._backlog.renewed()
        await self._start_consuming()
        self._renewal_due = False

    async def _disconnect(self) -> None:
        await self.stop_consuming()
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._stop("producer", producer.stop())
        tripwire, self._tripwire = self._tripwire, None
        if tripwire is not None:
            await tripwire.close()

    async def _renew_tripwire(self) -> None:
        if self._tripwire is not None and self._tripwire.worn:
            worn, self._tripwire = self._tripwire, await Tripwire.lay(self._servers)
            await worn.close()

    async def consume_no_more(self) -> None:
        """Stop taking messages until the process is started anew; publishing goes on."""
        self._may_consume = False
        await self.stop_consuming()

    async def stop_consuming(self) -> None:
        """Stop taking messages; the one being handled is finished first."""
        self._consuming = False
        await self._stop("consumers", self._consumers.stop())

    async def _stop(self, what: str, stopping: Coroutine[Any, Any, None]) -> None:
        """Wait for a client to stop, but not for ever: `run` ends where one is stuck, and the process with it."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await stopping
        except TimeoutError:
            log.critical("kafka.stuck", client=what)
            self._stuck = what

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

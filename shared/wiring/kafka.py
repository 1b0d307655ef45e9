"""The connection to Kafka: topics made, producer and consumers started, and all of it again after an outage."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.contracts.cloudevents import Record, encode
from shared.contracts.events import Event
from shared.contracts.topics import LARGEST_RECORD_BYTES
from shared.delivery.outbox import PublishError, RecordTooLargeError
from shared.wiring.cancellation import is_told_to_end, to_its_end
from shared.wiring.consumers import ClientStuckError, Consumers, stops_in_time
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings
from shared.wiring.stop_time import StopTime
from shared.wiring.topics import REQUEST_MS, ensure_topics
from shared.wiring.tracing import current_traceparent
from shared.wiring.tripwire import Tripwire

WATCH_SECONDS = 2.0
AWAY_SECONDS = 0.5
PUBLISH_SECONDS = 12.0
CHECK_SECONDS = 30.0

log = structlog.get_logger(__name__)


class BrokerAwayError(Exception):
    """Kafka is not connected."""


class KafkaLink:
    """One service's connection to Kafka.

    `run` connects as soon as the brokers can be reached and keeps watching. When a broker goes away nothing is
    published until topics have been looked at (one that keeps everything in memory forgets them when it restarts)
    and producer and consumers have been made anew. Nothing here blocks the service's start.
    """

    def __init__(
        self, settings: CommonSettings, service: str, metrics: Metrics, consumers: Consumers, stop_time: StopTime
    ) -> None:
        self._settings = settings
        self._service = service
        self._metrics = metrics
        self._consumers = consumers
        self._stop_time = stop_time
        self._producer: AIOKafkaProducer | None = None
        self._producer_stuck = False
        self._tripwire: Tripwire | None = None
        self._broken = False

    @property
    def _connected(self) -> bool:
        cut = self._tripwire is None or self._tripwire.cut.is_set()
        return self._producer is not None and not cut and not self._broken

    async def probe(self) -> None:
        """Return while the brokers answer and the consumers, if any, get on. Raises BrokerAwayError, Unready."""
        if not self._connected:
            raise BrokerAwayError
        self._consumers.probe()

    async def publish(self, record: Record) -> None:
        """Publish `record` and wait until all in-sync replicas have it. Raises PublishError, RecordTooLargeError."""
        if self._producer is None or self._tripwire is None or not self._connected:
            raise PublishError("not connected")
        tripwire = self._tripwire
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._producer.send_and_wait(record.topic, record.value, record.key, headers=record.all_headers)
        except MessageSizeTooLargeError as error:
            raise RecordTooLargeError(repr(error)) from error  # the record's fault: the connection is well
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
        try:
            while not (self._producer_stuck or self._consumers.stuck):
                await self._check()
                await self._pause()
            raise ClientStuckError
        finally:
            await self._disconnect()

    async def _pause(self) -> None:
        """Wait for the next look: a while, or until the tripwire says that a broker is gone."""
        if self._tripwire is None or self._tripwire.cut.is_set():
            await asyncio.sleep(AWAY_SECONDS)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._tripwire.cut.wait(), WATCH_SECONDS)

    async def _check(self) -> None:
        """Keep topics and clients whole; after an outage clients are made anew, since old ones may stay silent.

        Nothing cuts off a stop, no time limit and no cancellation: a client to which that happens takes itself for
        stopped, and stays a member of its group.
        """
        if await self._in_time(self._look_after):
            return
        await self._disconnect()
        if not await self._in_time(self._connect):
            await self._disconnect()  # also what a connection that came only half way has opened

    async def _in_time(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """Return what `step` says; False where it fails, takes too long, or a client cancels its own task."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await step()
        except (KafkaError, OSError, TimeoutError) as error:
            if self._producer is not None:
                log.warning("kafka.away", error=repr(error))
            return False
        except asyncio.CancelledError:
            if is_told_to_end():
                raise
            log.warning("kafka.cancelled_itself", exc_info=True)
            return False

    async def _look_after(self) -> bool:
        """Return whether the connection is whole."""
        if not self._connected:
            if self._producer is not None:
                log.warning("kafka.away")
            return False
        if await ensure_topics(self._settings):
            return False
        await self._renew_tripwire()
        return not self._consumers.fell_silent()

    async def _connect(self) -> bool:
        self._tripwire = await Tripwire.lay(self._settings.kafka_servers)
        await ensure_topics(self._settings)
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_servers,
            acks="all",
            enable_idempotence=self._settings.kafka_idempotence,
            request_timeout_ms=REQUEST_MS,
            max_request_size=LARGEST_RECORD_BYTES,
            client_id=f"reelway-{self._service}",
        )
        self._producer = producer
        await producer.start()
        self._broken = False
        await self._consumers.start()
        log.info("kafka.connected")
        return True

    async def _disconnect(self) -> None:
        await to_its_end(self._close_all())

    async def _close_all(self) -> None:
        await self._consumers.stop()
        producer, self._producer = self._producer, None
        if producer is not None:
            in_time = await stops_in_time("producer", producer.stop(), [producer.client], self._stop_time, last=True)
            self._producer_stuck |= not in_time
        tripwire, self._tripwire = self._tripwire, None
        if tripwire is not None:
            await tripwire.close()

    async def _renew_tripwire(self) -> None:
        if self._tripwire is not None and self._tripwire.worn:
            worn, self._tripwire = self._tripwire, await Tripwire.lay(self._settings.kafka_servers)
            await worn.close()

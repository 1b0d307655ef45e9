"""Kafka in: typed handlers on FastStream, each message handled to its end before the next one is looked at.

A handler takes one event, does one small idempotent write and returns; then the message is acked. What a handler
raises decides: a database or broker that is away makes the consumer wait and ask again, for as long as it takes;
anything else is tried MOST_TRIES times and becomes a dead letter with its original bytes.
"""

import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.subscriber.usecase import LogicSubscriber
from faststream.message import StreamMessage

from shared.contracts.cloudevents import BadMessage, decode
from shared.contracts.events import BY_TYPE, Event
from shared.contracts.topics import TopicSpec
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings

Handler = Callable[[Any], Awaitable[None]]

CONSUMER: dict[str, Any] = {
    "session_timeout_ms": 6000,
    "heartbeat_interval_ms": 1000,
    "fetch_max_wait_ms": 50,
}

log = structlog.get_logger(__name__)


def consumer_broker(settings: CommonSettings, service: str) -> KafkaBroker:
    """Return a FastStream broker that only consumes; nothing connects until it is started."""
    return KafkaBroker(
        settings.kafka_bootstrap_servers.split(","),
        client_id=f"reelway-{service}",
        consumer_only=True,
        allow_auto_create_topics=False,
        graceful_timeout=10.0,
        logger=logging.getLogger("reelway.faststream"),
        log_level=logging.DEBUG,
        parser=_parse,
        decoder=_decode,
        specification_url="kafka:9092",  # what AsyncAPI shows: where the real brokers are is nobody's business
    )


async def _parse(record: ConsumerRecord[Any, Any], original: Callable[[Any], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Parse hostile headers too: where one can't be read, none is, and the message ends as a dead letter."""
    try:
        readable = [(name, value.decode().encode()) for name, value in record.headers]
    except (AttributeError, UnicodeDecodeError):
        readable = []
    message = await original(dataclasses.replace(record, headers=readable))
    message.raw_message = record
    return message


async def _decode(message: StreamMessage[Any]) -> Event:
    return decode(message.headers, message.raw_message.value)


async def _undecoded(message: StreamMessage[Any]) -> str:
    return str(message.headers.get("ce_type", ""))


def _of_type(name: str) -> Callable[[StreamMessage[Any]], bool]:
    return lambda message: message.headers.get("ce_type") == name


class Inbox:
    """Registers a service's handlers: one consumer per topic, in a group of the service's own."""

    def __init__(self, broker: KafkaBroker, service: str, metrics: Metrics) -> None:
        self._broker = broker
        self._service = service
        self._metrics = metrics

    def on(self, topic: TopicSpec, *handlers: Handler) -> None:
        """Handle `topic`'s events with the handler whose annotation names the event's type.

        A known type that nobody here listens to is passed over; an unknown type is counted and passed over.
        """
        self._register(
            self._broker.subscriber(
                topic.name,
                group_id=f"{self._service}.{topic.name}",
                ack_policy=AckPolicy.NACK_ON_ERROR,
                auto_offset_reset="earliest",
                **CONSUMER,
            ),
            topic,
            handlers,
        )

    def on_every_replica(self, topic: TopicSpec, *handlers: Handler) -> None:
        """Handle `topic`'s news from now on in each replica, without group or acks: for wake-ups only."""
        subscriber = self._broker.subscriber(
            topic.name, ack_policy=AckPolicy.MANUAL, auto_offset_reset="latest", **CONSUMER
        )
        self._register(subscriber, topic, handlers)

    def _register(self, subscriber: LogicSubscriber[Any], topic: TopicSpec, handlers: tuple[Handler, ...]) -> None:
        for handler in handlers:
            subscriber(handler, filter=_of_type(event_type(handler).__name__))
        subscriber(self._pass_over(topic), decoder=_undecoded)

    def _pass_over(self, topic: TopicSpec) -> Callable[[str], Awaitable[None]]:
        async def pass_over(type_name: str) -> None:
            """Let events pass that this service does not listen to."""
            if not type_name:
                raise BadMessage("no_type", "no readable ce_type header")
            if type_name not in BY_TYPE:
                self._metrics.unknown_events.labels(topic=topic.name).inc()
                log.warning("event.unknown_type", type=type_name)

        return pass_over


def event_type(handler: Handler) -> type[Event]:
    """Return the event class that `handler`'s only parameter is annotated with."""
    (parameter,) = inspect.signature(handler).parameters.values()
    annotation = parameter.annotation
    if not (isinstance(annotation, type) and issubclass(annotation, Event)):
        raise TypeError(f"{handler} must take one event, not {annotation}")
    return annotation

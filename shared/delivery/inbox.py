"""Kafka in: typed handlers on FastStream, each message handled to its end before the next one is looked at.

A handler takes one event, does one small idempotent write and returns; then the message is acked. What a handler
raises decides: a database or broker that is away makes the consumer wait and ask again, for as long as it takes;
anything else is tried MOST_TRIES times and becomes a dead letter with its original bytes. Dead letters that a person
sends back arrive on a topic of the service's own and go to the handler of the topic they first stood on.
"""

import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog
from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.subscriber.usecase import LogicSubscriber
from faststream.message import StreamMessage

from shared.contracts.cloudevents import UNKNOWN_TYPE, BadMessage, decode
from shared.contracts.events import BY_TYPE, Event
from shared.contracts.letters import origin_of, readable
from shared.contracts.topics import TopicSpec, redrives
from shared.wiring.kafka_groups import leave_in_silence
from shared.wiring.kafka_headers import read_any_header
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings

Handler = Callable[[Any], Awaitable[None]]
Filter = Callable[[StreamMessage[Any]], bool]

LONGEST_TYPE = 100

REBALANCE_MOST = timedelta(seconds=5)
GRACE_SECONDS = 5.0
"""For the message at hand at a stop. A join under way comes on top; both together stay below what counts as stuck."""

log = structlog.get_logger(__name__)


def consumer_options(settings: CommonSettings) -> dict[str, Any]:
    """Return how consumers keep their place in a group, and how they ask for what is new."""
    session_ms = int(settings.kafka_session_timeout.total_seconds() * 1000)
    return {
        "session_timeout_ms": session_ms,
        "heartbeat_interval_ms": session_ms // 6,
        "fetch_max_wait_ms": int(settings.kafka_fetch_wait.total_seconds() * 1000),
    }


def consumer_broker(settings: CommonSettings, service: str) -> KafkaBroker:
    """Return a FastStream broker that only consumes; nothing connects until it is started."""
    read_any_header()
    if not settings.kafka_leave_groups:
        leave_in_silence()
    return KafkaBroker(
        settings.kafka_servers,
        # A consumer that is told to stop while it joins its group waits for the answer first. Brokers answer when all
        # members are back or a session's time is over.
        request_timeout_ms=int((settings.kafka_session_timeout + REBALANCE_MOST).total_seconds() * 1000),
        client_id=f"reelway-{service}",
        consumer_only=True,
        allow_auto_create_topics=False,
        graceful_timeout=GRACE_SECONDS,
        logger=logging.getLogger("reelway.faststream"),
        log_level=logging.DEBUG,
        parser=_parse,
        decoder=_decode,
        specification_url="kafka:9092",  # what AsyncAPI shows: where the real brokers are is nobody's business
    )


async def _parse(record: ConsumerRecord[Any, Any], original: Callable[[Any], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Parse hostile headers too: where one can't be read, none is, and the message ends as a dead letter.

    The headers are those the message had where it first stood; the record stays what it is, for its ack.
    """
    headers = [(name, value.encode()) for name, value in readable(origin_of(record).headers).items()]
    message = await original(dataclasses.replace(record, headers=headers))
    message.raw_message = record
    return message


async def _decode(message: StreamMessage[Any]) -> Event:
    return decode(message.headers, message.raw_message.value)


async def _only_first_place(message: StreamMessage[Any]) -> tuple[str, str]:
    return _first_place(message)


async def _undecoded(message: StreamMessage[Any]) -> str:
    return str(message.headers.get("ce_type", ""))


def _of_type(name: str) -> Filter:
    return lambda message: message.headers.get("ce_type") == name


def _came_from(topic: TopicSpec, name: str) -> Filter:
    return lambda message: _first_place(message) == (topic.name, name)


def _first_place(message: StreamMessage[Any]) -> tuple[str, str]:
    """Return the topic that the message first stood on, and its type."""
    return origin_of(message.raw_message).topic, message.headers.get("ce_type", "")


class Inbox:
    """Registers a service's handlers: one consumer per topic, in a group of the service's own."""

    def __init__(self, broker: KafkaBroker, service: str, metrics: Metrics, settings: CommonSettings) -> None:
        self._broker = broker
        self._service = service
        self._metrics = metrics
        self._options: dict[str, Any] = {
            **consumer_options(settings),
            "no_reply": True,  # else a message with a reply_to header is answered, fails at that, and comes for ever
        }
        self._redriven: LogicSubscriber[Any] | None = None
        self._listened: set[tuple[str, str]] = set()

    def on(self, topic: TopicSpec, *handlers: Handler) -> None:
        """Handle `topic`'s events with the handler whose annotation names the event's type.

        A known type that nobody here listens to is passed over; an unknown type is counted, and a dead letter: a newer
        version can have it back.
        """
        subscriber = self._broker.subscriber(
            topic.name,
            group_id=f"{self._service}.{topic.name}",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            auto_offset_reset="earliest",
            **self._options,
        )
        self._register(subscriber, topic, handlers)
        self._register_redriven(topic, handlers)

    def on_every_replica(self, topic: TopicSpec, *handlers: Handler) -> None:
        """Handle `topic`'s news from now on in each replica, without group or acks: for wake-ups only.

        What of it ends as a dead letter is of no use later, and does not come back to these handlers.
        """
        subscriber = self._broker.subscriber(
            topic.name, ack_policy=AckPolicy.MANUAL, auto_offset_reset="latest", **self._options
        )
        self._register(subscriber, topic, handlers)

    def _register(self, subscriber: LogicSubscriber[Any], topic: TopicSpec, handlers: tuple[Handler, ...]) -> None:
        for handler in handlers:
            subscriber(handler, filter=_of_type(event_type(handler).__name__))
        subscriber(self._pass_over(topic), decoder=_undecoded)

    def _register_redriven(self, topic: TopicSpec, handlers: tuple[Handler, ...]) -> None:
        redriven = self._listen_to_redrives()
        for handler in handlers:
            name = event_type(handler).__name__
            redriven(handler, filter=_came_from(topic, name))
            self._listened.add((topic.name, name))

    def _listen_to_redrives(self) -> LogicSubscriber[Any]:
        """Return the consumer of dead letters that come back: of this service only, and to all its handlers."""
        if self._redriven is None:
            topic = redrives(self._service)
            self._redriven = self._broker.subscriber(
                topic.name,
                group_id=topic.name,
                ack_policy=AckPolicy.NACK_ON_ERROR,
                auto_offset_reset="earliest",
                description="Dead letters of this service that come back to it, each to its topic's own handler.",
                **{**self._options, "fetch_max_wait_ms": 500},
            )
            self._redriven(
                self._pass_redriven_over,
                filter=lambda message: _first_place(message) not in self._listened,
                decoder=_only_first_place,
            )
        return self._redriven

    def _pass_over(self, topic: TopicSpec) -> Callable[[str], Awaitable[None]]:
        async def pass_over(type_name: str) -> None:
            """Let events pass that this service does not listen to."""
            if type_name and type_name not in BY_TYPE:
                self._metrics.unknown_events.labels(topic=topic.name).inc()
            _require_known(type_name)

        return pass_over

    async def _pass_redriven_over(self, place: tuple[str, str]) -> None:
        """Let pass what this version would have passed over at first; give up again what it still can't tell."""
        topic, type_name = place
        _require_known(type_name)
        if all(topic != listened for listened, _ in self._listened):
            raise BadMessage("no_handler", f"nobody here listens to {topic}")


def _require_known(type_name: str) -> None:
    if not type_name:
        raise BadMessage("no_type", "no ce_type header, or a header that is no UTF-8 text")
    if type_name not in BY_TYPE:
        raise BadMessage(UNKNOWN_TYPE, type_name[:LONGEST_TYPE])


def event_type(handler: Handler) -> type[Event]:
    """Return the event class that `handler`'s only parameter is annotated with."""
    (parameter,) = inspect.signature(handler).parameters.values()
    annotation = parameter.annotation
    if not (isinstance(annotation, type) and issubclass(annotation, Event)):
        raise TypeError(f"{handler} must take one event, not {annotation}")
    return annotation

"""What happens to a message whose handler raises: wait for infrastructure, retry, or give up into `<service>.dlq`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog
from aiokafka import ConsumerRecord
from fast_depends.exceptions import ValidationError
from faststream import BaseMiddleware
from faststream.exceptions import AckMessage, NackMessage
from faststream.message import StreamMessage

from shared.contracts.cloudevents import BadMessage, Record
from shared.contracts.events import BY_TYPE
from shared.contracts.topics import dead_letters
from shared.contracts.wire import iso, utc_now
from shared.delivery.leases import backoff
from shared.delivery.outbox import Publish, PublishError
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import database_is_away
from shared.wiring.tracing import enter_trace

MOST_TRIES = 5
RETRY_FIRST, RETRY_MOST = timedelta(milliseconds=50), timedelta(seconds=1)
AWAY_FIRST, AWAY_MOST = timedelta(milliseconds=200), timedelta(seconds=5)

log = structlog.get_logger(__name__)

Call = Callable[[Any], Awaitable[Any]]


class DeliveryMiddleware:
    """Makes one `_Delivery` per message; holds what they share. FastStream calls it as a middleware factory."""

    def __init__(self, service: str, publish: Publish, metrics: Metrics) -> None:
        self.service = service
        self.publish = publish
        self.metrics = metrics
        self.times_away = 0

    def __call__(self, message: Any | None, *, context: Any) -> "_Delivery":
        """Return the handling of one message."""
        return _Delivery(message, context=context, shared=self)


class _Delivery(BaseMiddleware[Any, Any]):
    """The handling of one message, from its first try to its ack, its wait or its dead letter."""

    def __init__(self, message: Any | None, *, context: Any, shared: DeliveryMiddleware) -> None:
        super().__init__(message, context=context)
        self._shared = shared

    async def consume_scope(self, call_next: Call, msg: StreamMessage[ConsumerRecord[Any, Any]]) -> Any:
        """Call the handler; raise AckMessage after a dead letter and NackMessage where the message must come again."""
        record = msg.raw_message
        structlog.contextvars.bind_contextvars(
            topic=record.topic, event_type=msg.headers.get("ce_type"), event_id=msg.headers.get("ce_id")
        )
        enter_trace(msg.headers.get("traceparent"))
        began = time.perf_counter()
        try:
            result = await self._try(call_next, msg)
        except Exception as error:  # noqa: BLE001 - every failure ends in a wait or a dead letter
            await self._give_up(record, error)
        else:
            self._count(msg, "handled")
            return result
        finally:
            self._shared.metrics.event_seconds.labels(topic=record.topic).observe(time.perf_counter() - began)
        self._count(msg, "dead_letter")
        raise AckMessage

    async def _try(self, call_next: Call, msg: StreamMessage[ConsumerRecord[Any, Any]]) -> Any:
        for tries in range(1, MOST_TRIES + 1):
            try:
                result = await call_next(msg)
            except Exception as error:
                if database_is_away(error) or isinstance(error, PublishError):
                    await self._wait_for_infrastructure(error)
                if tries == MOST_TRIES or isinstance(error, BadMessage | ValidationError):
                    raise
                log.warning("event.failed", tries=tries, error=repr(error))
                await asyncio.sleep(backoff(tries, first=RETRY_FIRST, most=RETRY_MOST).total_seconds())
            else:
                self._shared.times_away = 0
                return result
        raise AssertionError("unreachable")

    async def _wait_for_infrastructure(self, error: Exception) -> None:
        """Never the message's fault: wait a little, then have it delivered again."""
        self._shared.times_away += 1
        wait = backoff(self._shared.times_away, first=AWAY_FIRST, most=AWAY_MOST)
        log.warning("event.waits", error=repr(error), wait_seconds=round(wait.total_seconds(), 2))
        await asyncio.sleep(wait.total_seconds())
        raise NackMessage

    async def _give_up(self, record: ConsumerRecord[Any, Any], error: Exception) -> None:
        """Publish the original to the dead letter topic; where that fails, nothing is acked."""
        if isinstance(error, NackMessage):
            raise error
        reason = error.reason if isinstance(error, BadMessage) else type(error).__name__
        log.error("event.dead_letter", reason=reason, error=repr(error), offset=record.offset)
        try:
            await self._shared.publish(self._dead_letter(record, reason, error))
        except PublishError as failure:
            await self._wait_for_infrastructure(failure)
        self._shared.metrics.dead_letters.labels(topic=record.topic, reason=reason).inc()

    def _dead_letter(self, record: ConsumerRecord[Any, Any], reason: str, error: Exception) -> Record:
        """Return the record for people: original bytes, key and readable headers, and where it came from."""
        original = {
            f"original_{name}": (value or b"").decode(errors="backslashreplace") for name, value in record.headers
        }
        return Record(
            topic=dead_letters(self._shared.service).name,
            key=record.key or b"",
            value=record.value,
            headers={
                **original,
                "dlq_reason": reason,
                "dlq_error": repr(error)[:1000],
                "dlq_handler": self._shared.service,
                "dlq_attempts": str(MOST_TRIES if not isinstance(error, BadMessage) else 1),
                "dlq_topic": record.topic,
                "dlq_partition": str(record.partition),
                "dlq_offset": str(record.offset),
                "dlq_time": iso(utc_now()),
            },
        )

    def _count(self, msg: StreamMessage[ConsumerRecord[Any, Any]], outcome: str) -> None:
        named = msg.headers.get("ce_type", "")
        labels = {
            "topic": msg.raw_message.topic,
            "type": named if named in BY_TYPE else "other",
            "outcome": outcome,
        }
        self._shared.metrics.events_handled.labels(**labels).inc()

"""What happens to a message whose handler raises: wait for infrastructure, retry, or give up into `<service>.dlq`.

A dead letter that a person has sent back comes through here again: the same tries, and a dead letter again where they
do not help. It may start paid work only where that person said so.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import structlog
from aiokafka import ConsumerRecord
from fast_depends.exceptions import ValidationError
from faststream import BaseMiddleware
from faststream.exceptions import AckMessage, NackMessage
from faststream.message import StreamMessage

from shared.contracts.cloudevents import UNKNOWN_TYPE, BadMessage, Record
from shared.contracts.events import BY_TYPE
from shared.contracts.letters import cut, dead_letter, letter_name, origin_of
from shared.contracts.paid_work import may_start_paid_work
from shared.contracts.topics import is_redrive
from shared.delivery.leases import backoff
from shared.delivery.outbox import Publish, PublishError, RecordTooLargeError
from shared.delivery.streak import Streak
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import database_broke, database_is_away
from shared.wiring.tracing import enter_trace

MOST_TRIES = 5
RETRY_FIRST, RETRY_MOST = timedelta(milliseconds=50), timedelta(seconds=1)
AWAY_FIRST, AWAY_MOST = timedelta(milliseconds=200), timedelta(seconds=5)
BROKEN_PAUSE_SECONDS = 0.5

log = structlog.get_logger(__name__)

Call = Callable[[Any], Awaitable[Any]]
Message = StreamMessage[ConsumerRecord[Any, Any]]


class DeliveryMiddleware:
    """Makes one `_Delivery` per message; holds what they share. FastStream calls it as a middleware factory."""

    def __init__(
        self,
        service: str,
        publish: Publish,
        metrics: Metrics,
        streak: Streak,
        takes_writes: Callable[[], Awaitable[bool]],
        at_hand: Counter[str],
    ) -> None:
        """`takes_writes` says whether the database does, where an error of its own leaves that open.

        `at_hand` counts the messages that are being handled, by topic.
        """
        self.service = service
        self.publish = publish
        self.metrics = metrics
        self.streak = streak
        self.takes_writes = takes_writes
        self.times_away = 0
        self.at_hand = at_hand

    def __call__(self, message: Any | None, *, context: Any) -> "_Delivery":
        """Return the handling of one message."""
        return _Delivery(message, context=context, shared=self)

    @contextlib.contextmanager
    def holding(self, topic: str) -> Iterator[None]:
        """Show in `at_hand` that a message of `topic` is being handled."""
        self.at_hand[topic] += 1
        try:
            yield
        finally:
            self.at_hand[topic] -= 1
            if not self.at_hand[topic]:
                del self.at_hand[topic]


class _Delivery(BaseMiddleware[Any, Any]):
    """The handling of one message, from its first try to its ack, its wait or its dead letter."""

    def __init__(self, message: Any | None, *, context: Any, shared: DeliveryMiddleware) -> None:
        super().__init__(message, context=context)
        self._shared = shared
        self._tries = 0

    async def consume_scope(self, call_next: Call, msg: Message) -> Any:
        """Call the handler; raise AckMessage after a dead letter and NackMessage where the message must come again."""
        with self._shared.holding(msg.raw_message.topic):
            return await self._consume(call_next, msg)

    async def _consume(self, call_next: Call, msg: Message) -> Any:
        record = msg.raw_message
        structlog.contextvars.bind_contextvars(
            topic=record.topic, event_type=msg.headers.get("ce_type"), event_id=msg.headers.get("ce_id")
        )
        enter_trace(msg.headers.get("traceparent"))
        await self._stand_still_if_broken()
        began = time.perf_counter()
        try:
            result = await self._try(call_next, msg)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; all of it is kept or waits
            await self._give_up(msg, error)
        else:
            self._handled(msg)
            return result
        finally:
            self._shared.metrics.event_seconds.labels(topic=record.topic).observe(time.perf_counter() - began)
        self._count(msg, "dead_letter")
        raise AckMessage

    async def _stand_still_if_broken(self) -> None:
        """Keep off the handlers what still comes until the consumers have stopped; none of it is acked."""
        if self._shared.streak.broken.is_set():
            await asyncio.sleep(BROKEN_PAUSE_SECONDS)
            raise NackMessage

    async def _try(self, call_next: Call, msg: Message) -> Any:
        for self._tries in range(1, MOST_TRIES + 1):
            try:
                self._refuse_paid_work(msg.raw_message)
                result = await call_next(msg)
            except Exception as error:
                if await self._is_infrastructures_fault(error):
                    await self._wait_for_infrastructure(error)
                if self._tries == MOST_TRIES or isinstance(error, BadMessage | ValidationError):
                    raise
                log.warning("event.failed", tries=self._tries, error=repr(error))
                await asyncio.sleep(backoff(self._tries, first=RETRY_FIRST, most=RETRY_MOST).total_seconds())
            else:
                self._shared.times_away = 0
                return result
        raise AssertionError("unreachable")

    async def _is_infrastructures_fault(self, error: Exception) -> bool:
        if isinstance(error, RecordTooLargeError):
            return False
        if database_is_away(error) or isinstance(error, PublishError):
            return True
        return database_broke(error) and not await self._shared.takes_writes()

    def _refuse_paid_work(self, record: ConsumerRecord[Any, Any]) -> None:
        if not is_redrive(record.topic):
            return
        origin = origin_of(record)
        if not origin.paid_work_allowed and may_start_paid_work(self._shared.service, origin, record.value):
            raise BadMessage("paid_work_not_allowed", "redriven without leave to start a paid generation")

    async def _wait_for_infrastructure(self, error: Exception) -> None:
        """Never the message's fault: wait a little, then have it delivered again."""
        self._shared.times_away += 1
        wait = backoff(self._shared.times_away, first=AWAY_FIRST, most=AWAY_MOST)
        log.warning("event.waits", error=repr(error), wait_seconds=round(wait.total_seconds(), 2))
        await asyncio.sleep(wait.total_seconds())
        raise NackMessage

    async def _give_up(self, msg: Message, error: Exception) -> None:
        """Publish the original to the dead letter topic; where that fails or must not be, nothing is acked."""
        if isinstance(error, NackMessage):
            raise error
        record, origin = msg.raw_message, origin_of(msg.raw_message)
        reason = error.reason if isinstance(error, BadMessage) else type(error).__name__
        # Neither a newer version's types nor a person's second try with old ones say that this code is broken.
        counts = reason != UNKNOWN_TYPE and not is_redrive(record.topic)
        name, streak = letter_name(origin, record.value), self._shared.streak
        if counts and streak.breaks(record.topic, _known_type(msg), name, reason):
            await self._stand_still_if_broken()
        log.error("event.dead_letter", reason=reason, error=repr(error), offset=origin.offset)
        try:
            await self._post(
                dead_letter(self._shared.service, record, reason=reason, error=error, attempts=self._tries)
            )
        except PublishError as failure:
            await self._wait_for_infrastructure(failure)
        self._shared.metrics.dead_letters.labels(topic=origin.topic, reason=reason).inc()
        if counts:
            streak.gave_up(record.topic, _known_type(msg), name)

    async def _post(self, letter: Record) -> None:
        try:
            await self._shared.publish(letter)
        except RecordTooLargeError:
            await self._shared.publish(cut(letter))

    def _handled(self, msg: Message) -> None:
        self._count(msg, "handled")
        self._shared.streak.handled(msg.raw_message.topic, _known_type(msg))

    def _count(self, msg: Message, outcome: str) -> None:
        topic = msg.raw_message.topic
        type_name = _known_type(msg) or "other"
        self._shared.metrics.events_handled.labels(topic=topic, type=type_name, outcome=outcome).inc()
        if is_redrive(topic):
            self._shared.metrics.redriven.labels(topic=origin_of(msg.raw_message).topic, outcome=outcome).inc()


def _known_type(msg: Message) -> str:
    """Return the event's type; nothing where no code of ours knows it, since anyone can write anything there."""
    named = msg.headers.get("ce_type", "")
    return named if named in BY_TYPE else ""

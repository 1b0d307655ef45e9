"""A service's consumers: all of them started or none, stopped in time, and made anew where they fall silent."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from faststream.kafka import KafkaBroker

from shared.delivery.backlog import LOOK_SECONDS, Backlog, readers, topics_of
from shared.wiring.cancellation import to_its_end
from shared.wiring.health import Unready
from shared.wiring.kafka_connections import cut_off
from shared.wiring.metrics import Metrics
from shared.wiring.stop_time import StopTime
from shared.wiring.together import all_or_none

FAREWELL_SECONDS = 10.0
CUT_OFF_SECONDS = 8.0
"""Both together are what a client may take to stop, where the process goes on."""
CUT_OFF_LEAST_SECONDS = 2.0

log = structlog.get_logger(__name__)


class ClientStuckError(Exception):
    """A client does not stop; what it still holds, only the end of the process lets go."""


class Consumers:
    """The subscribers of one FastStream broker, as one thing. `stuck` is set once they did not stop in time."""

    def __init__(self, broker: KafkaBroker, backlog: Backlog, metrics: Metrics, stop_time: StopTime) -> None:
        self.stuck = False
        self._broker = broker
        self._backlog = backlog
        self._metrics = metrics
        self._stop_time = stop_time
        self._allowed = True
        self._started = False
        self._standing: set[str] = set()
        self._renewal_due = False

    def probe(self) -> None:
        """Return while they take messages and get on, or are not to take any. Raises Unready."""
        if self._standing:
            waiting = ", ".join(sorted(self._standing))
            raise Unready(f"Messages of {waiting} wait and none is handled; consumers made anew.")
        if self._allowed and not self._started:
            raise Unready("No messages are taken: the consumers are not started.")

    async def start(self) -> None:
        """Start every consumer, or none: one that started after all others were stopped would never be stopped itself.

        It would be a member of its group for as long as the process lives, with partitions that nobody reads.
        """
        if not self._allowed:
            return
        await self._broker.connect()
        await all_or_none(subscriber.start() for subscriber in self._broker.subscribers)
        self._started, self._renewal_due = True, False

    async def stop(self) -> None:
        """Stop taking messages; the one being handled is finished first."""
        self._started = False
        consumers = [one.consumer for one in readers(self._broker) if one.consumer is not None]
        clients = [consumer._client for consumer in consumers]
        self.stuck |= not await stops_in_time("consumers", self._stop_all(consumers), clients, self._stop_time)

    async def _stop_all(self, consumers: list[AIOKafkaConsumer]) -> None:
        """Stop every consumer whole; one whose fetching or coordination broke says so only now.

        Each apart from the others: told all at once, FastStream cuts off every stop where one cancels itself.
        """
        stopping = (to_its_end(one.stop()) for one in readers(self._broker))
        stops = await asyncio.gather(*stopping, return_exceptions=True)
        if broke := [error for error in stops if isinstance(error, BaseException)]:
            log.warning("kafka.consumers_broke", errors=repr(broke))
        await asyncio.gather(*(to_its_end(_end_whole(consumer)) for consumer in consumers))
        await to_its_end(self._broker.stop())

    async def stop_for_good(self) -> None:
        """Stop taking messages until the process is started anew."""
        self._allowed = False
        await self.stop()

    async def look_for_silence(self) -> None:
        """Look, until cancelled, whether they stand still; apart from `fell_silent`, since a broker may not answer."""
        for topic in topics_of(readers(self._broker)):  # a first renewal is seen as growth only where there was a 0
            self._metrics.consumers_renewed.labels(topic=topic)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._started:
                self._standing = await self._backlog.look()
            else:
                self._standing = set()
                await self._backlog.measure()
            self._renewal_due = bool(self._standing)

    def fell_silent(self) -> bool:
        """Return whether messages wait and none is handled, whatever the connections look like: once, till they start.

        Whoever asks makes them anew, and sees to it that no time limit cuts their stop off.
        """
        if not self._renewal_due:
            return False
        log.error("kafka.consumers_stand_still", topics=sorted(self._standing))
        for topic in self._standing:
            self._metrics.consumers_renewed.labels(topic=topic).inc()
        self._renewal_due = False
        self._backlog.renewed()
        return True


async def _end_whole(consumer: AIOKafkaConsumer) -> None:
    """End what a stop that broke half way has left: a heartbeat would keep the member in its group for ever."""
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    tasks = [getattr(coordinator, name, None) for name in names]
    if fetcher is not None:
        tasks += [fetcher._fetch_task, *fetcher._pending_tasks]
    left = {task for task in tasks if task is not None and not task.done()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await consumer._client.close()


async def stops_in_time(
    name: str,
    stopping: Coroutine[Any, Any, None],
    clients: Iterable[AIOKafkaClient],
    stop_time: StopTime,
    *,
    last: bool = False,
) -> bool:
    """Wait for `clients` to stop, but not for ever; return whether they did. `last`: nothing of a stop follows.

    After a while nobody listens to the brokers any more. Where they take everything and answer nothing, each
    of the questions that a client asks at its end would wait for a time limit of its own.
    """
    ending = asyncio.ensure_future(stopping)
    if await to_its_end(ending, stop_time.at_most(FAREWELL_SECONDS, last=last, then=CUT_OFF_LEAST_SECONDS)):
        return True
    log.warning("kafka.cut_off", client=name)
    for client in clients:
        cut_off(client)
    in_time = await to_its_end(ending, stop_time.at_most(CUT_OFF_SECONDS, last=last))
    if not in_time:
        log.critical("kafka.stuck", client=name)
    return in_time

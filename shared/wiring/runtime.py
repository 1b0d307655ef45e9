"""The life of one service process: what it is built of, started in order and stopped in order."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import structlog
from pymongo.asynchronous.collection import AsyncCollection

from shared.delivery.backlog import Backlog
from shared.delivery.deadletters import DeliveryMiddleware
from shared.delivery.inbox import Inbox, consumer_broker
from shared.delivery.letterbox import LetterBox
from shared.delivery.outbox import SETTLE_SECONDS, Document, Outbox
from shared.delivery.streak import Streak
from shared.delivery.workers import Work, Workers
from shared.wiring.cancellation import lose_no_cancellation
from shared.wiring.consumers import Consumers
from shared.wiring.health import Health
from shared.wiring.kafka import KafkaLink
from shared.wiring.kafka_connections import mend_connections
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import Mongo, database_is_away
from shared.wiring.serve import BROKEN
from shared.wiring.settings import CommonSettings
from shared.wiring.stop_time import StopTime

PREPARE_AGAIN_SECONDS = 1.0
FLUSH_SECONDS = 2.0

log = structlog.get_logger(__name__)

Prepare = Callable[[], Awaitable[None]]


class Runtime:
    """Database, Kafka, inbox, outboxes and workers of one service, and the order in which they live.

    Build it, register handlers on `inbox`, outboxes and workers, then use `lifespan` around the HTTP server.
    The server answers at once; `prepare` (indexes, first data) is tried until the database lets it through, and
    only then are events consumed and jobs done. Stopping goes the other way: consumers and workers, outbox, producer.
    """

    def __init__(self, service: str, settings: CommonSettings, mongo_url: str) -> None:
        lose_no_cancellation()
        mend_connections()
        self.service = service
        self._servers = settings.kafka_bootstrap_servers
        self.metrics = Metrics()
        self._stop_time = StopTime()
        self.health = Health(self.metrics)
        self.mongo = Mongo(mongo_url, service, self.metrics)
        self.consumers = consumer_broker(settings, service)
        self.streak = Streak(settings.dead_letters_in_a_row, self.metrics)
        at_hand: Counter[str] = Counter()
        self.backlog = Backlog(self.consumers, settings.kafka_servers, at_hand, self.metrics, settings.kafka_standstill)
        self._consuming = Consumers(self.consumers, self.backlog, self.metrics, self._stop_time)
        self.kafka = KafkaLink(settings, service, self.metrics, self._consuming, self._stop_time)
        self.consumers.add_middleware(
            DeliveryMiddleware(service, self.kafka.publish, self.metrics, self.streak, self.mongo.takes_writes, at_hand)
        )
        self.inbox = Inbox(self.consumers, service, self.metrics, settings)
        self._outboxes: list[Outbox] = []
        self._workers: list[Workers] = []
        self._loops: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._prepared = False

    def outbox(self, collection: AsyncCollection[Document], **options: Any) -> Outbox:
        """Return the outbox of `collection`, swept while the service lives."""
        outbox = Outbox(collection, self.kafka.publish, source=self.service, metrics=self.metrics, **options)
        self._outboxes.append(outbox)
        return outbox

    def workers(
        self,
        collection: AsyncCollection[Document],
        work: Work,
        *,
        concurrency: int,
        lease: timedelta,
        **options: Any,
    ) -> Workers:
        """Return the workers of `collection`'s jobs, working while the service lives."""
        options |= {"metrics": self.metrics, "stop_time": self._stop_time}
        workers = Workers(collection, work, concurrency=concurrency, lease=lease, **options)
        self._workers.append(workers)
        return workers

    def letter_box(self) -> LetterBox:
        """Return what reads this service's dead letters and sends them back, to be entered."""
        return LetterBox(self._servers, self.service, self.kafka.publish)

    def also_run(self, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `loop` (endless) from the end of the preparation until the stop."""
        self._loops.append(loop)

    def watch_dependencies(self, *, kafka_required: bool) -> None:
        """Probe the database (always needed), Kafka, and whether the handlers work at all."""
        self.health.watch("database", self.mongo.ping, required=True)
        self.health.watch("preparation", self._probe_preparation, required=True)
        self.health.watch("kafka", self.kafka.probe, required=kafka_required)
        self.health.watch("handlers", self.streak.probe, required=True)

    def say_stopping(self) -> None:
        """Mark the process as no longer ready, and let its time to stop begin; called at the stop signal."""
        self.health.stopping = True
        self._stop_time.begin()

    @contextlib.asynccontextmanager
    async def lifespan(self, prepare: Prepare) -> AsyncIterator[None]:
        """Live: probe, prepare, then consume and work; at the end stop all of it in order."""
        watches = self._start(self.health.run()), self._start(self.mongo.watch())
        life = self._start(self._live(prepare))
        try:
            yield
        finally:
            self.say_stopping()
            await _end(life)
            await _end(*watches)
            await self.mongo.close()

    async def _live(self, prepare: Prepare) -> None:
        await self._prepare(prepare)
        link = self._start(self.kafka.run())
        watches = self._start(self._stop_consuming_when_broken()), self._start(self._consuming.look_for_silence())
        sweeps = [self._start(outbox.run()) for outbox in self._outboxes]
        work = [self._start(loop()) for loop in (*(w.run for w in self._workers), *self._loops)]
        try:
            await asyncio.wait({link, *sweeps, *work})  # for ever: unlike gather it leaves the order of ending to us
        finally:
            await asyncio.gather(self._consuming.stop_for_good(), _end(*watches, *work))
            await _end(*sweeps)
            await self._flush()
            await _end(link)

    async def _stop_consuming_when_broken(self) -> None:
        await self.streak.broken.wait()
        await self._consuming.stop_for_good()

    async def _prepare(self, prepare: Prepare) -> None:
        while not self._prepared:
            try:
                await self._ensure_indexes()
                await prepare()
                self._prepared = True
            except Exception as error:
                if not database_is_away(error):
                    raise
                log.warning("start.waits_for_database", error=repr(error))
                await asyncio.sleep(PREPARE_AGAIN_SECONDS)

    async def _ensure_indexes(self) -> None:
        for outbox in self._outboxes:
            await outbox.ensure_indexes()
        for workers in self._workers:
            await workers.ensure_indexes()

    async def _probe_preparation(self) -> None:
        if not self._prepared:
            raise RuntimeError("not prepared yet")

    async def _flush(self) -> None:
        """Let what is being published arrive; what is left waits for the next start's sweep."""
        within = self._stop_time.at_most(FLUSH_SECONDS, last=True, then=SETTLE_SECONDS)
        await asyncio.gather(*(outbox.flush(within) for outbox in self._outboxes))

    def _start(self, loop: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(loop)
        task.add_done_callback(self._end_process_on_crash)
        return task

    def _end_process_on_crash(self, task: asyncio.Task[None]) -> None:
        """A service that lost one of its loops is half dead: stop it, so that it is started again whole.

        It makes no difference whether the loop raised something or was cancelled: only the stop cancels loops.
        """
        if self.health.stopping or (error := _error_of(task)) is None:
            return
        log.critical("loop.crashed", error=repr(error), exc_info=error)
        self.health.stopping = True
        os.kill(os.getpid(), BROKEN)


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    try:
        return task.exception()
    except asyncio.CancelledError as error:
        return error


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""The generator's own rooms on collections in memory; the workflow engine, the time and the workers are the test's."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from services.generator.asking import Asking, Said, Told
from services.generator.attempt import Attempt
from services.generator.awaiting import Awaiting
from services.generator.callbacks import Callbacks
from services.generator.calls import Engine
from services.generator.catalog_store import CatalogStore
from services.generator.dispatch import Dispatcher, Pace
from services.generator.domain import Happening
from services.generator.executions import Execution
from services.generator.handlers import register
from services.generator.held import Held
from services.generator.messages import LateResult
from services.generator.n8n import Answer, Call, N8n
from services.generator.patience import Patience
from services.generator.runs import NotToldError, Runs, Stop
from services.generator.search import Search
from services.generator.settling import Settling
from services.generator.stopping import Stopping
from services.generator.store import AWAIT, DISPATCH, STOP, Attempts
from services.generator.workflow import Lifecycle, Requests, Rules
from shared.contracts.events import CallbackJudged, Event
from shared.delivery.leases import Lease, LeaseLostError
from shared.delivery.workers import Work
from tests.unit.collection import METRICS, Memory, Post
from tests.unit.topics_in import TopicsIn
from tests.unit.turns import Turn

DEADLINE, LAST_DEADLINE, HELD_FOR = timedelta(minutes=45), timedelta(hours=3), timedelta(hours=1)
STOP_WITHIN = timedelta(hours=1)
LONG = timedelta(hours=5)
VIDEO, USER = "ann_1", "ann"


class World:
    """One generator. `post` holds what it told for certain, `sent` what it sent straight, `runs` what n8n started.

    `looked_after` are the attempts whose run somebody tried to stop, `thoroughly` says how each question was asked.
    """

    def __init__(self, late_result: LateResult = "adopt") -> None:
        self.memory, self.held_memory = Memory(), Memory()
        self.post = Post(self.memory)
        self.sent: list[Event] = []
        self.runs: list[str] = []
        self.looked_after: set[str] = set()
        self.thoroughly: list[bool] = []
        self.topics = TopicsIn()
        self._attempts = Attempts(self.memory.collection, self.post, timedelta(minutes=1))
        self._lifecycle = Lifecycle(self._attempts, Rules(DEADLINE, LAST_DEADLINE, timedelta(minutes=15), late_result))
        self._settling = Settling(self._attempts, self._lifecycle)
        self._held = Held(self.held_memory.collection, HELD_FOR, _nothing)
        self._callbacks = Callbacks(self._attempts, self._lifecycle, self._held, METRICS, self._send)
        requests = Requests(self._attempts, self._lifecycle, _nothing, self._send)
        register(self.topics.inbox, requests, self._callbacks)

    @property
    def attempts(self) -> Mapping[int, Attempt]:
        """Return the attempts as they are stored."""
        stored = [Attempt.model_validate(one) for one in self.memory.documents.values() if "attempt" in one]
        return {attempt.attempt: attempt for attempt in stored}

    def jobs(self) -> list[str]:
        """Return the attempts whose calling, awaiting or stopping is somebody's job."""
        return [str(id_) for id_, document in self.memory.documents.items() if "job" in document]

    def judged(self, receipt_id: str) -> list[str]:
        """Return what was said to have come of a webhook."""
        said = [event for event in self.sent if isinstance(event, CallbackJudged)]
        return [event.outcome for event in said if event.receipt_id == receipt_id]

    def age(self, by: timedelta) -> None:
        """Let time pass."""
        self.memory.age(by)
        self.held_memory.age(by)

    async def work(self, lease: Lease, says: "Says") -> None:
        """Do a job; where it calls, asks or stops the engine, that is what comes back."""
        work = {DISPATCH: self._dispatcher, AWAIT: self._awaiting, STOP: self._stopping}[lease.kind]
        with contextlib.suppress(LeaseLostError):
            await work(says)(lease)

    async def look(self, lease: Lease) -> None:
        """Look again at a callback that was held."""
        with contextlib.suppress(LeaseLostError):
            await self._callbacks.look_again(lease)

    def _dispatcher(self, says: "Says") -> Work:
        engine, catalog = cast("Engine", _Addresses()), cast("CatalogStore", None)
        n8n = cast("N8n", _Engine(self, says))
        pace = Pace(timedelta(seconds=1), timedelta(seconds=30), timedelta(hours=76))
        rooms = (self._attempts, self._lifecycle, self._settling, catalog, self._held, engine, n8n, pace, METRICS)
        return Dispatcher(*rooms).work

    def _awaiting(self, says: "Says") -> Work:
        asking = cast("Asking", _Asking(self, says.told))
        patience = Patience(timedelta(minutes=5), timedelta(minutes=15), LAST_DEADLINE)
        return Awaiting(self._attempts, self._settling, self._held, asking, patience, METRICS, self._send).work

    def _stopping(self, says: "Says") -> Work:
        runs, search = cast("Runs", _Runs(says)), cast("Search", _Search(says))
        stopping = Stopping(self._attempts, runs, search, STOP_WITHIN, METRICS)

        async def work(lease: Lease) -> None:
            self.looked_after.add(str(lease.id))
            await stopping.work(lease)

        return work

    async def _send(self, event: Event) -> None:
        await Turn()
        self.sent.append(event)


@dataclass(frozen=True)
class Says:
    """What the engine answers to a call, to a question and to a stop.

    `got_through` is whether a call that is answered no started a run all the same, by way of somebody who lost it.
    """

    answer: Answer
    told: Told
    stop: Stop = Stop.STOPPED
    got_through: bool = False

    async def execution(self) -> Execution | None:
        await Turn()
        if self.told.said is Said.NOTHING:
            raise NotToldError("status 503")
        return self.told.execution


class _Addresses:
    def call_for(self, attempt: Attempt, callbacks_end_at: object) -> Call:
        return Call(attempt.id, b"", {})


class _Engine:
    """n8n: it starts a run unless it refuses, whether or not anybody lives to hear the answer."""

    def __init__(self, world: World, says: Says) -> None:
        self._world = world
        self._says = says

    async def call(self, call: Call) -> Answer:
        said = self._says.answer.happening
        no = said in (Happening.TURNED_AWAY, Happening.REJECTED)
        if said in (Happening.TAKEN, Happening.UNCERTAIN) or (no and self._says.got_through):
            self._world.runs.append(call.url)
        await Turn()
        return self._says.answer


class _Asking:
    """What n8n tells; of a run whose call was turned away not that there is none: it has begun before the answer."""

    def __init__(self, world: World, told: Told) -> None:
        self._world = world
        self._told = told

    async def about(self, attempt: Attempt, *, thoroughly: bool) -> Told:
        self._world.thoroughly.append(thoroughly)
        await Turn()
        begun = attempt.was_turned_away and attempt.id in self._world.runs
        return Told(Said.NOTHING) if begun and self._told.said is Said.GONE else self._told


class _Runs:
    def __init__(self, says: Says) -> None:
        self._says = says

    async def look(self, *_: object, with_data: bool) -> Execution | None:
        return await self._says.execution()

    async def stop(self, *_: object) -> Stop:
        await Turn()
        return self._says.stop


class _Search:
    def __init__(self, says: Says) -> None:
        self._says = says

    async def find(self, _: Attempt, *, wait: bool) -> Execution | None:
        return await self._says.execution()


def _nothing() -> None: ...

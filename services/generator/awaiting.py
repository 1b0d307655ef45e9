"""The leased work on attempts that may be running: their deadline, and what the engine says of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from services.generator.announcements import still_running
from services.generator.asking import Asking, Said, Told, news_of
from services.generator.attempt import Attempt
from services.generator.domain import Happening, News
from services.generator.held import Held
from services.generator.messages import STILL_RUNNING
from services.generator.notes import noted
from services.generator.patience import Patience, Step
from services.generator.settling import Settling, attempt_in
from services.generator.store import Attempts
from shared.contracts.events import Event, WorkflowNoted
from shared.contracts.wire import iso, utc_now
from shared.delivery.leases import Lease
from shared.wiring.metrics import Metrics

log = structlog.get_logger(__name__)


class Awaiting:
    """Does the jobs `await`. Without `asking` only deadlines end an attempt that nobody reports of.

    `send` publishes an event that may be lost. Nothing in here calls a workflow.
    """

    def __init__(
        self,
        attempts: Attempts,
        settling: Settling,
        held: Held,
        asking: Asking | None,
        patience: Patience,
        metrics: Metrics,
        send: Callable[[Event], Awaitable[None]],
    ) -> None:
        self._attempts = attempts
        self._settling = settling
        self._held = held
        self._asking = asking
        self._patience = patience
        self._metrics = metrics
        self._send = send

    async def work(self, lease: Lease) -> None:
        """Do the job of one claim."""
        attempt = attempt_in(lease)
        now = utc_now()  # one moment for both: what is concluded now must have been asked for thoroughly
        told = await self._ask(attempt, now)
        match self._patience.step(attempt, told.said, now):
            case Step.CONCLUDE:
                await self._conclude(lease, attempt, told)
            case Step.CALL_AGAIN:
                await self._settling.settle(lease, attempt, News(Happening.ABSENT))
                self._metrics.reconciled.labels(outcome=Happening.ABSENT).inc()
            case Step.TAKE:
                await self._settling.settle(lease, attempt, News(Happening.TAKEN, told.execution_id))
                self._metrics.reconciled.labels(outcome="found").inc()
            case Step.END:
                await self._settling.settle(lease, attempt, News(Happening.DEADLINE, told.execution_id))
            case Step.EXTEND:
                await self._extend(lease, attempt, told)
            case Step.WAIT:
                await self._again(lease, attempt, _seen(attempt, told))
        if attempt.execution_id is None and told.execution_id is not None:
            await self._held.look_at(told.execution_id)

    async def _ask(self, attempt: Attempt, now: datetime) -> Told:
        if self._asking is None:
            return Told(Said.NOTHING)
        thoroughly = not attempt.time_left(now) or self._patience.is_used_up(attempt, now) or attempt.was_turned_away
        return await self._asking.about(attempt, thoroughly=thoroughly)

    async def _conclude(self, lease: Lease, attempt: Attempt, told: Told) -> None:
        news = news_of(told, attempt)
        log.warning("attempt.reconciled", said=told.said, happening=news.happening, execution=told.execution_id)
        await self._settling.settle(lease, attempt, news)
        self._metrics.reconciled.labels(outcome=news.happening).inc()

    async def _extend(self, lease: Lease, attempt: Attempt, told: Told) -> None:
        now = utc_now()
        later = _seen(attempt, told).but(
            deadline_at=self._patience.extended(attempt, now), stuck_since=attempt.stuck_since or now
        )
        log.info("attempt.extended", until=later.deadline_at, execution=later.execution_id)
        note = noted(later, f"extended:{iso(now)}", "asked.running", STILL_RUNNING)
        await self._again(lease, attempt, later, note)
        self._attempts.nudge(attempt.id)
        self._metrics.reconciled.labels(outcome="extended").inc()
        await self._send(still_running(later))

    async def _again(self, lease: Lease, before: Attempt, after: Attempt, *notes: WorkflowNoted) -> None:
        update = self._attempts.update(before, after, told=False, also=notes)
        await lease.again(self._attempts.look_after(after), update)


def _seen(attempt: Attempt, told: Told) -> Attempt:
    """Return the attempt with what was seen of its run; an engine that says nothing takes nothing back."""
    over_at = attempt.run_over_at
    if told.said in (Said.OVER, Said.GONE):
        over_at = over_at or utc_now()
    elif told.said is Said.RUNNING:
        over_at = None
    return attempt.but(execution_id=attempt.execution_id or told.execution_id, run_over_at=over_at)

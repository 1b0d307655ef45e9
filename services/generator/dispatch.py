"""The leased work on attempts that were not taken yet: the call to the workflow engine.

A call is written down before it is made (state `calling`), and its answer after. A worker that claims an attempt in
state `calling` follows one that died in between: nobody knows whether the call went out, so it is not made again. Here
a call is repeated only after an answer that is certain; what others turned away waits until the engine was asked.

The time of an attempt counts from its first call: what was never tried does not fail because we were away.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from services.generator.attempt import Attempt, State
from services.generator.calls import Engine
from services.generator.catalog_store import CatalogStore
from services.generator.domain import Happening, News
from services.generator.held import Held
from services.generator.n8n import Answer, N8n
from services.generator.notes import of_refusal
from services.generator.settling import Settling, attempt_in, patiently
from services.generator.store import Attempts
from services.generator.voices import voice_for
from services.generator.workflow import Lifecycle
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease, LeaseLostError, backoff
from shared.wiring.metrics import Metrics

CLAIMS_WITHOUT_A_CALL = 10

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How refused calls are repeated, and how long after the deadline callback URLs work."""

    retry_first: timedelta
    retry_most: timedelta
    callback_grace: timedelta


class Dispatcher:
    """Does the jobs `dispatch`: from the request to an answer, or to a deadline before anything was started."""

    def __init__(
        self,
        attempts: Attempts,
        lifecycle: Lifecycle,
        settling: Settling,
        catalog: CatalogStore,
        held: Held,
        engine: Engine,
        n8n: N8n,
        pace: Pace,
        metrics: Metrics,
    ) -> None:
        self._attempts = attempts
        self._lifecycle = lifecycle
        self._settling = settling
        self._catalog = catalog
        self._held = held
        self._engine = engine
        self._n8n = n8n
        self._pace = pace
        self._metrics = metrics

    async def work(self, lease: Lease) -> None:
        """Do the job of one claim."""
        attempt = attempt_in(lease)
        if attempt.state is State.REQUESTED and _is_too_late(lease, attempt):
            await self._settling.settle(lease, attempt, News(Happening.DEADLINE))
        elif await self._attempts.is_deleted(attempt.video_id):
            await self._settling.settle(lease, attempt, News(Happening.DELETE))
        else:
            await self._dispatch(lease, attempt)

    async def _dispatch(self, lease: Lease, attempt: Attempt) -> None:
        if attempt.state is State.REQUESTED:
            attempt = attempt.but(voice_id=await self._voice(attempt), deadline_at=self._deadline(attempt))
        _, calling = self._lifecycle.conclude(attempt, News(Happening.CALLED))
        if calling.state is not State.CALLING:
            log.warning("dispatch.unknown", why="the worker that called is gone")
            await self._settling.settle(lease, attempt, News(Happening.CALLED))
            return
        write = self._attempts.update(attempt_in(lease), calling, told=False)
        await patiently(lambda: lease.write(write))
        answer = await self._call(calling)
        try:
            await self._conclude(lease, calling, answer)
        finally:
            if answer.execution_id:
                await self._held.look_at(answer.execution_id)

    async def _call(self, attempt: Attempt) -> Answer:
        call = self._engine.call_for(attempt, attempt.ends_at + self._pace.callback_grace)
        began = time.perf_counter()
        answer = await self._n8n.call(call)
        self._metrics.dispatch_seconds.labels(workflow=attempt.kind).observe(time.perf_counter() - began)
        self._metrics.dispatches.labels(workflow=attempt.kind, outcome=answer.happening).inc()
        log.info("dispatch.answered", outcome=answer.happening, reason=answer.reason, execution=answer.execution_id)
        return answer

    async def _conclude(self, lease: Lease, calling: Attempt, answer: Answer) -> None:
        news = _news_of(answer)
        if answer.happening is Happening.REFUSED:
            _, after = self._lifecycle.conclude(calling, news)
            wait = self._wait(lease, calling)
            note = of_refusal(calling, answer.reason, lease.tries, wait)
            write = self._attempts.update(calling, after, told=False, also=[note])
            await patiently(lambda: lease.again(wait, write))
            self._attempts.nudge(calling.id)
            return
        try:
            await self._settling.settle(lease, calling, news)
        except LeaseLostError:
            # A callback was quicker and has concluded more than the answer says; only the id may still be news.
            if answer.execution_id:
                await self._attempts.learn(calling.id, answer.execution_id)
            raise

    def _wait(self, lease: Lease, attempt: Attempt) -> timedelta:
        wait = backoff(lease.tries - 1, first=self._pace.retry_first, most=self._pace.retry_most)
        return min(wait, attempt.time_left(utc_now()))

    def _deadline(self, attempt: Attempt) -> datetime:
        return attempt.ends_at if attempt.called_at else utc_now() + self._lifecycle.rules.deadline

    async def _voice(self, attempt: Attempt) -> str | None:
        """Return the voice for the attempt's avatar; an avatar that nobody knows goes without."""
        if attempt.kind != "generate":
            return None
        avatar_id = str((attempt.fields or {}).get("avatar_title", ""))
        gender = await self._catalog.gender_of_avatar(avatar_id)
        return None if gender is None else voice_for(avatar_id, await self._catalog.voices_of(gender))


def _news_of(answer: Answer) -> News:
    again_at = None
    if answer.happening is Happening.TURNED_AWAY:
        again_at = utc_now() + (answer.retry_after or timedelta(0))
    return News(answer.happening, answer.execution_id, message=answer.reason, call_again_at=again_at)


def _is_too_late(lease: Lease, attempt: Attempt) -> bool:
    """Return whether no (other) call is made; without any there was no time yet, unless something of ours is broken."""
    tried = attempt.called_at is not None or lease.tries > CLAIMS_WITHOUT_A_CALL
    return tried and not attempt.time_left(utc_now())

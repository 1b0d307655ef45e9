"""How a worker that holds an attempt writes down what it concluded."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.generator.attempt import Attempt
from services.generator.domain import News
from services.generator.notes import of_change
from services.generator.store import Attempts
from services.generator.workflow import Lifecycle
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document
from shared.wiring.mongo import database_is_away
from shared.wiring.tracing import enter_trace

WRITE_AGAIN_SECONDS = 0.3

log = structlog.get_logger(__name__)


def attempt_in(lease: Lease) -> Attempt:
    """Return the attempt as it was when it was claimed; go on in its trace, and name it in the logs."""
    attempt = Attempt.model_validate(lease.document)
    enter_trace(attempt.traceparent)
    structlog.contextvars.bind_contextvars(video=attempt.video_id, attempt=attempt.attempt)
    return attempt


class Settling:
    """Ends a claim with what happened: the next state, its event and its job in one write."""

    def __init__(self, attempts: Attempts, lifecycle: Lifecycle) -> None:
        self._attempts = attempts
        self._lifecycle = lifecycle

    async def settle(self, lease: Lease, before: Attempt, news: News) -> None:
        """Let `news` happen to `before`. Raises LeaseLostError where others were quicker."""
        notes = of_change(before, news, lease.tries)
        verdict, after = self._lifecycle.conclude(before, news)
        update = self._attempts.update(before, after, told=verdict.told, also=notes)
        job = self._attempts.job_of(after)
        await patiently(lambda: _end(lease, job, update))
        self._attempts.nudge(before.id)
        log.info("attempt.changed", state=after.state, was=before.state, happening=news.happening)


async def _end(lease: Lease, job: Document | None, update: Document) -> None:
    if job is None:
        await lease.finish(update)
    else:
        await lease.hand_over(job, update)


async def patiently(write: Callable[[], Awaitable[None]]) -> None:
    """Write as soon as the database lets us: what is known about a call must not be lost to a short outage.

    Ends when the write is done or the lease is lost (its heartbeat then cancels this, or the token matches no more).
    """
    while True:
        try:
            await write()
        except Exception as error:
            if not database_is_away(error):
                raise
            log.warning("attempt.write_waits", error=repr(error))
            await asyncio.sleep(WRITE_AGAIN_SECONDS)
        else:
            return

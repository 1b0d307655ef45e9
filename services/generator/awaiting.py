"""The leased work on attempts that may be running: their deadline, and asking the engine whether they still run."""

from datetime import timedelta

import structlog

from services.generator.attempt import Attempt
from services.generator.domain import Happening, News
from services.generator.runs import Runs
from services.generator.settling import Settling, attempt_in
from services.generator.store import Attempts
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease

log = structlog.get_logger(__name__)


class Awaiting:
    """Does the jobs `await`. `lost_after` is how long the callback of a run that is over may still be on its way."""

    def __init__(self, attempts: Attempts, settling: Settling, runs: Runs | None, lost_after: timedelta) -> None:
        self._attempts = attempts
        self._settling = settling
        self._runs = runs
        self._lost_after = lost_after

    async def work(self, lease: Lease) -> None:
        """Do the job of one claim."""
        attempt = attempt_in(lease)
        if not attempt.time_left(utc_now()):
            await self._settling.settle(lease, attempt, News(Happening.DEADLINE))
        elif self._runs is None or attempt.execution_id is None:
            await lease.again(self._attempts.look_after(attempt))
        else:
            await self._ask(lease, attempt, self._runs, attempt.execution_id)

    async def _ask(self, lease: Lease, attempt: Attempt, runs: Runs, execution_id: str) -> None:
        now = utc_now()
        over_at = (attempt.run_over_at or now) if await runs.is_over(attempt.kind, execution_id) else None
        if over_at is not None and now - over_at >= self._lost_after:
            log.warning("attempt.lost", execution=execution_id)
            await self._settling.settle(lease, attempt, News(Happening.LOST))
            return
        seen = self._attempts.update(attempt, attempt.but(run_over_at=over_at), told=False)
        await lease.again(self._attempts.look_after(attempt), seen)

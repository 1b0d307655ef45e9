"""The leased work on runs that nobody wants any more, after a cancellation, a deletion or a newer attempt: stop them.

A run that is not stopped goes on costing, but nothing else depends on it: what it reports is not taken.
"""

from datetime import timedelta

import structlog

from services.generator.attempt import Attempt
from services.generator.evidence import Owner, owner_of
from services.generator.notes import noted
from services.generator.runs import NotToldError, Runs, Stop, TooMuchError
from services.generator.search import Search
from services.generator.settling import attempt_in
from services.generator.store import Attempts
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease, backoff
from shared.wiring.metrics import Metrics

TRIED_FOR = timedelta(hours=1)
AGAIN_FIRST, AGAIN_MOST = timedelta(seconds=1), timedelta(minutes=1)

_NOTED = {
    Stop.STOPPED: "The rendering service was told to stop, and it did.",
    Stop.OVER: "There was nothing left to stop at the rendering service.",
    Stop.IMPOSSIBLE: "The rendering service can't be told to stop, so it may go on for nothing.",
}

log = structlog.get_logger(__name__)


class Stopping:
    """Does the jobs `stop`: until the engine has answered, or for an hour, or until the executionId becomes known."""

    def __init__(self, attempts: Attempts, runs: Runs, search: Search, metrics: Metrics) -> None:
        self._attempts = attempts
        self._runs = runs
        self._search = search
        self._metrics = metrics
        self._said_impossible = False

    async def work(self, lease: Lease) -> None:
        """Do the job of one claim."""
        attempt = attempt_in(lease)
        try:
            execution_id = await self._running(attempt)
            outcome = await self._runs.stop(attempt.kind, execution_id) if execution_id else Stop.OVER
        except NotToldError:
            await self._later(lease, attempt)
            return
        if outcome is Stop.IMPOSSIBLE:
            self._say_impossible()
        log.info("run.stop", outcome=outcome, execution=execution_id)
        after = attempt.but(execution_id=attempt.execution_id or execution_id, stop_since=None)
        note = noted(after, f"stop:{outcome}", f"run.{outcome}", _NOTED[outcome])
        await lease.finish(self._attempts.update(attempt, after, told=False, notes=[note]))
        self._attempts.nudge(attempt.id)
        self._metrics.run_stops.labels(outcome=outcome).inc()

    async def _running(self, attempt: Attempt) -> str | None:
        """Return the id of the run to stop, None where it has ended. Raises NotToldError."""
        if attempt.execution_id is None:
            execution = await self._search.find(attempt, wait=False)
            if execution is None:
                raise NotToldError("its call may still be on the way")
            return None if execution.is_over else execution.id
        try:
            execution = await self._runs.look(attempt.kind, attempt.execution_id, with_data=True)
        except TooMuchError:
            return attempt.execution_id
        ended = execution is None or execution.is_over or owner_of(execution.data, attempt) is Owner.FOREIGN
        return None if ended else attempt.execution_id

    async def _later(self, lease: Lease, attempt: Attempt) -> None:
        since = attempt.stop_since
        if since is not None and utc_now() - since < TRIED_FOR:
            await lease.again(backoff(lease.tries - 1, first=AGAIN_FIRST, most=AGAIN_MOST))
            return
        # It stays to be stopped: the job is made anew where the executionId becomes known after all.
        log.warning("run.not_stopped", execution=attempt.execution_id)
        await lease.finish()
        self._metrics.run_stops.labels(outcome="given_up").inc()

    def _say_impossible(self) -> None:
        if not self._said_impossible:
            log.warning("run.stop_impossible", why="n8n is too old for it, or the key lacks execution:stop")
        self._said_impossible = True

"""The leased work on runs that nobody wants any more, after a cancellation, a deletion or a newer attempt: stop them.

A run that is not stopped goes on costing, but nothing else depends on it: what it reports is not taken.
"""

from datetime import timedelta

import structlog

from services.generator.attempt import Attempt
from services.generator.domain import Outcome
from services.generator.evidence import Owner, owner_of, reported_in
from services.generator.executions import Execution
from services.generator.notes import noted
from services.generator.runs import NotToldError, Runs, Stop, TooMuchError
from services.generator.search import Search
from services.generator.settling import attempt_in
from services.generator.store import Attempts
from services.generator.unwanted import discarded
from shared.contracts.events import ResultDiscarded
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease, backoff
from shared.wiring.metrics import Metrics

AGAIN_FIRST, AGAIN_MOST = timedelta(seconds=1), timedelta(minutes=1)
REFUSED_FOR = timedelta(minutes=2)
"""How long a run is looked for whose call was refused for good: mostly there is none, and many are refused at once."""

_NOTED = {
    Stop.STOPPED: "The rendering service was told to stop, and it did.",
    Stop.OVER: "There was nothing left to stop at the rendering service.",
    Stop.IMPOSSIBLE: "The rendering service can't be told to stop, so it may go on for nothing.",
}
_NOT_TOLD = "The rendering service said nothing clear when this was to be stopped, so it may go on for nothing."

log = structlog.get_logger(__name__)


def _left_behind(attempt: Attempt, execution: Execution | None) -> list[ResultDiscarded]:
    """Return what tells of the object that the run had put into the bucket before it ended, its callback lost."""
    reported = reported_in(execution.data, attempt) if execution else None
    if reported is None or reported.s3_key in (None, attempt.s3_key):
        return []
    return [discarded(attempt.video_id, attempt.user_id, attempt.attempt, reported.s3_key, Outcome.LATE)]


def _hardly_began(attempt: Attempt) -> bool:
    return attempt.refused and attempt.execution_id is None


def _done_with(attempt: Attempt, execution: Execution | None) -> Attempt:
    """Return the attempt whose job is done; one without an executionId stays to be stopped, should it get one."""
    execution_id = attempt.execution_id or (execution.id if execution else None)
    return attempt.but(execution_id=execution_id, stop_since=None if execution_id else attempt.stop_since)


class Stopping:
    """Does the jobs `stop`: until the engine has answered, or for as long as `tried_for` says.

    A run that nobody named and that is found nowhere may still begin: its call is on the way, or waits in the engine's
    queue. So it is looked for all that time, and stopped even later where its executionId becomes known.
    """

    def __init__(self, attempts: Attempts, runs: Runs, search: Search, tried_for: timedelta, metrics: Metrics) -> None:
        self._attempts = attempts
        self._runs = runs
        self._search = search
        self._tried_for = tried_for
        self._metrics = metrics
        self._said_impossible = False

    async def work(self, lease: Lease) -> None:
        """Do the job of one claim."""
        attempt = attempt_in(lease)
        try:
            execution = await self._execution(attempt)
            outcome = await self._stop(attempt, execution)
            if outcome is Stop.OVER and execution is not None and not execution.is_over:
                execution = await self._execution(attempt)  # it ended meanwhile, perhaps with a result
                if execution is not None and not execution.is_over:
                    # Where a key may look, and not stop, n8n says the same as of a run that is over.
                    outcome = Stop.IMPOSSIBLE
        except NotToldError:
            await self._later(lease, attempt)
            return
        if outcome is Stop.IMPOSSIBLE:
            self._say_impossible()
        log.info("run.stop", outcome=outcome, execution=execution.id if execution else None)
        after = _done_with(attempt, execution)
        note = noted(after, f"stop:{outcome}", f"run.{outcome}", _NOTED[outcome])
        update = self._attempts.update(attempt, after, told=False, also=[note, *_left_behind(after, execution)])
        await lease.finish(update)
        self._attempts.nudge(attempt.id)
        self._metrics.run_stops.labels(outcome=outcome).inc()

    async def _execution(self, attempt: Attempt) -> Execution | None:
        """Return the attempt's run; None where it is gone, or the id is another call's. Raises NotToldError."""
        known = attempt.execution_id
        if known is None:
            execution = await self._search.find(attempt, wait=False)
            if execution is None and self._time_is_left(attempt):
                raise NotToldError("its call may still be on the way")
            return execution
        try:
            execution = await self._runs.look(attempt.kind, known, with_data=True)
        except TooMuchError:
            return await self._runs.look(attempt.kind, known)
        foreign = execution is not None and owner_of(execution.data, attempt) is Owner.FOREIGN
        return None if foreign else execution

    async def _stop(self, attempt: Attempt, execution: Execution | None) -> Stop:
        if execution is None or execution.is_over:
            return Stop.OVER
        return await self._runs.stop(attempt.kind, execution.id)

    async def _later(self, lease: Lease, attempt: Attempt) -> None:
        if self._time_is_left(attempt):
            await lease.again(backoff(lease.tries - 1, first=AGAIN_FIRST, most=AGAIN_MOST))
            return
        log.warning("run.not_stopped", execution=attempt.execution_id)
        notes = [] if _hardly_began(attempt) else [noted(attempt, "stop:given_up", "run.given_up", _NOT_TOLD)]
        await lease.finish(self._attempts.update(attempt, attempt, told=False, also=notes))
        self._attempts.nudge(attempt.id)
        self._metrics.run_stops.labels(outcome="given_up").inc()

    def _time_is_left(self, attempt: Attempt) -> bool:
        tried_for = min(self._tried_for, REFUSED_FOR) if _hardly_began(attempt) else self._tried_for
        return attempt.stop_since is not None and utc_now() - attempt.stop_since < tried_for

    def _say_impossible(self) -> None:
        if not self._said_impossible:
            log.warning("run.stop_impossible", why="n8n is too old for it, or the key lacks execution:stop")
        self._said_impossible = True

"""What the engine says of an attempt, put so that it can be acted on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from services.generator.attempt import Attempt, Kind
from services.generator.domain import Happening, News
from services.generator.evidence import Owner, error_in, owner_of, reported_in
from services.generator.executions import Execution
from services.generator.messages import plain
from services.generator.runs import NotToldError, Runs, TooMuchError
from services.generator.search import Search
from shared.wiring.metrics import Metrics


class Said(StrEnum):
    """What is certain about the run of an attempt; also the label it is counted under."""

    RUNNING = "running"
    OVER = "over"
    GONE = "gone"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Told:
    """What was said, and of which execution: OVER and RUNNING name one."""

    said: Said
    execution: Execution | None = None

    @property
    def execution_id(self) -> str | None:
        """Return the id of the run, where it was seen."""
        return self.execution.id if self.execution else None


Delivered = Callable[[Kind], Awaitable[Attempt | None]]
"""Returns the attempt of this kind that came to a result last, of those whose execution is known."""


class Asking:
    """Asks about one attempt at a time. It only reads: nothing is started, stopped or concluded here."""

    def __init__(self, runs: Runs, search: Search, last_delivered: Delivered, metrics: Metrics) -> None:
        self._runs = runs
        self._search = search
        self._last_delivered = last_delivered
        self._metrics = metrics

    async def about(self, attempt: Attempt, *, thoroughly: bool) -> Told:
        """Return what the engine says; `thoroughly` brings the data a conclusion needs."""
        try:
            execution = await self._execution(attempt, thoroughly=thoroughly)
            if execution is None and attempt.was_turned_away:
                await self._require_that_runs_show(attempt.kind)
            told = _told(execution, attempt)
        except NotToldError:
            told = Told(Said.NOTHING)
        self._metrics.engine_answers.labels(said=told.said).inc()
        return told

    async def _execution(self, attempt: Attempt, *, thoroughly: bool) -> Execution | None:
        known = attempt.execution_id
        if known is None:
            return await self._search.find(attempt, wait=thoroughly)
        if not thoroughly:
            return await self._runs.look(attempt.kind, known)
        try:
            execution = await self._runs.look(attempt.kind, known, with_data=True)
        except TooMuchError:
            return await self._runs.look(attempt.kind, known)
        # Ids begin at 1 again where n8n's database was made anew.
        if execution is not None and owner_of(execution.data, attempt) is Owner.FOREIGN:
            raise NotToldError("the execution is another call's")
        return execution

    async def _require_that_runs_show(self, kind: Kind) -> None:
        """Raise NotToldError unless a run of this kind that is over is shown, with its call: else ours may be hidden.

        The key may be another project's, or n8n save no such executions. A wrong word here is paid for.
        """
        before = await self._last_delivered(kind)
        if before is None or before.execution_id is None:
            raise NotToldError("nothing was delivered before")
        shown = await self._runs.look(kind, before.execution_id, with_data=True)
        if shown is None or shown.status != "success" or owner_of(shown.data, before) is not Owner.OURS:
            raise NotToldError("runs that are over are not shown")


def news_of(told: Told, attempt: Attempt) -> News:
    """Return what a run that is over or gone means to the attempt, as its callback would have said it."""
    execution = told.execution
    if execution is None:
        return News(Happening.LOST)
    reported = reported_in(execution.data, attempt)
    if reported is not None and reported.happening is Happening.FAILURE and execution.waits:
        reported = replace(reported, happening=Happening.BROKE)  # it goes on, perhaps to a result
    elif reported is None and execution.failed:
        reported = News(Happening.BROKE, message=error_in(execution.data) or _UNEXPLAINED.get(execution.status))
    news = reported or News(Happening.LOST)
    return replace(news, execution_id=execution.id, message=plain(news.message) or None)


_UNEXPLAINED = {"canceled": "The rendering was stopped where it ran. Try again."}


def _told(execution: Execution | None, attempt: Attempt) -> Told:
    if execution is None:
        return Told(Said.GONE)
    # One that waits with its report in hand has made what it was to make, and does not get it through.
    if execution.is_over or (execution.waits and reported_in(execution.data, attempt)):
        return Told(Said.OVER, execution)
    return Told(Said.RUNNING if execution.is_under_way else Said.NOTHING, execution)

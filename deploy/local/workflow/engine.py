"""Runs executions from the webhook call to the last callback, and picks up after a stop or a kill."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from deploy.local.workflow.executions import Execution, ExecutionStore, now
from deploy.local.workflow.fault_book import FaultBook
from deploy.local.workflow.faults import CompleteBeforeProgress
from deploy.local.workflow.outcomes import Outcomes
from deploy.local.workflow.production import Production, RunFailed
from deploy.local.workflow.progress import ProgressReports

KILLED = "Workflow did not finish, possible out-of-memory issue"

log = structlog.get_logger(__name__)


class Engine:
    """Owns every run: each is a task of its own, started by a webhook call or by `recover`."""

    def __init__(self, store: ExecutionStore, book: FaultBook, production: Production, outcomes: Outcomes) -> None:
        self._store, self._book = store, book
        self._production, self._outcomes = production, outcomes
        self._runs: dict[str, asyncio.Task[None]] = {}

    def start(self, workflow: str, body: dict[str, Any], headers: dict[str, str]) -> Execution:
        """Record a run and set it going; returns as soon as the record is on disk."""
        execution = self._store.create(workflow, body, headers)
        log.info("execution started", execution=execution.id, workflow=workflow, video=execution.video_id)
        self._spawn(execution, self._run(execution))
        return execution

    def recover(self) -> None:
        """Take up what the last engine left: runs it handed back start anew, others that were cut off fail as in n8n.

        Callbacks still owed are sent, to where the caller is now.
        """
        for execution in self._store.unsettled():
            self._outcomes.readdress(execution)
            if execution.status == "new":
                execution.status = "running"  # on disk, so that a kill from now on counts as one
                self._store.save(execution)
                self._spawn(execution, self._run(execution))
            else:
                if execution.owes is None:
                    self._outcomes.end_with_error(execution, KILLED)
                self._spawn(execution, self._outcomes.settle(execution))

    async def stop(self) -> None:
        """Abandon everything at once; runs without an outcome are handed back, to start anew with the next engine."""
        runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        for execution in self._store.unsettled():
            if execution.owes is None:
                execution.status = "new"
                self._store.save(execution)

    async def cancel(self, execution: Execution) -> None:
        """Stop a run for good, unless it ends just now. As in n8n, nobody is called back."""
        run = self._runs.get(execution.id)
        if run is not None:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        if execution.status == "running":
            execution.status, execution.stopped_at, execution.owes = "canceled", now(), None
            self._store.save(execution)

    async def settled(self, execution: Execution, timeout_seconds: float) -> None:
        """Wait until a run has ended and its caller was told, or until the time is over."""
        run = self._runs.get(execution.id)
        if run is not None:
            await asyncio.wait({run}, timeout=timeout_seconds)

    def _spawn(self, execution: Execution, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"execution-{execution.id}")
        self._runs[execution.id] = task
        task.add_done_callback(lambda done: self._forget(execution, done))

    def _forget(self, execution: Execution, task: asyncio.Task[None]) -> None:
        del self._runs[execution.id]
        problem = None if task.cancelled() else task.exception()
        if problem is not None:
            log.error("execution broke", execution=execution.id, exc_info=problem)
        else:
            log.info("execution left", execution=execution.id, status=execution.status, owes=execution.owes)

    async def _run(self, execution: Execution) -> None:
        hold = self._book.strike(CompleteBeforeProgress, execution.names) is not None
        reports = ProgressReports(execution, self._store, self._outcomes.tell_progress, hold)
        try:
            execution.result = await self._production.produce(execution, reports)
        except RunFailed as failure:
            self._outcomes.end_with_error(execution, str(failure))
        else:
            execution.owes = "complete"
            self._store.save(execution)
        await self._outcomes.settle(execution)
        await reports.release()

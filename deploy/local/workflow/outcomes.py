"""Tells the caller how a run went: progress on the way, completion or failure at the end."""

import asyncio
from typing import Any

from deploy.local.workflow.callbacks import Callbacks
from deploy.local.workflow.executions import CallbackRecord, Execution, ExecutionStore, Purpose, now
from deploy.local.workflow.fault_book import FaultBook
from deploy.local.workflow.faults import AnotherResult, CallbackTwice, ErrorAfterComplete, ErrorBeforeComplete
from deploy.local.workflow.files import VideoFiles


class Outcomes:
    """Settles executions: what is owed to the caller is sent until it is delivered or refused."""

    def __init__(self, callbacks: Callbacks, store: ExecutionStore, book: FaultBook, files: VideoFiles) -> None:
        self._callbacks, self._store, self._book, self._files = callbacks, store, book, files

    async def tell_progress(self, execution: Execution, percent: int, message: str) -> None:
        """Report progress; tried once, a report that is lost is not missed."""
        body = {
            "videoId": execution.video_id,
            "attempt": execution.body.get("attempt"),
            "executionId": execution.id,
            "progress": percent,
            "message": message,
        }
        await self._callbacks.send(execution, "progress", body, f"progress-{execution.id}-{percent}", once=True)

    def readdress(self, execution: Execution) -> None:
        """Tell the caller where it is now."""
        self._callbacks.readdress(execution)

    def end_with_error(self, execution: Execution, message: str) -> None:
        """Record that a run failed; its caller is owed the news."""
        execution.status, execution.stopped_at = "error", now()
        execution.error_message, execution.owes = message, "error"
        self._store.save(execution)

    async def settle(self, execution: Execution) -> None:
        """Deliver what is owed. A run whose result is refused for good ends as failed, without another callback."""
        if execution.owes == "error":
            await self._send(execution, "error", self._error_body(execution, execution.error_message))
            execution.owes = None
        elif execution.owes == "complete":
            await self._contradict(execution, ErrorBeforeComplete)
            result = completion_body(execution, self._files)
            self._close(execution, await self._send(execution, "complete", result))
            await self._contradict(execution, ErrorAfterComplete)
            if self._book.strike(AnotherResult, execution.names) is not None:
                another = result | {"videoUrl": f"{result['videoUrl']}?another"}
                await self._send(execution, "complete", another, key=f"another-{execution.id}")
        self._store.save(execution)

    async def _contradict(self, execution: Execution, kind: type[ErrorBeforeComplete | ErrorAfterComplete]) -> None:
        fault = self._book.strike(kind, execution.names)
        if fault is not None:
            await self._send(execution, "error", self._error_body(execution, fault.message))

    def _close(self, execution: Execution, records: list[CallbackRecord]) -> None:
        undelivered = next((record for record in records if record.outcome != "delivered"), None)
        execution.owes, execution.stopped_at = None, now()
        execution.status = "success" if undelivered is None else "error"
        if undelivered is not None:
            execution.error_message = f"The completion callback was not accepted ({undelivered.outcome})"
        self._store.save(execution)

    async def _send(
        self, execution: Execution, purpose: Purpose, body: dict[str, Any], key: str | None = None
    ) -> list[CallbackRecord]:
        key = key or f"{'done' if purpose == 'complete' else purpose}-{execution.id}"
        twice = self._book.strike(CallbackTwice, execution.names)
        if twice is not None and twice.together:
            pair = [self._callbacks.send(execution, purpose, body, key) for _ in range(2)]
            sent = await asyncio.gather(*pair)
        else:
            sent = [await self._callbacks.send(execution, purpose, body, key) for _ in range(2 if twice else 1)]
        return [record for record in sent if record is not None]

    def _error_body(self, execution: Execution, message: str | None) -> dict[str, Any]:
        return {"errorMessage": message, "executionId": execution.id}


def completion_body(execution: Execution, files: VideoFiles) -> dict[str, Any]:
    """Return what the completion callback says. Raises LookupError where there is no result."""
    if execution.result is None:
        raise LookupError(f"execution {execution.id} has no result")
    return {
        "videoId": execution.video_id,
        "status": "ready",
        # A run that is taken up by another start may be served from another address by now.
        "videoUrl": files.url(execution.id),
        "executionId": execution.id,
        "metadata": {"size": execution.result.size, "format": "mp4", "duration": execution.result.duration},
    }

"""The control API: sets faults, and shows what was called, run and called back. See the README beside this file."""

from typing import Any

from fastapi import APIRouter

from deploy.local.workflow.executions import Execution, ExecutionStore
from deploy.local.workflow.fault_book import ALL_JOBS, FaultBook, FaultList
from deploy.local.workflow.webhooks import CallLog


def control_routes(book: FaultBook, store: ExecutionStore, calls: CallLog) -> APIRouter:
    """Return the routes under /control."""
    router = APIRouter(prefix="/control")

    @router.get("/faults")
    async def listed() -> dict[str, Any]:
        return {"faults": book.listed()}

    @router.put("/faults")
    async def put(wanted: FaultList, job: str = ALL_JOBS) -> dict[str, Any]:
        book.put(job, wanted.faults)
        return {"faults": book.listed()}

    @router.delete("/faults")
    async def clear(job: str | None = None) -> dict[str, Any]:
        book.clear(job)
        return {"faults": book.listed()}

    @router.get("/executions")
    async def executions(videoId: str | None = None) -> dict[str, Any]:
        shown = [as_control_shows(one) for one in store.newest_first() if videoId in (None, one.video_id)]
        return {"executions": shown[::-1]}

    @router.get("/calls")
    async def calls_received() -> dict[str, Any]:
        return {"calls": list(calls.calls)}

    return router


def as_control_shows(execution: Execution) -> dict[str, Any]:
    """Return an execution with everything tests count, but not the addresses to call back (they hold tokens)."""
    shown = execution.model_dump(mode="json", by_alias=True, exclude={"body", "headers"})
    named = {name: execution.body.get(name) for name in ("videoId", "requestId", "attempt", "voice_id", "title")}
    return shown | named | {"idempotencyKey": execution.headers.get("idempotency-key"), "fields": execution.fields}

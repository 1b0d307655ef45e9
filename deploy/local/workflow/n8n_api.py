"""The part of n8n's public API that tells about executions: /api/v1/executions."""

import hmac
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import JSONResponse

from deploy.local.workflow.engine import Engine
from deploy.local.workflow.executions import Execution, ExecutionStore, Status, iso
from deploy.local.workflow.settings import WorkflowSettings
from deploy.local.workflow.webhooks import WORKFLOWS

_MOST_PER_PAGE = 250


class Unauthorized(Exception):
    """The X-N8N-API-KEY header is missing or wrong; the message says which."""


def n8n_routes(settings: WorkflowSettings, store: ExecutionStore, engine: Engine) -> APIRouter:
    """Return the routes of the public API; the key is asked for when one is set."""
    key = settings.api_key.get_secret_value() if settings.api_key else None

    async def authorised(x_n8n_api_key: Annotated[str | None, Header()] = None) -> None:
        if key is not None and x_n8n_api_key is None:
            raise Unauthorized("'X-N8N-API-KEY' header required")
        if key is not None and not hmac.compare_digest(key.encode(), (x_n8n_api_key or "").encode()):
            raise Unauthorized("unauthorized")

    router = APIRouter(prefix="/api/v1/executions", dependencies=[Depends(authorised)])
    IncludeData = Annotated[bool, Query(alias="includeData")]

    @router.get("")
    async def many(
        status: Status | None = None,
        workflow_id: Annotated[str | None, Query(alias="workflowId")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST_PER_PAGE)] = 100,
        cursor: int | None = None,
        include_data: IncludeData = False,
    ) -> dict[str, Any]:
        found = (
            one
            for one in store.newest_first()
            if (status is None or one.status == status)
            and (workflow_id is None or WORKFLOWS.get(one.workflow) == workflow_id)
            and (cursor is None or int(one.id) < cursor)
        )
        return _page(found, limit, include_data)

    @router.get("/{execution_id}")
    async def one(execution_id: str, include_data: IncludeData = False) -> JSONResponse:
        execution = store.get(execution_id)
        return _not_found() if execution is None else JSONResponse(as_n8n_shows(execution, include_data))

    @router.post("/{execution_id}/stop")
    async def stop(execution_id: str) -> JSONResponse:
        execution = store.get(execution_id)
        if execution is None:
            return _not_found()
        if execution.status != "running":
            message = (
                f"Only running or waiting executions can be stopped and {execution.id} is currently {execution.status}"
            )
            return JSONResponse({"message": message}, 500)
        await engine.cancel(execution)
        return JSONResponse(as_n8n_shows(execution, include_data=False))

    return router


def as_n8n_shows(execution: Execution, include_data: bool) -> dict[str, Any]:
    """Return an execution in n8n's shape; `include_data` adds what went in and what came out.

    The addresses to call back are left out: they carry tokens.
    """
    shown: dict[str, Any] = {
        "id": execution.id,
        "finished": execution.status == "success",
        "mode": "webhook",
        "retryOf": None,
        "retrySuccessId": None,
        "status": execution.status,
        "startedAt": iso(execution.started_at),
        "stoppedAt": iso(execution.stopped_at) if execution.stopped_at else None,
        "workflowId": WORKFLOWS.get(execution.workflow),
        "waitTill": None,
    }
    return shown | {"data": _data(execution)} if include_data else shown


def _data(execution: Execution) -> dict[str, Any]:
    call = {"headers": execution.headers, "params": {}, "query": {}, "body": execution.fields}
    run_data = {"Webhook": _node(call)}
    if execution.result is not None:
        run_data["Render"] = _node(execution.result.model_dump(by_alias=True))
    result: dict[str, Any] = {"runData": run_data, "lastNodeExecuted": list(run_data)[-1]}
    if execution.error_message is not None:
        result["error"] = {"name": "NodeOperationError", "message": execution.error_message}
    return {"resultData": result}


def _node(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"data": {"main": [[{"json": item}]]}}]


def _page(found: Iterable[Execution], limit: int, include_data: bool) -> dict[str, Any]:
    page = list(islice(found, limit + 1))
    more = len(page) > limit
    shown = [as_n8n_shows(execution, include_data) for execution in page[:limit]]
    return {"data": shown, "nextCursor": page[limit - 1].id if more else None}


def _not_found() -> JSONResponse:
    return JSONResponse({"message": "Not Found"}, 404)

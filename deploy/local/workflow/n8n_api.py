"""The part of n8n's public API that tells about executions and stops them: /api/v1/executions."""

import base64
import hmac
import json
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import JSONResponse

from deploy.local.workflow.engine import Engine
from deploy.local.workflow.execution_data import data_of
from deploy.local.workflow.executions import Execution, ExecutionStore, iso
from deploy.local.workflow.fault_book import FaultBook
from deploy.local.workflow.faults import CannotStop
from deploy.local.workflow.files import VideoFiles
from deploy.local.workflow.settings import WorkflowSettings
from deploy.local.workflow.webhooks import WORKFLOWS

Asked = Literal["canceled", "crashed", "error", "new", "running", "success", "unknown", "waiting"]

_MOST_PER_PAGE = 250


class Unauthorized(Exception):
    """The X-N8N-API-KEY header is missing or wrong."""


class BadCursor(Exception):
    """A cursor that this API did not give out."""


def n8n_routes(
    settings: WorkflowSettings, store: ExecutionStore, engine: Engine, book: FaultBook, files: VideoFiles
) -> APIRouter:
    """Return the routes of the public API; the key is asked for when one is set."""
    key = settings.api_key.get_secret_value() if settings.api_key else None

    async def authorised(x_n8n_api_key: Annotated[str | None, Header()] = None) -> None:
        if key is not None and not hmac.compare_digest(key.encode(), (x_n8n_api_key or "").encode()):
            raise Unauthorized("Unauthorized")

    router = APIRouter(prefix="/api/v1/executions", dependencies=[Depends(authorised)])
    IncludeData = Annotated[bool, Query(alias="includeData")]

    def shown(execution: Execution, include_data: bool) -> dict[str, Any]:
        data = {"data": data_of(execution, files)} if include_data else {}
        return as_n8n_shows(execution) | data

    @router.get("")
    async def many(
        status: Asked | None = None,
        workflow_id: Annotated[str | None, Query(alias="workflowId")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST_PER_PAGE)] = 100,
        cursor: str | None = None,
        include_data: IncludeData = False,
    ) -> dict[str, Any]:
        before = None if cursor is None else _last_id(cursor)
        found = (
            one
            for one in store.newest_first()
            if _is_listed(one, status)
            and (workflow_id is None or WORKFLOWS.get(one.workflow) == workflow_id)
            and (before is None or int(one.id) < before)
        )
        page = list(islice(found, limit + 1))
        next_cursor = _cursor(page[limit - 1], limit) if len(page) > limit else None
        return {"data": [shown(one, include_data) for one in page[:limit]], "nextCursor": next_cursor}

    @router.get("/{execution_id}")
    async def one(execution_id: str, include_data: IncludeData = False) -> JSONResponse:
        execution = store.get(execution_id)
        return _not_found() if execution is None else JSONResponse(shown(execution, include_data))

    @router.post("/{execution_id}/stop")
    async def stop(execution_id: str) -> JSONResponse:
        execution = store.get(execution_id)
        if execution is None:
            return JSONResponse({"message": "Failed to find execution to stop"}, 404)
        if book.strike(CannotStop, execution.names) is not None:
            return _not_found()
        if execution.status != "running":
            message = (
                f"Only running or waiting executions can be stopped and {execution.id} is currently {execution.status}"
            )
            return JSONResponse({"message": message}, 409)
        await engine.cancel(execution)
        names = ("mode", "startedAt", "stoppedAt", "finished", "status")
        return JSONResponse({name: as_n8n_shows(execution)[name] for name in names})

    return router


def as_n8n_shows(execution: Execution) -> dict[str, Any]:
    """Return an execution in n8n's shape, without its data."""
    return {
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


def _is_listed(execution: Execution, status: Asked | None) -> bool:
    """As in n8n, what runs is listed only where it is asked for."""
    return execution.status != "running" if status is None else execution.status == status


def _cursor(last: Execution, limit: int) -> str:
    return base64.b64encode(json.dumps({"lastId": last.id, "limit": limit}).encode()).decode()


def _last_id(cursor: str) -> int:
    try:
        return int(json.loads(base64.b64decode(cursor, validate=True))["lastId"])
    except (ValueError, TypeError, KeyError) as error:
        raise BadCursor from error


def _not_found() -> JSONResponse:
    return JSONResponse({"message": "Not Found"}, 404)

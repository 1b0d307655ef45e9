"""GET and HEAD /files/<executionId>.mp4: with ranges and validators, or broken as a fault asks for."""

import os
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse
from starlette.responses import Response

from deploy.local.workflow.broken_transfer import BrokenTransfer, not_a_video, transfer_for
from deploy.local.workflow.executions import ExecutionStore
from deploy.local.workflow.fault_book import FaultBook
from deploy.local.workflow.faults import FileError, FileFault, FileNotVideo, FileRedirect
from deploy.local.workflow.files import VideoFiles


def file_routes(files: VideoFiles, store: ExecutionStore, book: FaultBook) -> APIRouter:
    """Return the routes that hand out rendered files."""
    router = APIRouter()

    @router.api_route("/files/{execution_id}.mp4", methods=["GET", "HEAD"])
    async def deliver(execution_id: str, request: Request, hop: int = 0) -> Response:
        path, execution = files.find(execution_id), store.get(execution_id)
        if path is None or execution is None:
            return PlainTextResponse("Not found", 404)
        # A HEAD shows what a GET would meet, but does not use a fault up; nor does the end of a redirect.
        look = book.strike if request.method == "GET" and not hop else book.look
        fault = look(FileFault, execution.names)
        if isinstance(fault, FileRedirect):
            return _redirect(fault, execution_id, hop) or _whole(path)
        return _whole(path) if fault is None or hop else _broken(path, fault)

    return router


def _whole(path: Path) -> Response:
    stat = path.stat()
    return FileResponse(path, media_type="video/mp4", stat_result=stat, headers={"etag": _etag(path.stem, stat)})


def _redirect(fault: FileRedirect, execution_id: str, hop: int) -> Response | None:
    if fault.to is not None:
        return RedirectResponse(fault.to, 302)
    return RedirectResponse(f"/files/{execution_id}.mp4?hop={hop + 1}", 302) if hop < fault.hops else None


def _broken(path: Path, fault: FileFault) -> Response:
    if isinstance(fault, FileError):
        return PlainTextResponse("Something went wrong", fault.status)
    stat = path.stat()
    content = not_a_video() if isinstance(fault, FileNotVideo) else path.open("rb")
    return BrokenTransfer(content, transfer_for(fault, stat.st_size), _etag(path.stem, stat))


def _etag(name: str, stat: os.stat_result) -> str:
    return f'"{name}-{stat.st_size}-{stat.st_mtime_ns}"'

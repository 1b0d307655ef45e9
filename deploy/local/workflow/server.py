"""Puts the engine together: settings, state, runs, routes; opens and closes what needs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from deploy.local.workflow.callbacks import Callbacks
from deploy.local.workflow.control import control_routes
from deploy.local.workflow.engine import Engine
from deploy.local.workflow.executions import ExecutionStore
from deploy.local.workflow.fault_book import FaultBook
from deploy.local.workflow.file_routes import file_routes
from deploy.local.workflow.files import VideoFiles
from deploy.local.workflow.n8n_api import BadCursor, Unauthorized, n8n_routes
from deploy.local.workflow.outcomes import Outcomes
from deploy.local.workflow.production import Production
from deploy.local.workflow.settings import WorkflowSettings
from deploy.local.workflow.webhooks import CallLog, Webhooks, webhook_routes


def build_app(settings: WorkflowSettings, public_url: str) -> FastAPI:
    """Return the application; `public_url` is where callers reach it. Reads the data folder, starts nothing yet."""
    store, book, calls = ExecutionStore(settings.data_dir), FaultBook(), CallLog()
    files = VideoFiles(settings.data_dir, public_url)
    # Callers are on this machine or a configured address: a proxy from the environment is never meant.
    client = httpx.AsyncClient(trust_env=False)
    outcomes = Outcomes(Callbacks(client, store, book, settings), store, book, files)
    engine = Engine(store, book, Production(settings, files, book), outcomes)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            engine.recover()
            try:
                yield
            finally:
                await engine.stop()

    app = FastAPI(title="Reelway workflow engine", lifespan=lifespan)
    app.include_router(webhook_routes(Webhooks(settings, engine, book, calls)))
    app.include_router(file_routes(files, store, book))
    app.include_router(n8n_routes(settings, store, engine, book, files))
    app.include_router(control_routes(book, store, calls))

    @app.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    @app.exception_handler(Unauthorized)
    async def unauthorised(_: Request, reason: Unauthorized) -> JSONResponse:
        return JSONResponse({"message": str(reason)}, 401)

    @app.exception_handler(BadCursor)
    async def bad_cursor(_: Request, __: BadCursor) -> JSONResponse:
        return JSONResponse({"message": "An invalid cursor was provided"}, 400)

    return app

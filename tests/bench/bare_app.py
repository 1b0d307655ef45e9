"""The base line of accepting: FastAPI, the gateway's own request model, one majority and journaled insert_one.

No access rules, no outbox, no events: what is left of an accept when everything Reelway promises is taken away.
"""

import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from services.gateway.routes.bodies import Generate
from shared.contracts.wire import iso, utc_now
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import Mongo
from shared.wiring.serve import serve

MESSAGE = "Video generation started successfully"
NOTE = "Video generation is running in the background"
RENDERING = timedelta(minutes=15)


def build(mongo_url: str) -> FastAPI:
    """Return the application; nothing connects before its lifespan."""
    mongo = Mongo(mongo_url, "bare", Metrics())
    requests = mongo.database["requests"]

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await mongo.ping()
        yield
        await mongo.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        return JSONResponse({"status": "ready"})

    @app.post("/api/video/generate-video")
    async def generate(request: Generate) -> JSONResponse:
        now = utc_now()
        video_id = f"bare_{time.time_ns()}"
        request_id = f"video_{int(now.timestamp() * 1000)}_{secrets.token_hex(4)}"
        document = {"_id": video_id, "requestId": request_id, "fields": request.model_dump(), "createdAt": now}
        await requests.insert_one(document)
        data: dict[str, Any] = {
            "status": "processing",
            "timestamp": iso(now),
            "estimated_completion": iso(now + RENDERING),
            "note": NOTE,
            "videoId": video_id,
            "requestId": request_id,
        }
        return JSONResponse({"success": True, "message": MESSAGE, "data": data}, status_code=202)

    return app


if __name__ == "__main__":
    serve(build(os.environ["BARE_MONGO_URL"]), "127.0.0.1", int(os.environ["BARE_PORT"]), on_stop=lambda: None)

"""`/api/openapi.json`: the HTTP contract for programs, generated from the routes."""

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response

from shared.access.access_tokens import COOKIE

PATH = "/api/openapi.json"

_OPEN = {"/api/auth/register", "/api/auth/login", "/.well-known/jwks.json"}
_PEOPLE: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
_ENGINES: list[dict[str, list[str]]] = [{"webhookSecret": []}, {"webhookSignature": []}, {"callbackToken": []}]

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    "webhookSecret": {"type": "apiKey", "in": "header", "name": "X-Webhook-Secret"},
    "webhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks, with webhook-id and webhook-timestamp.",
    },
    "callbackToken": {"type": "apiKey", "in": "query", "name": "token"},
}


def serve_openapi(app: FastAPI) -> None:
    """Serve the document at PATH."""

    @cache
    def document() -> dict[str, Any]:
        made = get_openapi(title="Reelway", version="1", routes=app.routes)
        made.setdefault("components", {})["securitySchemes"] = _SCHEMES
        for path, operations in made["paths"].items():
            for operation in operations.values():
                if path not in _OPEN:
                    operation["security"] = _ENGINES if path.startswith("/api/webhook/") else _PEOPLE
        return made

    @app.get(PATH, include_in_schema=False)
    async def openapi() -> Response:
        return JSONResponse(document())

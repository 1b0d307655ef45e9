"""`/api/notifications`: the notifier's, passed through, so that a frontend has one origin."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from services.gateway.notifier import Notifier
from services.gateway.routes.access import Access
from shared.access.access_tokens import Identity, token_in
from shared.wiring.tracing import current_traceparent

HISTORY, STREAM = "/api/notifications", "/api/notifications/stream"


def router(notifier: Notifier, access: Access) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["notifications"])

    @routes.get(HISTORY)
    async def history(request: Request, _: Annotated[Identity, Depends(access.identity)]) -> Response:
        return await notifier.ask(HISTORY, request.url.query, _headers(request))

    @routes.get(STREAM)
    async def stream(request: Request, asking: Annotated[Identity, Depends(access.identity)]) -> Response:
        return await notifier.stream(asking.user_id, STREAM, request.url.query, _headers(request))

    return routes


def _headers(request: Request) -> dict[str, str]:
    """Return what the notifier has to know: who asks, what was seen last, and the trace."""
    token, _ = token_in(request.headers.get("authorization"), request.cookies)
    headers = {"authorization": f"Bearer {token}"}
    last_id, trace = request.headers.get("last-event-id"), current_traceparent()
    if last_id is not None:
        # What is no header is no id of ours either: answered with a reset.
        seen = last_id.strip()
        headers["last-event-id"] = seen if seen.isascii() and seen.isprintable() else "?"
    if trace is not None:
        headers["traceparent"] = trace
    return headers

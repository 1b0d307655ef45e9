"""`POST /api/video/create`, `generate-video`, `download-video`: requests for videos, answered 202."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.responses import Response

from services.gateway.domain import VideoRequest
from services.gateway.routes.access import Access
from services.gateway.routes.answers import Accepted, answers
from services.gateway.routes.bodies import Create, Download, Generate
from services.gateway.shapes import ACCEPTED, accepted_shape
from services.gateway.workflow.requests import Requests
from shared.access.access_tokens import Identity
from shared.wiring.http import answer

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


def router(requests: Requests, access: Access) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/video", tags=["videos"])

    @routes.post("/create", status_code=202, responses=answers(202, Accepted))
    async def create(
        body: Create, asking: Annotated[Identity, Depends(access.identity)], idempotency_key: IdempotencyKey = None
    ) -> Response:
        fields = body.model_dump(by_alias=True)
        request = VideoRequest(asking.user_id, "create", body.video_topic, email=body.email, fields=fields)
        return await _accept(request, "create", idempotency_key)

    @routes.post("/generate-video", status_code=202, responses=answers(202, Accepted))
    async def generate_video(
        body: Generate, asking: Annotated[Identity, Depends(access.identity)], idempotency_key: IdempotencyKey = None
    ) -> Response:
        request = VideoRequest(asking.user_id, "generate", body.title, email=body.email, fields=body.model_dump())
        return await _accept(request, "generate-video", idempotency_key)

    @routes.post("/download-video", status_code=202, responses=answers(202, Accepted))
    async def download_video(
        body: Download, asking: Annotated[Identity, Depends(access.identity)], idempotency_key: IdempotencyKey = None
    ) -> Response:
        request = VideoRequest(asking.user_id, "import", body.title, source_url=body.video_url)
        return await _accept(request, "download-video", idempotency_key)

    async def _accept(request: VideoRequest, route: str, key: str | None) -> Response:
        accepted = await requests.accept(request, route, key)
        return answer(accepted_shape(accepted), ACCEPTED[request.kind][0], status=202)

    return routes

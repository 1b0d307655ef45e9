"""`/api/video/timeline`: what happened to one video, for its owner."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from services.gateway.routes.access import Access
from services.gateway.routes.answers import Timeline, answers
from services.gateway.shapes import timeline_shape
from services.gateway.store.timeline import Entries
from services.gateway.workflow.lifecycle import Lifecycle
from shared.access.access_tokens import Identity
from shared.wiring.http import answer


def router(lifecycle: Lifecycle, entries: Entries, access: Access) -> APIRouter:
    """Return the route."""
    routes = APIRouter(prefix="/api/video", tags=["videos"])

    @routes.get("/timeline/{video_id}", responses=answers(200, Timeline))
    async def timeline(video_id: str, asking: Annotated[Identity, Depends(access.identity)]) -> Response:
        video = await lifecycle.find(video_id, asking.user_id)
        return answer(timeline_shape(video, await entries.of_video(video_id)))

    return routes

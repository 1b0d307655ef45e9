"""`/api/video`: what users see of their videos, and what they do with them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from services.gateway.cursors import cursor_of, position_of
from services.gateway.objects import SignedUrls
from services.gateway.routes.access import Access
from services.gateway.routes.answers import Deleted, Download, Gallery, Statistics, Video, Workflows, answers
from services.gateway.shapes import history_shape, numbers_shape, video_shape
from services.gateway.store.history import History
from services.gateway.store.tally import Tally
from services.gateway.store.videos import Videos
from services.gateway.workflow.lifecycle import Lifecycle
from shared.access.access_tokens import Identity
from shared.contracts.videos import VideoStatus
from shared.contracts.wire import iso
from shared.wiring.http import answer

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=200)]


def lists_router(videos: Videos, history: History, tally: Tally, urls: SignedUrls, access: Access) -> APIRouter:
    """Return the routes of what there is: page by page, newest first, and in numbers."""
    routes = APIRouter(prefix="/api/video", tags=["videos"])

    @routes.get("/gallery", responses=answers(200, Gallery))
    async def gallery(
        asking: Annotated[Identity, Depends(access.identity)],
        status: VideoStatus | None = None,
        limit: Limit = 20,
        cursor: Cursor = None,
    ) -> Response:
        # One more than asked for tells whether there is another page.
        found = await videos.page(asking.user_id, status, position_of(cursor), limit + 1)
        page = found[:limit]
        more = cursor_of(page[-1].video_id.rpartition("_")[2]) if len(found) > limit else None
        return answer({"videos": [video_shape(video, urls) for video in page], "nextCursor": more})

    @routes.get("/history", responses=answers(200, Workflows))
    async def workflow_history(
        asking: Annotated[Identity, Depends(access.identity)], limit: Limit = 20, cursor: Cursor = None
    ) -> Response:
        found = await history.page(asking.user_id, position_of(cursor), limit + 1)
        page = found[:limit]
        more = cursor_of(page[-1]["shelf"].rpartition("_")[2]) if len(found) > limit else None
        return answer({"workflows": [history_shape(entry) for entry in page], "nextCursor": more})

    @routes.get("/statistics", responses=answers(200, Statistics))
    async def statistics(asking: Annotated[Identity, Depends(access.identity)]) -> Response:
        return answer(numbers_shape(await tally.of(asking.user_id)))

    return routes


def router(lifecycle: Lifecycle, urls: SignedUrls, access: Access) -> APIRouter:
    """Return the routes of one video."""
    routes = APIRouter(prefix="/api/video", tags=["videos"])

    @routes.get("/status/{video_id}", responses=answers(200, Video))
    async def status_of(video_id: str, asking: Annotated[Identity, Depends(access.identity)]) -> Response:
        return answer(video_shape(await lifecycle.find(video_id, asking.user_id), urls))

    @routes.get("/download/{video_id}", responses={**answers(200, Download), 302: {"description": "To the file"}})
    async def download(
        video_id: str, request: Request, asking: Annotated[Identity, Depends(access.identity)]
    ) -> Response:
        file = await lifecycle.find_file(video_id, asking.user_id)
        signed = urls.save(file.key, file.title)
        if "application/json" in request.headers.get("accept", ""):
            return answer({"downloadUrl": signed.url, "expiresAt": iso(signed.expires_at)})
        return RedirectResponse(signed.url, status_code=302)

    @routes.delete("/delete/{video_id}", responses=answers(200, Deleted))
    async def delete(video_id: str, asking: Annotated[Identity, Depends(access.identity)]) -> Response:
        await lifecycle.delete(video_id, asking.user_id)
        return answer({"videoId": video_id}, "Video deleted")

    @routes.post("/retry/{video_id}", status_code=202, responses=answers(202, Video))
    async def retry(video_id: str, asking: Annotated[Identity, Depends(access.identity)]) -> Response:
        video = await lifecycle.retry(video_id, asking.user_id)
        return answer(video_shape(video, urls), "Video started again", status=202)

    @routes.post("/cancel/{video_id}", status_code=202, responses=answers(202, Video))
    async def cancel(video_id: str, asking: Annotated[Identity, Depends(access.identity)]) -> Response:
        video = await lifecycle.cancel(video_id, asking.user_id)
        return answer(video_shape(video, urls), "Video cancelled", status=202)

    return routes

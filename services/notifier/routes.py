"""HTTP in: the history of a user's notifications and their live stream."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response

from services.notifier.audience import Audience, StoppingError, TooManyStreamsError
from services.notifier.callers import Callers
from services.notifier.store import LARGEST_SEQ
from services.notifier.stream import EventStream
from services.notifier.workflow import Telling
from shared.access.access_tokens import Identity
from shared.wiring.http import ApiError, answer, unavailable

STREAMS_RETRY_AFTER_SECONDS = 10


def routes(telling: Telling, audience: Audience, callers: Callers) -> APIRouter:
    """Return the notifier's routes."""
    router = APIRouter(prefix="/api/notifications")
    Caller = Annotated[Identity, Depends(callers.identify)]

    @router.get("")
    async def history(
        caller: Caller,
        cursor: Annotated[int | None, Query(ge=1, le=LARGEST_SEQ)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        page = await telling.history(caller.user_id, cursor, limit)
        notifications = [notification.body for notification in page.notifications]
        return answer({"notifications": notifications, "nextCursor": page.next_cursor})

    @router.get("/stream")
    async def live(
        caller: Caller,
        last_event_id: Annotated[str | None, Header()] = None,
        first_event_id: Annotated[str | None, Query(alias="lastEventId")] = None,
    ) -> Response:
        try:
            stream, channel = await audience.join(caller.user_id, caller.expires_at)
        except TooManyStreamsError as error:
            raise _too_many() from error
        except StoppingError as error:
            raise unavailable("The service is restarting.") from error
        # The header wins: a browser sends it when it comes back, and the address still holds where it once began.
        asked = (last_event_id or first_event_id or "").strip() or None
        return EventStream(stream, audience.frames(stream, channel, asked), partial(audience.leave, stream, channel))

    return router


def _too_many() -> ApiError:
    message = "You have too many live streams open. Close some tabs and try again."
    headers = {"Retry-After": str(STREAMS_RETRY_AFTER_SECONDS)}
    return ApiError(429, "TOO_MANY_STREAMS", message, headers=headers)

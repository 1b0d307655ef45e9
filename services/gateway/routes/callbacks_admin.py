"""`/admin/callbacks`: webhooks that found no video by themselves."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.gateway.workflow.quarantine import (
    CallbackSettledError,
    CannotPassOnError,
    NotRenderedError,
    OvertakenError,
    Quarantine,
    State,
    UnknownCallbackError,
    UnknownVideoError,
)
from shared.wiring.http import ApiError, answer, answer_refusal

MOST_LISTED = 1000


class Attachment(BaseModel):
    """Which video, and which attempt of it (where none is named the newest that was rendered), a webhook is about."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    video_id: str = Field(min_length=1, max_length=256)
    attempt: int | None = Field(default=None, ge=1, strict=True)


def router(quarantine: Quarantine) -> APIRouter:
    """Return the routes, for `serve_admin`."""
    routes = APIRouter(prefix="/admin/callbacks")

    @routes.get("")
    async def list_callbacks(
        state: State = "unmatched", limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100
    ) -> Response:
        return answer({"callbacks": [callback.shown for callback in await quarantine.listed(state, limit)]})

    @routes.get("/{receipt_id}")
    async def show_callback(receipt_id: str) -> Response:
        return answer((await quarantine.find(receipt_id)).whole)

    @routes.post("/{receipt_id}/attach")
    async def attach(receipt_id: str, to: Attachment) -> Response:
        await quarantine.attach(receipt_id, to.video_id, to.attempt)
        return await _passed_on(receipt_id)

    @routes.post("/{receipt_id}/replay")
    async def replay(receipt_id: str) -> Response:
        await quarantine.replay(receipt_id)
        return await _passed_on(receipt_id)

    @routes.post("/{receipt_id}/discard")
    async def discard(receipt_id: str) -> Response:
        await quarantine.discard(receipt_id)
        return answer((await quarantine.find(receipt_id)).shown, "Webhook discarded")

    async def _passed_on(receipt_id: str) -> Response:
        message = "Webhook passed on; look at it again to see what came of it"
        return answer((await quarantine.find(receipt_id)).shown, message, status=202)

    return routes


def add_callback_refusals(admin: FastAPI) -> None:
    """Answer what `Quarantine` refuses."""
    answer_refusal(admin, UnknownCallbackError, lambda _: _UNKNOWN)
    answer_refusal(admin, UnknownVideoError, lambda _: _NO_VIDEO)
    answer_refusal(admin, NotRenderedError, lambda _: _IMPORTED)
    answer_refusal(admin, CannotPassOnError, lambda _: _NOT_KEPT)
    answer_refusal(admin, CallbackSettledError, _settled)
    answer_refusal(admin, OvertakenError, lambda _: _OVERTAKEN)


_UNKNOWN = ApiError(404, "CALLBACK_NOT_FOUND", "No webhook with this receipt id is kept. List them to see which are.")
_NO_VIDEO = ApiError(404, "VIDEO_NOT_FOUND", "There is no such video, or it has no such attempt. Check both.")
_IMPORTED = ApiError(409, "VIDEO_NOT_RENDERED", "That video was imported; no workflow reports about it. Check the id.")
_OVERTAKEN = ApiError(409, "CALLBACK_SETTLED", "Somebody else changed this webhook in that moment. Look at it again.")
_NOT_KEPT = ApiError(409, "CALLBACK_NOT_KEPT", "Progress reports can't be passed on again; the next one will do.")


def _settled(error: CallbackSettledError) -> ApiError:
    if error.outcome is None:
        message = "This webhook waits to be judged as it is. Look at it again in a moment."
    else:
        rule = "What counted stays so, and only what nobody could place can be discarded."
        message = f"This webhook can't be changed so: its outcome is {error.outcome!r}. {rule}"
    return ApiError(409, "CALLBACK_SETTLED", message)

"""The admin's view of a service's dead letters: list, show, send back, discard."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import ConfigDict, Field, StrictBool

from shared.delivery.letter import Letter, Selection, whole
from shared.delivery.letterbox import Decided, LetterBox
from shared.wiring.http import ApiError, answer

MOST_LISTED = 1000

_NOTHING_NAMED = ApiError(422, "NOTHING_SELECTED", 'Name ids or a filter, or send "all": true for all that are open.')
_PAID_WORK = ApiError(
    409,
    "PAID_WORK_NOT_ALLOWED",
    'Sending these back may start paid generations. If that is meant, send it again with "allowPaidWork": true.',
)


class _Strict(Selection):
    """A selection in which a misspelt filter is refused: ignored, it would select more than was meant."""

    model_config = ConfigDict(extra="forbid")


class Listing(_Strict):
    """What is to be listed."""

    limit: int = Field(default=100, ge=1, le=MOST_LISTED)


class Decision(_Strict):
    """Which letters something is to be done with."""

    all: StrictBool = False
    dry_run: StrictBool = False

    def require_a_choice(self) -> None:
        """Raise ApiError where nothing says which letters are meant."""
        if not (self.all or self.names_anything):
            raise _NOTHING_NAMED


class Redrive(Decision):
    """Which letters are to be sent back to their handlers."""

    allow_paid_work: StrictBool = False


def dead_letter_routes(open_box: Callable[[], LetterBox]) -> APIRouter:
    """Return the routes, for `serve_admin`; `open_box` makes what reads this service's letters."""
    router = APIRouter(prefix="/admin/dead-letters")
    one_at_a_time = asyncio.Lock()  # each of these reads a whole topic

    @router.get("")
    async def list_letters(listing: Annotated[Listing, Query()]) -> Response:
        async with one_at_a_time, open_box() as box:
            found = await box.select(listing)
        newest = found[::-1][: listing.limit]
        return answer({"deadLetters": [letter.shown() for letter in newest], "total": len(found)})

    @router.get("/{letter_id}")
    async def show_letter(letter_id: str) -> Response:
        async with one_at_a_time, open_box() as box:
            (letter,) = await _selected(box, Selection(ids=(letter_id,), state="all"))
            return answer(whole(letter, await box.original(letter)))

    @router.post("/redrive")
    async def redrive(wanted: Redrive) -> Response:
        wanted.require_a_choice()
        async with one_at_a_time, open_box() as box:
            done = [
                await box.redrive(letter, allow_paid_work=wanted.allow_paid_work, dry_run=wanted.dry_run)
                for letter in await _selected(box, wanted)
            ]
        if done and not wanted.dry_run and all(one.outcome == "needs_paid_work" for one in done):
            raise _PAID_WORK
        return answer(_outcomes(done))

    @router.post("/discard")
    async def discard(wanted: Decision) -> Response:
        wanted.require_a_choice()
        async with one_at_a_time, open_box() as box:
            done = [await box.discard(letter, dry_run=wanted.dry_run) for letter in await _selected(box, wanted)]
        return answer(_outcomes(done))

    return router


async def _selected(box: LetterBox, wanted: Selection) -> list[Letter]:
    """Return the letters; each one that is named by its id must be there, in whatever state."""
    found = await box.select(wanted.model_copy(update={"state": "all"}) if wanted.ids else wanted)
    missing = set(wanted.ids) - {letter.id for letter in found}
    if missing:
        raise ApiError(404, "DEAD_LETTER_NOT_FOUND", f"{box.service} has no dead letter {', '.join(sorted(missing))}.")
    return found


def _outcomes(done: list[Decided]) -> dict[str, Any]:
    return {"deadLetters": [{"id": one.letter.id, "outcome": one.outcome} for one in done]}

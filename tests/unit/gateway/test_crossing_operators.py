"""Two operators change one webhook in the same moment: who comes second is told so, not what held a moment ago."""

from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from services.gateway.routes.callbacks_admin import add_callback_refusals, router
from services.gateway.store.history import History
from services.gateway.store.receipts import Receipts
from services.gateway.store.videos import Videos
from services.gateway.workflow.quarantine import Quarantine
from shared.contracts.events import CompletionReported


class LostReceipts:
    """One webhook that nobody could place, and that somebody else changes before every write."""

    async def find(self, receipt_id: str) -> dict[str, Any]:
        event = CompletionReported(id=receipt_id, receipt_id=receipt_id, video_id="v", attempt=1, status="failed")
        passed_on = {"type": "CompletionReported", "event": event.model_dump_json(by_alias=True)}
        return {"_id": receipt_id, "outcome": "quarantined", "passedOn": passed_on}

    async def discard(self, receipt: dict[str, Any]) -> bool:
        return False

    async def pass_on_again(self, receipt: dict[str, Any], *_: Any) -> bool:
        return False


@pytest.mark.parametrize("change", ["discard", "replay"])
async def test_who_comes_second_is_told_so(change: str) -> None:
    app = FastAPI()
    receipts = cast("Receipts", LostReceipts())
    app.include_router(router(Quarantine(receipts, cast("Videos", None), cast("History", None))))
    add_callback_refusals(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.post(f"/admin/callbacks/r1/{change}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CALLBACK_SETTLED")
    assert answer.json()["message"] == "Somebody else changed this webhook in that moment. Look at it again."

"""Workflows that are none of ours: what they report matches nothing, and must not be lost all the same."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.chaos.api import Api
from tests.chaos.history import History
from tests.chaos.plan import Report


async def report(api: Api, history: History, secret: str, reports: Sequence[Report]) -> None:
    """Send each report at its time until it is accepted; needs cancelling where that never happens."""
    for one in reports:
        await asyncio.sleep(max(0.0, one.at - history.now()))
        await api.patiently(
            "webhook",
            "POST",
            f"/api/webhook/{'video-complete' if one.purpose == 'complete' else 'workflow-error'}",
            about={"name": one.name},
            headers={"X-Webhook-Secret": secret},
            json=_body(one),
        )


def _body(one: Report) -> dict[str, Any]:
    if one.purpose == "error":
        return {"errorMessage": "A workflow nobody started broke", "executionId": one.name}
    return {"videoId": f"{one.name}_1", "status": "ready", "videoUrl": "http://127.0.0.1:9/none.mp4"}

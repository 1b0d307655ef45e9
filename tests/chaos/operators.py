"""Operators: they attach what found no video, while somebody may just be finding out what it is about."""

import asyncio
from collections.abc import Callable, Sequence

from tests.chaos.api import Api
from tests.chaos.history import History
from tests.chaos.plan import Attach

Newest = Callable[[int], str | None]
"""Returns the newest video of a user, if there is one."""


async def attach(api: Api, history: History, newest: Newest, moments: Sequence[Attach]) -> None:
    """Attach the newest webhook without a video at each moment; needs cancelling where nobody answers any more."""
    for one in moments:
        await asyncio.sleep(max(0.0, one.at - history.now()))
        async with asyncio.TaskGroup() as hands:
            for video in filter(None, map(newest, one.to_users)):
                hands.create_task(_attach_to(api, video))


async def _attach_to(api: Api, video: str) -> None:
    query = {"state": "unmatched", "limit": 1}
    listed = await api.patiently("callbacks", "GET", "/admin/callbacks", about={}, params=query)
    for callback in listed.json()["data"]["callbacks"]:
        receipt = callback["receiptId"]
        path = f"/admin/callbacks/{receipt}/attach"
        await api.patiently("attach", "POST", path, about={"receipt": receipt, "video": video}, json={"videoId": video})

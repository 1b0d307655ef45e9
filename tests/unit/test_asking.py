"""The people of the tests: what Reelway accepted while they were going, they know of."""

import asyncio

import httpx

from tests.asking import asking


async def test_what_is_asked_for_when_it_ends_is_waited_for() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def accepted(request: httpx.Request) -> httpx.Response:
        asked.set()
        await answer.wait()
        return httpx.Response(202, json={"data": {"videoId": "video-1"}})

    transport = httpx.MockTransport(accepted)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client, asking(client) as asker:
        await asked.wait()
        asyncio.get_running_loop().call_soon(answer.set)
    assert asker.accepted == ["video-1"]

"""What nobody answers must not pile up: the proxies before every engine run in the same process."""

import asyncio
from pathlib import Path

import httpx

from tests.chaos.api import Api
from tests.chaos.history import History

AT_ONCE = 6


async def test_a_person_has_only_so_many_requests_under_way(tmp_path: Path) -> None:
    waiting, most, full, answer = 0, 0, asyncio.Event(), asyncio.Event()

    async def slowly(_: httpx.Request) -> httpx.Response:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        if waiting == AT_ONCE:
            full.set()
        await answer.wait()
        waiting -= 1
        return httpx.Response(200, json={})

    with History(tmp_path / "history.jsonl") as history:
        api = Api("http://gateway.test", history, "somebody")
        await api.client.aclose()
        api.client = httpx.AsyncClient(base_url="http://gateway.test", transport=httpx.MockTransport(slowly))
        async with api.client, asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(api.once("status", "GET", "/", about={})) for _ in range(50)]
            await full.wait()
            answer.set()
    assert most == AT_ONCE
    assert all(task.result() is not None for task in asked)

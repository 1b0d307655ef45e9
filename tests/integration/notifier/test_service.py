"""History, health, and days without database or Kafka."""

import asyncio

import httpx

from deploy.local.stack import LocalStack
from tests.integration.notifier.conftest import Connect
from tests.integration.notifier.partners import Publisher, Video, listening
from tests.integration.notifier.test_streams import has_told, seqs, tell
from tests.waiting import until


async def test_history_comes_in_pages_newest_first(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    empty = (await client.get("/api/notifications")).json()
    assert empty["success"] is True
    assert empty["data"]["notifications"] == []
    await tell(publisher, client, user_id, 5)
    found: list[int] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        data = (await client.get("/api/notifications", params=params)).json()["data"]
        found += [one["seq"] for one in data["notifications"]]
        cursor = data.get("nextCursor")
        pages += 1
    assert (found, pages) == ([5, 4, 3, 2, 1], 3)


async def test_a_wrong_cursor_or_limit_names_the_field(client: httpx.AsyncClient) -> None:
    for params in ({"cursor": "x"}, {"cursor": "0"}, {"limit": "0"}, {"limit": "201"}, {"cursor": "9" * 30}):
        response = await client.get("/api/notifications", params=params)
        assert response.status_code == 422
        assert set(response.json()["error"]["fields"]) == set(params)


async def test_without_the_database_requests_are_told_to_come_back_and_nothing_is_lost(
    notifier: LocalStack, client: httpx.AsyncClient, connect: Connect, publisher: Publisher, user_id: str
) -> None:
    await tell(publisher, client, user_id, 1)
    async with listening(client) as heard:
        await notifier.kill("notifier-db")
        try:
            await publisher.publish(Video(user_id).failed())
            await until(lambda: _is_ready(client, 503))
            newcomer = connect("newcomer")
            for path in ("/api/notifications", "/api/notifications/stream"):
                response = await newcomer.get(path)
                assert (response.status_code, response.json()["error"]["code"]) == (503, "UNAVAILABLE")
                assert response.headers["retry-after"]
        finally:
            await notifier.start("notifier-db")
        await until(lambda: _is_ready(client, 200))
        await until(lambda: seqs(heard) == [2], within_seconds=40)


async def test_without_kafka_streams_stay_open_and_what_was_stored_is_told(
    notifier: LocalStack, client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    await tell(publisher, client, user_id, 1)
    notifier.pause("kafka")
    try:
        await until(lambda: _is_ready(client, 503), within_seconds=40)
        async with listening(client, 0) as heard:
            assert seqs(heard) == [1]
            assert (await client.get("/health/live")).status_code == 200
    finally:
        notifier.resume("kafka")
    await until(lambda: _is_ready(client, 200), within_seconds=40)
    await asyncio.wait_for(publisher.publish(Video(user_id).failed()), 30)
    await until(lambda: has_told(client, 2), within_seconds=40)


async def test_what_it_hears_and_says_is_served(client: httpx.AsyncClient) -> None:
    document = (await client.get("/asyncapi.json")).json()
    assert document["asyncapi"].startswith("3.")
    assert {"NotificationCreated", "NotificationPassed"} <= document["channels"].keys()
    exposition = (await client.get("/metrics")).text
    for series in ("reelway_streams ", "reelway_notifications_stored_total", "reelway_stream_events_total"):
        assert series in exposition


async def _is_ready(client: httpx.AsyncClient, status: int) -> bool:
    return (await client.get("/health/ready")).status_code == status

"""Live streams: where they begin, what they replay, how they end."""

import asyncio
import contextlib
import socket
from typing import Any

import httpx
import pytest
from pymongo.asynchronous.database import AsyncDatabase

from deploy.local.stack import LocalStack
from shared.contracts.events import NotificationPassed
from shared.contracts.wire import utc_now
from tests.integration.eyes import CUT_OFF
from tests.integration.notifier.conftest import Connect
from tests.integration.notifier.partners import Listener, Publisher, Video, listening
from tests.waiting import until

Database = AsyncDatabase[dict[str, Any]]


async def newest(client: httpx.AsyncClient) -> int:
    found = (await client.get("/api/notifications?limit=1")).json()["data"]["notifications"]
    return found[0]["seq"] if found else 0


async def has_told(client: httpx.AsyncClient, seq: int) -> bool:
    return await newest(client) >= seq


async def tell(publisher: Publisher, client: httpx.AsyncClient, user_id: str, count: int) -> None:
    """Have `count` more notifications stored."""
    expected = await newest(client) + count
    await publisher.publish(*(Video(user_id).failed() for _ in range(count)))
    await until(lambda: has_told(client, expected))


def seqs(heard: Listener) -> list[int]:
    return [update["seq"] for update in heard.stored]


async def test_a_first_connection_begins_with_what_is_newest(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    await tell(publisher, client, user_id, 2)
    async with listening(client) as heard:
        assert heard.named("ready")[0].id == "2"
        await publisher.publish(Video(user_id).failed())
        await until(lambda: seqs(heard) == [3])


async def test_a_client_resumes_after_its_last_id(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    await tell(publisher, client, user_id, 5)
    async with listening(client, 2) as heard:
        assert seqs(heard) == [3, 4, 5]
        assert heard.named("ready")[0].id == "5"
    async with listening(client, lastEventId="3") as heard:
        assert seqs(heard) == [4, 5]
    async with listening(client, 5, lastEventId="3") as heard:
        assert seqs(heard) == [], "the header is newer than the address"
        await publisher.publish(Video(user_id).failed())
        await until(lambda: seqs(heard) == [6])
    async with listening(client, 0) as heard:
        assert seqs(heard) == [1, 2, 3, 4, 5, 6]


async def test_a_kill_loses_and_repeats_nothing(
    notifier: LocalStack, client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    """Events flow all the while; the client comes back with its last id, as browsers do."""
    videos = [Video(user_id) for _ in range(6)]
    story = [event for video in videos for event in (video.transferring(), video.ready())]
    heard_before = Listener()
    async with listening(client, 0) as heard:
        await publisher.publish(*story[:8])
        await until(lambda: len(heard.stored) >= 3)
        await notifier.kill("notifier")
        await until(lambda: heard.ended)
        heard_before = heard
    await publisher.publish(*story[8:])
    await notifier.start("notifier")
    async with listening(client, heard_before.last_id) as heard:
        await until(lambda: len(heard_before.stored) + len(heard.stored) >= len(story), within_seconds=60)
        both = heard_before.stored + heard.stored
    assert [update["seq"] for update in both] == list(range(1, len(story) + 1))
    for video in videos:
        types = [update["type"] for update in both if update["videoId"] == video.video_id]
        assert types == ["download", "complete"]


async def test_every_replica_reaches_its_own_listeners(
    client: httpx.AsyncClient, connect: Connect, replica: str, publisher: Publisher, user_id: str
) -> None:
    other = connect(user_id, url=replica)
    videos = [Video(user_id) for _ in range(8)]
    async with listening(client) as here, listening(other) as there, listening(other) as second_tab:
        for video in videos:
            await publisher.publish(video.transferring(), video.ready())
        await until(lambda: len(here.stored) == len(there.stored) == len(second_tab.stored) == 16)
        assert here.stored == there.stored == second_tab.stored
        assert seqs(here) == list(range(1, 17))
        await publisher.publish(*videos[0].story(), *videos[1].story())
        await publisher.publish(Video(user_id).failed())
        await until(lambda: len(here.stored) == len(there.stored) == 17)


@pytest.mark.parametrize(
    "last_event_id",
    ["99", "-1", "abc", "1.5", "9" * 40, "0" * 5000, "\u00b2"],
    ids=["future", "negative", "word", "fraction", "huge", "too-long-for-int", "superscript"],
)
async def test_an_id_nobody_gave_out_is_answered_with_a_reset(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str, last_event_id: str
) -> None:
    await tell(publisher, client, user_id, 2)
    async with listening(client, lastEventId=last_event_id) as heard:
        (reset,) = heard.named("reset")
        assert reset.data["reason"] == "unknown-id"
        assert reset.id == "2"
        assert [one["seq"] for one in reset.data["notifications"]] == [1, 2]
        assert heard.stored == []
        await publisher.publish(Video(user_id).failed())
        await until(lambda: seqs(heard) == [3])


async def test_more_than_can_be_replayed_is_a_reset_with_the_newest_of_each_video(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    videos = [Video(user_id) for _ in range(7)]
    for video in videos:
        expected = await newest(client) + 2
        await publisher.publish(video.transferring(), video.ready())
        await until(lambda expected=expected: has_told(client, expected))  # type: ignore[misc]
    async with listening(client, 1) as heard:
        (reset,) = heard.named("reset")
        assert (reset.data["reason"], reset.id) == ("too-many", "14")
        shown = reset.data["notifications"]
    assert [(one["videoId"], one["type"]) for one in shown] == [(video.video_id, "complete") for video in videos[-3:]]
    async with listening(client, 2) as heard:
        assert seqs(heard) == list(range(3, 15)), "twelve can be"


async def test_history_that_expired_is_a_reset(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str, database: Database
) -> None:
    await tell(publisher, client, user_id, 5)
    await database["notifications"].delete_many({"userId": user_id, "seq": {"$lte": 3}})
    async with listening(client, 1) as heard:
        (reset,) = heard.named("reset")
        assert (reset.data["reason"], reset.id) == ("expired", "5")
        assert [one["seq"] for one in reset.data["notifications"]] == [4, 5]
    async with listening(client, 3) as heard:
        assert seqs(heard) == [4, 5], "what this client misses is all there"
    await database["notifications"].delete_many({"userId": user_id})
    async with listening(client, 1) as heard:
        (reset,) = heard.named("reset")
        assert (reset.data["notifications"], reset.id) == ([], "5")
        await publisher.publish(Video(user_id).failed())
        await until(lambda: seqs(heard) == [6])


async def test_a_notification_whose_wake_up_was_lost_is_found(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str, database: Database
) -> None:
    await tell(publisher, client, user_id, 1)
    first = await database["notifications"].find_one({"userId": user_id})
    assert first is not None
    async with listening(client) as heard:
        lost = {**first, "_id": f"{user_id}/000000000002", "seq": 2, "source": f"lost/{user_id}"}
        await database["notifications"].insert_one(lost)
        head = await database["heads"].find_one({"_id": user_id})
        assert head is not None
        await database["heads"].update_one({"_id": user_id}, {"$set": {"last": 2, "movedAt": utc_now()}})
        await until(lambda: seqs(heard) == [2])


async def test_silence_is_filled_with_heartbeats(client: httpx.AsyncClient) -> None:
    async with listening(client) as heard:
        await until(lambda: heard.comments >= 2)
        assert heard.events[1:] == []


async def test_a_stream_ends_with_its_token_and_says_so_before(connect: Connect, user_id: str) -> None:
    async with listening(connect(user_id, seconds=5)) as heard:
        await until(lambda: heard.named("auth-expiring"))
        assert heard.named("auth-expiring")[0].id is None
        assert 0 < heard.named("auth-expiring")[0].data["inSeconds"] <= 3
        assert not heard.ended
        await until(lambda: heard.ended)
    assert len(heard.named("auth-expiring")) == 1


async def test_a_user_may_have_so_many_tabs_and_no_more(client: httpx.AsyncClient, connect: Connect) -> None:
    async with contextlib.AsyncExitStack() as tabs:
        for _ in range(5):
            await tabs.enter_async_context(listening(client))
        refused = await client.get("/api/notifications/stream")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "TOO_MANY_STREAMS")
        assert refused.headers["retry-after"] == "10"
        async with listening(connect("somebody-else")):
            pass
    await until(lambda: _opens(client))


async def _opens(client: httpx.AsyncClient) -> bool:
    async with client.stream("GET", "/api/notifications/stream") as response:
        return response.status_code == 200


class Sleeper:
    """A client that opens a stream and does not read it, over a socket with a small buffer."""

    def __init__(self, url: str, token: str, last_event_id: int | None = None) -> None:
        host, port = httpx.URL(url).host, httpx.URL(url).port
        assert port is not None
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(20)
        self._socket.connect((host, port))
        lines = [
            "GET /api/notifications/stream HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {token}",
            *([] if last_event_id is None else [f"Last-Event-ID: {last_event_id}"]),
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        assert b"200 OK" in self._socket.recv(15)

    def read_to_the_end(self) -> bytes:
        chunks = []
        with contextlib.suppress(ConnectionResetError):
            while chunk := self._socket.recv(1 << 20):
                chunks.append(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        self._socket.close()


async def test_a_slow_reader_is_cut_and_nobody_waits_for_it(
    notifier: LocalStack, client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    cut = 'reelway_streams_cut_total{reason="slow"}'
    before = await metric(client, cut)
    async with listening(client) as heard:
        token = client.headers["authorization"].removeprefix("Bearer ")
        sleeper = await asyncio.to_thread(Sleeper, notifier.url("notifier"), token)
        try:
            payload = {"type": "rendering", "message": "x" * 400_000, "videoId": "v", "before": 1050}
            for number in range(60):
                await publisher.publish(NotificationPassed(id=str(number), user_id=user_id, payload=payload))
            await until(lambda: len(heard.updates) == 60, within_seconds=40)
            await until(lambda: _grew(client, cut, before))
            received = await asyncio.to_thread(sleeper.read_to_the_end)
        finally:
            sleeper.close()
        assert len(received) < 60 * 400_000
        await publisher.publish(Video(user_id).failed())
        await until(lambda: seqs(heard) == [1])


async def metric(client: httpx.AsyncClient, series: str) -> float:
    for line in (await client.get("/metrics")).text.splitlines():
        if line.startswith(f"{series} "):
            return float(line.split()[-1])
    return 0.0


async def _grew(client: httpx.AsyncClient, series: str, before: float) -> bool:
    return await metric(client, series) > before


async def test_streams_that_go_are_counted_off(client: httpx.AsyncClient) -> None:
    await until(lambda: _is(client, "reelway_streams", 0))
    async with listening(client), listening(client):
        assert await metric(client, "reelway_streams") == 2
    await until(lambda: _is(client, "reelway_streams", 0))


async def _is(client: httpx.AsyncClient, series: str, expected: float) -> bool:
    return await metric(client, series) == expected


async def test_a_stop_tells_every_stream_and_is_quick(notifier: LocalStack, connect: Connect) -> None:
    async with contextlib.AsyncExitStack() as open_streams:
        listeners = []
        for number in range(100):
            if number % 5 == 0:
                client = connect(f"listener-{number}")
            listeners.append(await open_streams.enter_async_context(listening(client)))
        await notifier.stop("notifier")
        await until(lambda: all(listener.ended for listener in listeners))
        assert all(listener.named("reconnect") for listener in listeners)
        assert len({listener.retry_ms for listener in listeners}) > 1, "they do not all come back at once"
        assert notifier.children["notifier"].exit_code() == 0
        assert CUT_OFF not in notifier.site.log("notifier").read_text()
    await notifier.start("notifier")

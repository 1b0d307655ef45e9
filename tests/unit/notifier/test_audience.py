"""Streams of one user: nothing twice, nothing left out, whatever happens in between."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from services.notifier.audience import Audience, StoppingError, TooManyStreamsError
from services.notifier.settings import NotifierSettings
from services.notifier.stream import Stream
from shared.wiring.metrics import Metrics
from tests.unit.notifier.fake_store import FakeStore, notification
from tests.waiting import until

LATER = datetime.now(UTC) + timedelta(hours=1)


class Listening:
    """One stream, read by a task into memory."""

    def __init__(self, audience: Audience, stream: Stream, channel: Any, last_event_id: str | None) -> None:
        self.stream = stream
        self.raw = b""
        self._frames = audience.frames(stream, channel, last_event_id)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for chunk in self._frames:
            self.raw += chunk

    @property
    def seqs(self) -> list[int]:
        blocks = [
            block.split("\n") for block in self.raw.decode().split("\n\n") if "event: video-download-update" in block
        ]
        return [json.loads(block[-1].removeprefix("data: "))["seq"] for block in blocks]

    @property
    def is_live(self) -> bool:
        return b"event: ready" in self.raw


class House:
    """An audience over a store in memory."""

    def __init__(self, count: int = 0, **settings: Any) -> None:
        self.store = FakeStore(count)
        self.metrics = Metrics()
        self.audience = Audience(self.store, self.metrics, NotifierSettings(**settings))

    async def listen(self, last_event_id: str | None = None, user_id: str = "u") -> Listening:
        stream, channel = await self.audience.join(user_id, LATER)
        return Listening(self.audience, stream, channel, last_event_id)

    def tell(self) -> None:
        self.audience.give(self.store.add())


async def test_what_is_next_goes_straight_to_every_stream_without_a_query() -> None:
    house = House()
    tabs = [await house.listen() for _ in range(3)]
    await until(lambda: all(tab.is_live for tab in tabs))
    reads = house.store.reads
    for _ in range(5):
        house.tell()
    await until(lambda: all(tab.seqs == [1, 2, 3, 4, 5] for tab in tabs))
    assert house.store.reads == reads


async def test_more_tabs_of_a_user_cost_no_query_while_nothing_is_missing() -> None:
    house = House(3)
    first = await house.listen()
    await until(lambda: first.is_live)
    reads = house.store.reads
    second, third = await house.listen(), await house.listen("3")
    await until(lambda: second.is_live and third.is_live)
    assert house.store.reads == reads


async def test_what_is_stored_while_a_stream_catches_up_comes_once_and_in_order() -> None:
    house = House(5)
    first = await house.listen()
    await until(lambda: first.is_live)
    house.store.gate.clear()
    late = await house.listen("2")
    await asyncio.sleep(0)
    for _ in range(3):
        house.tell()
    assert not late.is_live
    house.store.gate.set()
    house.tell()
    await until(lambda: late.seqs == [3, 4, 5, 6, 7, 8, 9])
    assert first.seqs == [6, 7, 8, 9]


async def test_what_is_stored_while_a_channel_opens_is_not_missed() -> None:
    house = House(5)
    house.store.gate.clear()
    joining = asyncio.create_task(house.listen("5"))
    await until(lambda: house.store.reads == 1)
    house.tell()
    house.tell()
    house.store.gate.set()
    listening = await joining
    await until(lambda: listening.seqs == [6, 7])


async def test_a_wake_up_from_elsewhere_is_read_from_the_database_once() -> None:
    house = House()
    tabs = [await house.listen() for _ in range(3)]
    await until(lambda: all(tab.is_live for tab in tabs))
    reads = house.store.reads
    for _ in range(4):
        house.store.add()
    for seq in (1, 2, 4, 3, 4):
        house.audience.wake("u", seq)
    await until(lambda: all(tab.seqs == [1, 2, 3, 4] for tab in tabs))
    assert house.store.reads <= reads + 2


async def test_a_gap_in_what_is_given_is_filled_from_the_database() -> None:
    house = House()
    tab = await house.listen()
    await until(lambda: tab.is_live)
    house.store.add()
    house.store.add()
    house.tell()  # number 3, while 1 and 2 were stored by another replica whose wake-up was lost
    await until(lambda: tab.seqs == [1, 2, 3])


async def test_a_repeated_or_false_wake_up_tells_nothing() -> None:
    house = House(2)
    tab = await house.listen()
    await until(lambda: tab.is_live)
    house.audience.wake("u", 1)
    house.audience.wake("u", 1_000_000)
    house.audience.give(notification(1))
    await until(lambda: house.store.reads >= 3)
    house.tell()
    await until(lambda: tab.seqs == [3])
    assert not tab.stream.ended


async def test_a_hole_that_opened_under_live_streams_ends_them_so_that_they_are_told() -> None:
    house = House(1)
    tab = await house.listen()
    await until(lambda: tab.is_live)
    house.store.add()
    house.store.add()
    del house.store.kept[2]
    house.audience.wake("u", 3)
    await until(lambda: tab.stream.ended)
    assert tab.seqs == []
    again = await house.listen("1")
    await until(lambda: again.is_live)
    assert b'event: reset\ndata: {"reason":"expired"' in again.raw


async def test_a_database_that_goes_away_during_a_replay_ends_the_stream_cleanly() -> None:
    house = House(5)
    first = await house.listen()
    await until(lambda: first.is_live)
    house.store.away = True
    tab = await house.listen("1")
    await asyncio.wait_for(tab.task, 5)
    assert not tab.is_live
    house.store.add()
    house.audience.wake("u", 6)
    house.store.away = False
    house.audience.wake("u", 6)
    await until(lambda: first.seqs == [6])


async def test_a_database_that_is_away_refuses_who_joins_and_forgets_them() -> None:
    house = House(5)
    house.store.away = True
    with pytest.raises(AutoReconnect):
        await house.listen()
    house.store.away = False
    tab = await house.listen("4")
    await until(lambda: tab.seqs == [5])
    assert b"reelway_streams 1.0" in house.metrics.render()


async def test_a_full_queue_cuts_its_stream_and_no_other() -> None:
    house = House(stream_queue=3)
    quick = await house.listen()
    await until(lambda: quick.is_live)
    stream, channel = await house.audience.join("u", LATER)
    frames = house.audience.frames(stream, channel, None)
    while not stream.live:
        await anext(frames)
    for _ in range(4):
        house.tell()
        await asyncio.sleep(0)
    assert stream.ended
    house.tell()
    await until(lambda: quick.seqs == [1, 2, 3, 4, 5])
    assert b'reelway_streams_cut_total{reason="slow"} 1.0' in house.metrics.render()
    await frames.aclose()


async def test_limits_per_user_and_none_after_the_stop() -> None:
    house = House(streams_per_user=2)
    first, _ = await house.listen(), await house.listen()
    with pytest.raises(TooManyStreamsError):
        await house.listen()
    await house.listen(user_id="other")
    house.audience.stop()
    with pytest.raises(StoppingError):
        await house.listen(user_id="third")
    await asyncio.wait_for(first.task, 5)
    assert first.raw.endswith(b"event: reconnect\ndata: {}\n\n")


async def test_progress_does_not_follow_the_end_it_belongs_before() -> None:
    house = House()
    tab = await house.listen()
    await until(lambda: tab.is_live)
    channel = house.audience.channel("u")
    assert channel is not None
    channel.pass_on(b"early\n\n", "transfer", "v1", 1090)
    house.audience.give(notification(1, video_id="v1", order=1095))
    channel.pass_on(b"late\n\n", "transfer", "v1", 1090)
    channel.pass_on(b"other\n\n", "transfer", "v2", 1090)
    await until(lambda: b"other" in tab.raw)
    assert b"early" in tab.raw
    assert b"late" not in tab.raw


async def test_who_leaves_takes_their_channel_along() -> None:
    house = House(1)
    stream, channel = await house.audience.join("u", LATER)
    house.audience.leave(stream, channel)
    house.audience.leave(stream, channel)
    assert house.audience.channel("u") is None
    assert b"reelway_streams 0.0" in house.metrics.render()

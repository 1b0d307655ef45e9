"""Numbers without gap or repeat, however many replicas write at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from deploy.local.stack import LocalStack
from services.notifier import domain
from services.notifier.domain import News
from services.notifier.store import Store
from shared.contracts.cloudevents import Record
from shared.contracts.wire import utc_now
from shared.delivery.outbox import Outbox
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import Mongo
from tests.integration.notifier.partners import Video
from tests.waiting import until


async def _published(record: Record) -> None:
    assert record.topic == "notifications"


@pytest.fixture
async def mongo(notifier: LocalStack) -> AsyncIterator[Mongo]:
    mongo = Mongo(notifier.url("notifier-db"), f"store_{uuid4().hex[:8]}", Metrics())
    yield mongo
    await mongo.close()


@pytest.fixture
async def replicas(mongo: Mongo) -> list[Store]:
    """Three stores over one database, as three processes have them."""
    outbox: Callable[..., Any] = partial(Outbox, publish=_published, source="notifier", metrics=Metrics())
    stores = [Store(mongo.database, outbox, timedelta(days=30)) for _ in range(3)]
    await stores[0].prepare()
    return stores


def failed(user_id: str, video_id: str = "", attempt: int = 1) -> News:
    return domain.failed(Video(user_id, video_id, attempt).failed())


async def test_replicas_number_without_gap_or_repeat(replicas: list[Store], user_id: str) -> None:
    news = [failed(user_id) for _ in range(12)]
    stored = await asyncio.gather(*(store.append(one) for one in news for store in replicas))
    told = sorted((one.seq, one.video_id) for one in stored if one is not None)
    assert [seq for seq, _ in told] == list(range(1, 13))
    assert {video_id for _, video_id in told} == {one.video_id for one in news}
    kept = await replicas[0].between(user_id, 0, 100)
    assert [(one.seq, one.video_id) for one in kept] == told
    assert await replicas[1].last_seq(user_id) == 12


async def test_of_two_ends_that_race_one_is_told(replicas: list[Store], user_id: str) -> None:
    for number in range(8):
        video = Video(user_id, f"{user_id}_{number}")
        ends = [domain.failed(video.failed()), domain.failed(video.workflow_failed())]
        stored = await asyncio.gather(*(store.append(end) for end in ends for store in replicas))
        assert sum(one is not None for one in stored) == 1


async def test_a_download_never_stands_after_the_end_it_raced_with(replicas: list[Store], user_id: str) -> None:
    for number in range(8):
        video = Video(user_id, f"{user_id}_{number}")
        download = domain.download_started(video.transferring())
        assert download is not None
        await asyncio.gather(replicas[0].append(download), replicas[1].append(domain.failed(video.failed())))
    orders: dict[str, list[int]] = {}
    for one in await replicas[0].between(user_id, 0, 100):
        orders.setdefault(one.video_id, []).append(one.order)
    assert len(orders) == 8
    assert all(found == sorted(set(found)) and found[-1] == 1090 for found in orders.values())


async def test_an_event_is_known_by_its_source_even_where_its_order_says_nothing(
    replicas: list[Store], user_id: str
) -> None:
    news = failed(user_id)
    assert await replicas[0].append(news) is not None
    assert await replicas[0].append(replace(news, video_id="another", order=5000)) is None


async def test_numbers_go_on_when_everything_told_has_expired(
    replicas: list[Store], mongo: Mongo, user_id: str
) -> None:
    for _ in range(3):
        stored = await replicas[0].append(failed(user_id))
        assert stored is not None
        await replicas[0].move_head(user_id, stored.seq)
    await mongo.database["notifications"].delete_many({})
    stored = await replicas[1].append(failed(user_id))
    assert stored is not None
    assert stored.seq == 4


async def test_a_head_that_fell_behind_in_a_crash_is_no_harm(replicas: list[Store], user_id: str) -> None:
    for _ in range(3):
        await replicas[0].append(failed(user_id))  # and the head is never moved
    assert await replicas[1].last_seq(user_id) == 3
    stored = await replicas[1].append(failed(user_id))
    assert stored is not None
    assert stored.seq == 4


async def test_a_head_never_moves_back_and_shows_who_moved(replicas: list[Store], user_id: str) -> None:
    before = utc_now() - timedelta(seconds=1)
    await asyncio.gather(*(store.move_head(user_id, seq) for seq, store in zip((5, 7, 6), replicas, strict=True)))
    assert await replicas[0].moved_since(before) == [(user_id, 7)]
    assert await replicas[0].moved_since(utc_now() + timedelta(minutes=1)) == []


async def test_every_query_has_its_index_and_news_that_was_told_has_an_end(replicas: list[Store], mongo: Mongo) -> None:
    indexes = await mongo.database["notifications"].index_information()
    assert {"source_1", "videoId_1", "_id_"} <= indexes.keys()
    assert indexes["source_1"]["unique"]
    await replicas[0].append(failed("u"))
    told = {"userId": "u", "expiresAt": {"$exists": True}}
    kept = await until(lambda: mongo.database["notifications"].find_one(told), "the wake-up published")
    assert timedelta(days=30) <= kept["expiresAt"] - kept["createdAt"] < timedelta(days=30, minutes=1)


async def test_the_running_service_lets_old_news_expire(database: AsyncDatabase[dict[str, Any]]) -> None:
    indexes = await database["notifications"].index_information()
    assert indexes["expiresAt_1"]["expireAfterSeconds"] == 0

"""Leased jobs: one worker at a time, taken over from the dead, and a worker thought dead changes nothing."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest
from pymongo.errors import AutoReconnect

from deploy.local.stack import LocalStack
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease, LeaseLostError, new_job
from shared.delivery.workers import Workers
from shared.wiring.metrics import Metrics
from tests.integration.shared.conftest import Collection, Document
from tests.integration.shared.jobs import LEASE, has, state, workers, working
from tests.waiting import until


async def test_due_work_is_done_once_however_many_look(collection: Collection) -> None:
    async def work(lease: Lease) -> None:
        await lease.finish({"$inc": {"done": 1}})

    replicas = [workers(collection, work) for _ in range(3)]
    await replicas[0].ensure_indexes()
    await collection.insert_many([{"_id": str(n), "job": new_job("x")} for n in range(12)])
    await collection.insert_one({"_id": "later", "job": new_job("x", due_at=utc_now() + timedelta(hours=1))})
    async with working(*replicas):
        await until(lambda: _done(collection, 12))
    assert [d["done"] async for d in collection.find({"job": {"$exists": False}})] == [1] * 12
    assert "done" not in await state(collection, "later")


async def test_while_nothing_may_begin_due_jobs_stay_as_they_are(collection: Collection) -> None:
    """Jobs that were begun only to be put off kept the database from what they waited for."""
    refused, may_begin = 0, False

    def begins() -> bool:
        nonlocal refused
        refused += not may_begin
        return may_begin

    async def work(lease: Lease) -> None:
        await lease.finish({"$inc": {"done": 1}})

    await collection.insert_one({"_id": "a", "job": new_job("x")})
    before = await state(collection)
    async with working(workers(collection, work, may_begin=begins)):
        await until(lambda: refused > 10)
        assert await state(collection) == before
        may_begin = True
        await until(has(collection, done=1))


async def _done(collection: Collection, count: int) -> bool:
    return await collection.count_documents({"done": {"$exists": True}}) == count


async def test_work_that_fails_is_done_again_and_its_tries_are_counted(collection: Collection) -> None:
    tries: list[int] = []

    async def work(lease: Lease) -> None:
        tries.append(lease.tries)
        if len(tries) < 3:
            raise ConnectionError("n8n is away")
        await lease.finish({"$set": {"done": True}})

    await collection.insert_one({"_id": "a", "job": new_job("x", source="kept")})
    async with working(workers(collection, work)):
        await until(has(collection, done=True))
    assert tries == [1, 2, 3]
    assert "job" not in await state(collection)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ConnectionError("n8n is away"), "failed"), (AutoReconnect("database is away"), "interrupted")],
)
async def test_a_database_that_is_away_is_no_failure_of_the_job(
    collection: Collection, error: Exception, outcome: str
) -> None:
    async def work(lease: Lease) -> None:
        if lease.tries == 1:
            raise error
        await lease.finish({"$set": {"done": True}})

    metrics = Metrics()
    await collection.insert_one({"_id": "a", "job": new_job("x")})
    async with working(workers(collection, work, metrics=metrics)):
        await until(has(collection, done=True))
    assert metrics.registry.get_sample_value("reelway_jobs_total", {"kind": "x", "outcome": outcome}) == 1


async def test_a_job_hands_over_to_the_next_or_comes_again(collection: Collection) -> None:
    seen: list[tuple[str, int, object]] = []

    async def work(lease: Lease) -> None:
        seen.append((lease.kind, lease.tries, lease.document["job"].get("extra")))
        if lease.kind == "second":
            await lease.finish({"$set": {"done": True}})
        elif lease.tries == 1:
            await lease.again(timedelta(0), {"$set": {"again": True}})
        else:
            await lease.hand_over(new_job("second", extra=2), {"$set": {"handed": True}})

    await collection.insert_one({"_id": "a", "job": new_job("first", extra=1)})
    async with working(workers(collection, work)):
        await until(has(collection, done=True, again=True, handed=True))
    assert seen == [("first", 1, 1), ("first", 2, 1), ("second", 1, 2)]


async def test_no_more_than_the_agreed_number_works_at_once(collection: Collection) -> None:
    running, most = 0, 0

    async def work(lease: Lease) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        await lease.finish({"$set": {"done": True}})

    await collection.insert_many([{"_id": str(n), "job": new_job("x")} for n in range(12)])
    pool = Workers(collection, work, metrics=Metrics(), concurrency=2, lease=LEASE, poll_every=timedelta(seconds=0.05))
    async with working(pool):
        await until(lambda: _done(collection, 12))
    assert most == 2


async def test_what_has_no_room_beside_the_others_waits_and_lets_others_pass(collection: Collection) -> None:
    """Of the jobs of one owner only one at a time, also where all places are free and theirs come first."""
    running: list[str] = []
    most_of_ann = 0
    ben_done = asyncio.Event()

    async def work(lease: Lease) -> None:
        nonlocal most_of_ann
        running.append(lease.document["owner"])
        most_of_ann = max(most_of_ann, running.count("ann"))
        if lease.document["owner"] == "ben":
            ben_done.set()
        await ben_done.wait()
        running.remove(lease.document["owner"])
        await lease.finish({"$set": {"done": True}})

    def room(documents: Iterable[Document]) -> Document:
        return {"owner": {"$nin": [document["owner"] for document in documents]}}

    ids = [("ann", number) for number in range(11)] + [("ben", 11)]
    await collection.insert_many([{"_id": str(n), "owner": owner, "job": new_job("x")} for owner, n in ids])
    pool = Workers(collection, work, metrics=Metrics(), lease=LEASE, poll_every=timedelta(seconds=0.05), room=room)
    async with working(pool):
        await until(lambda: _done(collection, 12))
    assert most_of_ann == 1


async def test_a_new_job_fences_off_the_worker_of_the_old_one(collection: Collection) -> None:
    """A handler that cancels or deletes replaces the job; whoever held the old one is stopped and writes nothing."""
    began, stopped = asyncio.Event(), asyncio.Event()
    leases: list[Lease] = []

    async def work(lease: Lease) -> None:
        if lease.kind == "erase":
            await lease.finish({"$set": {"erased": True}})
            return
        leases.append(lease)
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    await collection.insert_one({"_id": "a", "job": new_job("transfer")})
    async with working(workers(collection, work)):
        await asyncio.wait_for(began.wait(), 10)
        await collection.update_one({"_id": "a"}, {"$set": {"job": new_job("erase")}})
        await asyncio.wait_for(stopped.wait(), 10)
        with pytest.raises(LeaseLostError):
            await leases[0].finish({"$set": {"done": True}})
        await until(has(collection, erased=True))
    assert "done" not in await state(collection)


async def test_a_removed_document_stops_its_worker(collection: Collection) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def work(lease: Lease) -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    await collection.insert_one({"_id": "a", "job": new_job("x")})
    async with working(workers(collection, work)):
        await asyncio.wait_for(began.wait(), 10)
        await collection.delete_one({"_id": "a"})
        await asyncio.wait_for(stopped.wait(), 10)


async def test_a_long_job_is_left_alone_while_its_worker_beats(collection: Collection) -> None:
    began: list[int] = []
    lasts = timedelta(seconds=3)

    async def work(lease: Lease) -> None:
        began.append(lease.tries)
        await asyncio.sleep(2.5 * lasts.total_seconds())
        await lease.finish({"$set": {"done": True}})

    await collection.insert_one({"_id": "a", "job": new_job("x")})
    async with working(*(workers(collection, work, lease=lasts) for _ in range(2))):
        await until(has(collection, done=True))
    assert began == [1]


async def test_a_frozen_database_costs_the_lease_and_not_the_job(collection: Collection, core: LocalStack) -> None:
    tries: list[int] = []
    began = asyncio.Event()

    async def work(lease: Lease) -> None:
        tries.append(lease.tries)
        began.set()
        if lease.tries == 1:
            await asyncio.sleep(60)
        await lease.finish({"$inc": {"done": 1}})

    await collection.insert_one({"_id": "a", "job": new_job("x")})
    async with working(workers(collection, work)):
        await asyncio.wait_for(began.wait(), 10)
        core.pause("media-db")
        try:
            await asyncio.sleep(2 * LEASE.total_seconds())
        finally:
            core.resume("media-db")
        await until(has(collection, done=1))
    assert tries[0] == 1
    assert len(tries) == 2


async def test_jobs_that_wait_and_jobs_that_are_held_for_long_are_seen(collection: Collection) -> None:
    release = asyncio.Event()

    async def work(lease: Lease) -> None:
        await release.wait()
        await lease.finish()

    metrics = Metrics()
    pool = Workers(collection, work, metrics=metrics, concurrency=1, poll_every=timedelta(seconds=0.1))
    long_ago = utc_now() - timedelta(hours=1)
    await collection.insert_one({"_id": "later", "job": new_job("x", due_at=utc_now() + timedelta(hours=1))})
    await collection.insert_one({"_id": "held", "job": new_job("x", due_at=long_ago - timedelta(hours=1))})
    await collection.insert_one({"_id": "waits", "job": new_job("x", due_at=long_ago)})

    def age(name: str) -> float:
        return (
            metrics.registry.get_sample_value(f"reelway_jobs_{name}_oldest_seconds", {"collection": collection.name})
            or 0
        )

    async with working(pool):
        await until(lambda: 3600 <= age("due") < 3700)
        await collection.update_one({"_id": "held"}, {"$set": {"job.leasedAt": long_ago}})
        await until(lambda: 3600 <= age("leased") < 3700)
        release.set()
        await until(lambda: age("due") == age("leased") == 0)

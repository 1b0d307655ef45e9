"""A stop leaves no lease behind: what is nearly done is finished, the rest is given back for others to take at once."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection

from deploy.local.stack import LocalStack
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease, new_job
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import SERVER_SELECTION_SECONDS
from shared.wiring.stop_time import StopTime
from tests.integration.shared.conftest import Collection
from tests.integration.shared.jobs import has, state, workers, working
from tests.integration.shared.test_outbox import Broker, event, relay, sweeping
from tests.waiting import until


async def test_a_stop_gives_jobs_back_for_others_to_take_at_once(collection: Collection) -> None:
    began = asyncio.Event()
    first_time = True

    async def work(lease: Lease) -> None:
        nonlocal first_time
        if first_time:
            first_time = False
            began.set()
            await asyncio.sleep(60)
        await lease.finish({"$set": {"done": True}})

    await collection.insert_one({"_id": "a", "job": new_job("x")})
    hour = timedelta(hours=1)
    async with working(workers(collection, work, grace=timedelta(seconds=0.1), lease=hour)):
        await asyncio.wait_for(began.wait(), 10)
    job = (await state(collection))["job"]
    assert "token" not in job
    assert job["dueAt"] <= utc_now()
    async with working(workers(collection, work, lease=hour)):
        await until(has(collection, done=True))


async def test_a_stop_lets_what_is_nearly_done_finish(collection: Collection) -> None:
    began = asyncio.Event()

    async def work(lease: Lease) -> None:
        began.set()
        await asyncio.sleep(0.3)
        await lease.finish({"$set": {"done": True}})

    await collection.insert_one({"_id": "a", "job": new_job("x")})
    async with working(workers(collection, work)):
        await asyncio.wait_for(began.wait(), 10)
    assert (await state(collection))["done"]


@pytest.fixture
def claimed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set as soon as a write has reached the database; its answer is on its way for a moment longer."""
    written = asyncio.Event()
    update_one = AsyncCollection.update_one

    async def slow(self: Collection, *args: Any, **options: Any) -> object:
        result = await update_one(self, *args, **options)
        written.set()
        await asyncio.sleep(0.1)
        return result

    monkeypatch.setattr(AsyncCollection, "update_one", slow)
    return written


@pytest.mark.parametrize("dead", [False, True], ids=["due", "of-a-dead-worker"])
async def test_a_stop_that_meets_a_claim_leaves_no_lease_behind(
    collection: Collection, claimed: asyncio.Event, dead: bool
) -> None:
    """The job waited until its lease was over, and passed for one of a dead worker. Nor is it begun: it may cost."""
    began: list[int] = []

    async def work(lease: Lease) -> None:
        began.append(lease.tries)
        await lease.finish()

    job = new_job("x")
    if dead:
        del job["dueAt"]
        job |= {"token": "dead", "beat": 7, "leasedAt": utc_now()}
    await collection.insert_one({"_id": "a", "job": job})
    async with working(workers(collection, work)):
        await asyncio.wait_for(claimed.wait(), 10)
    assert began == []
    job = (await state(collection))["job"]
    assert "token" not in job
    assert job["dueAt"] <= utc_now()


async def test_from_the_signal_on_no_job_is_begun(collection: Collection) -> None:
    """While the server ends its requests, jobs were still begun that the stop then cut off."""
    began: list[object] = []

    async def work(lease: Lease) -> None:
        began.append(lease.id)
        await lease.finish()

    metrics, stop_time = Metrics(), StopTime()
    hour = timedelta(hours=1)

    async def insert(number: int) -> None:
        job = new_job("x", due_at=utc_now() - number * hour)
        await collection.insert_one({"_id": str(number), "job": job})
        labels = {"collection": collection.name}
        oldest = partial(metrics.registry.get_sample_value, "reelway_jobs_due_oldest_seconds", labels)
        await until(lambda: (oldest() or 0) >= number * 3600, "it was looked at, and left")

    async with working(workers(collection, work, metrics=metrics, stop_time=stop_time)):
        stop_time.begin()
        await insert(1)
        await insert(2)  # all that is due was looked for between the two
    assert began == []


async def test_a_stop_that_meets_a_sweep_publishes_what_it_has_claimed(
    collection: Collection, claimed: asyncio.Event
) -> None:
    """The event waited until the relay's lease was over, and passed for one of a dead relay."""
    broker = Broker()
    outbox = relay(collection, broker.publish)
    await collection.insert_one(outbox.carry_new({"_id": "a"}, event(1)))
    async with sweeping(outbox):
        await asyncio.wait_for(claimed.wait(), 10)
    await outbox.flush()
    assert broker.ids == ["e1"]
    assert await state(collection) == {"_id": "a"}


@pytest.mark.parametrize("database_answers", [True, False])
async def test_events_that_nobody_takes_hold_up_no_stop(
    collection: Collection, core: LocalStack, database_answers: bool
) -> None:
    """What is cut off gives its lease back; a database that does not answer was waited for as at any other time."""
    broker = Broker()
    broker.hanging = asyncio.Event()
    outbox = relay(collection, broker.publish)
    await collection.insert_one(outbox.carry_new({"_id": "a"}, event(1)))
    outbox.nudge("a")
    await until(lambda: broker.ids == ["e1"])
    if not database_answers:
        core.pause("media-db")
    begun = asyncio.get_running_loop().time()
    try:
        await outbox.flush(0.1)
        assert asyncio.get_running_loop().time() - begun < SERVER_SELECTION_SECONDS
    finally:
        core.resume("media-db")
    document = await state(collection)
    assert "relay" not in document or not database_answers
    assert [entry["id"] for entry in document["outbox"]] == ["e1"]

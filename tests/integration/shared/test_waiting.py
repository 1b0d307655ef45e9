"""What fails for a reason that passes waits, nothing overtakes it, and none of it is given up."""

from collections.abc import Awaitable
from datetime import timedelta
from uuid import uuid4

import pytest
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError, WriteConcernError

from deploy.local.stack import LocalStack
from shared.contracts.events import NotificationCreated
from shared.delivery import deadletters
from shared.delivery.outbox import PublishError
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Listener, Topic, created, delivery_of, running
from tests.waiting import until


async def test_a_failure_that_passes_costs_nothing(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener(*(ZeroDivisionError() for _ in range(4)), at=1)
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    for seq in (1, 2):
        await topic.put(created(seq))
    async with running(runtime):
        await until(lambda: listener.seen == [1, 2])
    assert await topic.dead_letters() == []


@pytest.mark.parametrize(
    "away",
    [
        ServerSelectionTimeoutError("no database"),
        PublishError("no broker"),
        OperationFailure("not authorized", code=13),
        OperationFailure("no space left", code=14031),
        WriteConcernError("no majority", code=91),
    ],
    ids=repr,
)
async def test_infrastructure_that_is_away_never_makes_a_dead_letter(
    topic: Topic, new_runtime: NewRuntime, away: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadletters, "AWAY_MOST", timedelta(seconds=0.3))
    listener = Listener(*[away] * 7, at=1)
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    for seq in (0, 1, 2):
        await topic.put(created(seq))
    async with running(runtime):
        await until(lambda: listener.seen == [0, 1, 2], within_seconds=60)
    assert listener.calls == [0, *[1] * 8, 2], "nothing overtakes what waits"
    assert await topic.dead_letters() == []


@pytest.mark.parametrize(("works", "handled", "given_up"), [(False, [1, 2], 0), (True, [2], 1)])
async def test_where_the_database_breaks_without_a_reason_another_write_tells_whose_fault_it_is(
    topic: Topic,
    new_runtime: NewRuntime,
    monkeypatch: pytest.MonkeyPatch,
    works: bool,
    handled: list[int],
    given_up: int,
) -> None:
    async def takes_writes() -> bool:
        return works

    listener = Listener(*[OperationFailure("internal server error", code=1)] * 6, at=1)
    runtime = new_runtime()
    monkeypatch.setattr(delivery_of(runtime), "takes_writes", takes_writes)
    runtime.inbox.on(topic.spec, listener.on_created)
    for seq in (1, 2):
        await topic.put(created(seq))
    async with running(runtime):
        await until(lambda: listener.seen == ([2] if works else [1, 2]))
        assert await runtime.mongo.takes_writes()
    assert len(await topic.dead_letters()) == int(works)


async def test_a_frozen_database_makes_the_partition_wait(
    topic: Topic, new_runtime: NewRuntime, core: LocalStack
) -> None:
    runtime = new_runtime()
    things = runtime.mongo.database[f"things_{uuid4().hex}"]

    async def store(event: NotificationCreated) -> None:
        await things.update_one({"_id": event.seq}, {"$set": {"seen": True}}, upsert=True)

    runtime.inbox.on(topic.spec, store)
    async with running(runtime):
        core.pause("media-db")
        try:
            for seq in range(3):
                await topic.put(created(seq))
            await until(lambda: not runtime.health.ready)
        finally:
            core.resume("media-db")
        await until(lambda: _count(things.count_documents({}), 3), within_seconds=40)
        await until(lambda: runtime.health.ready)
    assert await topic.dead_letters() == []


async def _count(counted: Awaitable[int], expected: int) -> bool:
    return await counted == expected

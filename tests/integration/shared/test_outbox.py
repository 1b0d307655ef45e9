"""The outbox: in order, at least once, whoever dies in between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.cloudevents import Record
from shared.contracts.events import NotificationCreated
from shared.contracts.wire import utc_now
from shared.delivery.outbox import Outbox, Publish, PublishError
from shared.wiring.metrics import Metrics
from tests.integration.shared.conftest import Collection, Document
from tests.waiting import until

LEASE = timedelta(seconds=0.5)


def event(number: int) -> NotificationCreated:
    return NotificationCreated(id=f"e{number}", user_id="u", seq=number)


class Broker:
    """Remembers what was published; can refuse or hang."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.refused: set[str] = set()
        self.hanging: asyncio.Event | None = None

    async def publish(self, record: Record) -> None:
        if record.headers["ce_id"] in self.refused:
            raise PublishError("away")
        self.ids.append(record.headers["ce_id"])
        if self.hanging is not None:
            await self.hanging.wait()


def relay(collection: Collection, publish: Publish, **options: Any) -> Outbox:
    every = timedelta(seconds=0.1)
    return Outbox(collection, publish, source="test", metrics=Metrics(), lease=LEASE, sweep_every=every, **options)


@contextlib.asynccontextmanager
async def sweeping(outbox: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def state(collection: Collection, document_id: str) -> Document:
    document = await collection.find_one({"_id": document_id})
    assert document is not None
    return document


async def test_events_are_published_in_order_and_leave_no_trace(collection: Collection) -> None:
    broker = Broker()
    outbox = relay(collection, broker.publish)
    await outbox.ensure_indexes()
    await collection.insert_one(outbox.carry_new({"_id": "a", "n": 1}, event(1), event(2)))
    await collection.update_one({"_id": "a"}, outbox.carry({"$set": {"n": 2}}, event(3)))
    await outbox.sweep()
    assert broker.ids == ["e1", "e2", "e3"]
    assert await state(collection, "a") == {"_id": "a", "n": 2}


async def test_a_nudge_needs_no_sweep(collection: Collection) -> None:
    broker = Broker()
    outbox = relay(collection, broker.publish)
    await collection.insert_one(outbox.carry_new({"_id": "a"}, event(1)))
    outbox.nudge("a")
    await outbox.flush()
    assert broker.ids == ["e1"]
    assert await state(collection, "a") == {"_id": "a"}


async def test_a_write_without_events_is_left_as_it_is(collection: Collection) -> None:
    outbox = relay(collection, Broker().publish)
    assert outbox.carry({"$set": {"n": 1}}) == {"$set": {"n": 1}}
    assert outbox.carry_new({"_id": "a"}) == {"_id": "a"}


async def test_a_failure_stops_a_document_and_nothing_overtakes_it(collection: Collection) -> None:
    broker = Broker()
    outbox = relay(collection, broker.publish)
    await collection.insert_one(outbox.carry_new({"_id": "a"}, event(1), event(2), event(3)))
    broker.refused = {"e2"}
    with pytest.raises(PublishError):
        await outbox.sweep()
    assert broker.ids == ["e1"]
    left = await state(collection, "a")
    assert [entry["id"] for entry in left["outbox"]] == ["e2", "e3"]
    assert "relay" not in left
    broker.refused = set()
    await outbox.sweep()
    assert broker.ids == ["e1", "e2", "e3"]
    assert await state(collection, "a") == {"_id": "a"}


async def test_the_sweep_goes_on_after_an_outage_by_itself(collection: Collection) -> None:
    broker = Broker()
    broker.refused = {"e1"}
    outbox = relay(collection, broker.publish)
    await collection.insert_one(outbox.carry_new({"_id": "a"}, event(1)))
    async with sweeping(outbox):
        outbox.nudge("a")
        await outbox.flush()
        assert broker.ids == []
        broker.refused = set()
        await until(lambda: broker.ids == ["e1"])


async def test_a_document_that_can_not_be_published_holds_up_no_other(collection: Collection) -> None:
    broker = Broker()
    broker.refused = {"e1", "e2"}
    outbox = relay(collection, broker.publish)
    for number in range(1, 5):
        await collection.insert_one(outbox.carry_new({"_id": str(number)}, event(number)))
    for _ in range(3):
        with pytest.raises(PublishError):
            await outbox.sweep()
    assert sorted(broker.ids) == ["e3", "e4"]
    broker.refused = set()
    await outbox.sweep()
    assert sorted(broker.ids) == ["e1", "e2", "e3", "e4"]


async def test_an_event_added_while_others_are_published_is_not_lost(collection: Collection) -> None:
    broker = Broker()
    outbox = relay(collection, broker.publish)

    async def publish_and_add(record: Record) -> None:
        await broker.publish(record)
        if record.headers["ce_id"] == "e1":
            await collection.update_one({"_id": "a"}, outbox.carry({"$set": {"n": 2}}, event(2)))

    adding = relay(collection, publish_and_add)
    await collection.insert_one(adding.carry_new({"_id": "a"}, event(1)))
    await adding.sweep()
    left = await state(collection, "a")
    assert [entry["id"] for entry in left["outbox"]] == ["e2"]
    assert "outboxAt" in left
    await outbox.sweep()
    assert broker.ids == ["e1", "e2"]


async def test_replicas_share_the_work_without_repeating_it(collection: Collection) -> None:
    broker = Broker()
    replicas = [relay(collection, broker.publish) for _ in range(3)]
    for number in range(15):
        await collection.insert_one(replicas[0].carry_new({"_id": str(number)}, event(number)))
    for number in range(15):
        replicas[0].nudge(str(number))
    await asyncio.gather(*(replica.sweep() for replica in replicas), replicas[0].flush())
    await replicas[0].sweep()
    assert sorted(broker.ids) == sorted(f"e{number}" for number in range(15))


async def test_a_relay_that_stands_still_is_replaced_and_changes_nothing_when_it_wakes(collection: Collection) -> None:
    paused, other = Broker(), Broker()
    paused.hanging = asyncio.Event()
    sleeper, successor = relay(collection, paused.publish), relay(collection, other.publish)
    await collection.insert_one(sleeper.carry_new({"_id": "a"}, event(1), event(2)))
    sleeper.nudge("a")
    await until(lambda: paused.ids == ["e1"])

    await successor.sweep()
    assert other.ids == [], "a relay that may be alive is left alone"
    async with sweeping(successor):
        await until(lambda: other.ids == ["e1", "e2"])  # e1 again, with the same id
        await until(lambda: _is_clean(collection, "a"))

    await collection.update_one({"_id": "a"}, successor.carry({"$set": {"n": 1}}, event(3)))
    paused.hanging.set()
    await sleeper.flush()
    left = await state(collection, "a")
    assert [entry["id"] for entry in left["outbox"]] == ["e3"], "the sleeper's settling touches nothing"
    await successor.sweep()
    assert other.ids == ["e1", "e2", "e3"]


async def _is_clean(collection: Collection, document_id: str) -> bool:
    return not {"outbox", "outboxAt", "relay"} & (await state(collection, document_id)).keys()


async def test_what_is_born_held_is_published_without_being_claimed_or_read(collection: Collection) -> None:
    broker = Broker()
    outbox = relay(collection, broker.publish)
    document = outbox.carry_held({"_id": "a", "n": 1}, event(1), event(2))
    await collection.insert_one(document)
    await relay(collection, broker.publish).sweep()
    assert broker.ids == [], "another relay leaves it alone"
    await collection.update_one({"_id": "a"}, outbox.carry({"$set": {"n": 2}}, event(3)))
    outbox.nudge_held(document)
    await outbox.flush()
    assert broker.ids == ["e1", "e2"]
    assert [entry["id"] for entry in (await state(collection, "a"))["outbox"]] == ["e3"]
    await outbox.sweep()
    assert broker.ids == ["e1", "e2", "e3"]
    assert await state(collection, "a") == {"_id": "a", "n": 2}


async def test_what_is_born_held_by_a_process_that_dies_is_published_by_another(collection: Collection) -> None:
    broker = Broker()
    await collection.insert_one(relay(collection, broker.publish).carry_held({"_id": "a"}, event(1)))
    async with sweeping(relay(collection, broker.publish)):
        await until(lambda: broker.ids == ["e1"])
        await until(lambda: _is_clean(collection, "a"))


async def test_a_relay_with_its_hands_full_holds_nothing_more(collection: Collection) -> None:
    broker = Broker()
    broker.hanging = asyncio.Event()
    outbox = relay(collection, broker.publish, concurrency=1)
    first = outbox.carry_held({"_id": "a"}, event(1))
    await collection.insert_one(first)
    outbox.nudge_held(first)
    await until(lambda: broker.ids == ["e1"])
    second = outbox.carry_held({"_id": "b"}, event(2))
    assert "relay" not in second
    await collection.insert_one(second)
    outbox.nudge_held(second)
    broker.hanging.set()
    await outbox.flush()
    assert broker.ids == ["e1", "e2"]


async def test_a_document_never_expires_while_it_has_something_to_publish(collection: Collection) -> None:
    broker = Broker()
    broker.refused = {"e1"}
    day = timedelta(days=1)
    outbox = relay(collection, broker.publish, keep=day)
    await outbox.ensure_indexes()
    assert (await collection.index_information())["expiresAt_1"]["expireAfterSeconds"] == 0

    await collection.insert_one(outbox.carry_new({"_id": "a"}, event(1)))
    with pytest.raises(PublishError):
        await outbox.sweep()
    assert "expiresAt" not in await state(collection, "a")

    broker.refused = set()
    before = utc_now() - timedelta(milliseconds=1)
    await outbox.sweep()
    left = await state(collection, "a")
    assert left.keys() == {"_id", "expiresAt"}
    assert before + day <= left["expiresAt"] <= utc_now() + day

    await collection.update_one({"_id": "a"}, outbox.carry({"$unset": {"n": ""}}, event(2)))
    assert "expiresAt" not in await state(collection, "a")
    await outbox.sweep()
    assert "expiresAt" in await state(collection, "a")


async def test_a_document_that_is_to_be_kept_for_longer_meanwhile_is(collection: Collection) -> None:
    """What is published may be answered before its publishing is written down."""
    day, later = timedelta(days=1), utc_now().replace(microsecond=0) + timedelta(days=90)

    async def answered_at_once(_: Record) -> None:
        await collection.update_one({"_id": "a"}, {"$set": {"expiresAt": later}})

    outbox = relay(collection, answered_at_once, keep=day)
    await collection.insert_one(outbox.carry_new({"_id": "a"}, event(1)))
    await outbox.sweep()
    assert await state(collection, "a") == {"_id": "a", "expiresAt": later}


async def test_a_backlog_is_measured(collection: Collection) -> None:
    broker = Broker()
    outbox = relay(collection, broker.publish)
    metrics = outbox._metrics
    await collection.insert_one(outbox.carry_new({"_id": "a"}, event(1)))
    await outbox.sweep()
    await outbox.sweep()
    label = f'{{collection="{collection.name}"}}'
    assert f"reelway_outbox_documents{label} 0.0" in metrics.render().decode()

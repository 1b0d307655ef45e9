"""The inbox on a real broker: what is handled, what waits, what is given up, and that the partition moves on."""

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from aiokafka.conn import AIOKafkaConnection
from prometheus_client import Gauge
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError, WriteConcernError

from deploy.local.stack import LocalStack
from shared.contracts import topics
from shared.contracts.cloudevents import BadMessage, Record, encode
from shared.contracts.events import NotificationCreated, VideoRemoved
from shared.contracts.topics import TopicSpec
from shared.delivery import deadletters
from shared.delivery.outbox import PublishError
from shared.wiring.runtime import Runtime
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Headers, Listener, Topic, created, running
from tests.waiting import until


async def test_events_are_handled_in_order_and_acked(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener()
    for seq in range(5):
        await topic.put(created(seq))
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await until(lambda: listener.seen == [0, 1, 2, 3, 4])
    await topic.put(created(5))
    again = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, again.on_created)
    async with running(runtime):
        await until(lambda: again.seen)
    assert again.seen == [5], "what was acked does not come again"


async def test_each_type_finds_its_handler_and_others_pass(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    await topic.put(VideoRemoved(id="1", video_id="v", user_id="u", attempt=1))
    await topic.put_raw(b"{}", [("ce_type", b"FromNextYear"), ("ce_id", b"2")])
    await topic.put_raw(b"not json either", [("ce_type", b"FromNextYear")])
    await topic.put(created(1))
    async with running(runtime):
        await until(lambda: listener.seen == [1])
        exposition = runtime.metrics.render().decode()
    assert f'reelway_unknown_events_total{{topic="{topic.spec.name}"}} 2.0' in exposition
    reasons = [dict(letter.headers)["dlq_reason"] for letter in await topic.dead_letters()]
    assert reasons == [b"unknown_type"] * 2, "a newer version can have them back; what is for others is no dead letter"


POISON: dict[str, tuple[bytes | None, Headers, str]] = {
    "no type": (b"{}", [], "no_type"),
    "broken json": (b'{"userId": "u", ', [("ce_type", b"NotificationCreated"), ("ce_id", b"1")], "unreadable_json"),
    "bytes": (b"\x00\xff\xfe", [("ce_type", b"NotificationCreated"), ("ce_id", b"1")], "unreadable_json"),
    "no body": (None, [("ce_type", b"NotificationCreated"), ("ce_id", b"1")], "unreadable_json"),
    "wrong body": (b'{"seq": "x"}', [("ce_type", b"NotificationCreated"), ("ce_id", b"1")], "unreadable_body"),
    "null header": (b"{}", [("ce_type", b"NotificationCreated"), ("ce_id", None)], "no_type"),
    "header in latin-1": (b"{}", [("ce_type", b"NotificationCreated"), ("name", b"\xe9\xff")], "no_type"),
    "unknown type": (b"{}", [("ce_type", b"FromNextYear"), ("ce_id", b"1")], "unknown_type"),
    "too deep": (b"[" * 100_000, [("ce_type", b"NotificationCreated"), ("ce_id", b"1")], "unreadable_json"),
    "content type": (b"abc", [("ce_type", b"NotificationCreated"), ("content-type", b"text/plain")], "unreadable_json"),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_is_given_up_with_its_original_bytes_and_the_partition_moves_on(
    topic: Topic, new_runtime: NewRuntime, name: str
) -> None:
    value, headers, reason = POISON[name]
    listener = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    await topic.put_raw(value, headers, key=b"\xff\x00key")
    await topic.put(created(1))
    async with running(runtime):
        await until(lambda: listener.seen == [1], within_seconds=10)
    (letter,) = await topic.dead_letters()
    assert letter.value == value
    assert letter.key == b"\xff\x00key"
    told = dict(letter.headers)
    assert told["dlq_reason"] == reason.encode()
    assert (told["dlq_partition"], told["dlq_offset"]) == (b"0", b"0")
    assert {header: told[f"original_{header}"] for header, _ in headers} == dict(headers)


async def test_a_header_whose_name_is_no_text_does_not_end_every_read(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    await topic.put(created(1))
    await topic.put_with_header_name(b"na\xff\xfeme")
    await topic.put(created(3))
    async with running(runtime):
        await until(lambda: listener.seen == [1, 3], within_seconds=10)
    (letter,) = await topic.dead_letters()
    told = dict(letter.headers)
    assert letter.value == b'{"userId":"u","seq":2}'
    assert told["dlq_reason"] == b"no_type"
    assert told["original_ce_id"] == b"n2"
    assert told["original_na\\udcff\\udcfeme"] == b"v"


async def test_a_message_that_wants_a_reply_is_handled_once_and_not_answered(
    topic: Topic, new_runtime: NewRuntime
) -> None:
    listener = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    record = encode(created(1), "test")
    headers: Headers = [(name, value.encode()) for name, value in record.headers.items()]
    await topic.put_raw(record.value, [*headers, ("reply_to", b"video.requests"), ("correlation_id", b"x")])
    await topic.put(created(2))
    async with running(runtime):
        await until(lambda: listener.seen == [1, 2], within_seconds=10)
    assert await topic.dead_letters() == []


async def test_a_poison_as_large_as_a_record_may_be_is_given_up_too(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    await topic.put_raw(b"x" * 1_040_000, [("note", b"y" * 8_000)])
    await topic.put(created(1))
    async with running(runtime):
        await until(lambda: listener.seen == [1])
    (letter,) = await topic.dead_letters()
    assert letter.value == b"x" * 1_040_000


async def test_a_record_too_large_for_kafka_does_not_take_the_connection_down(new_runtime: NewRuntime) -> None:
    async with running(new_runtime()) as runtime:
        with pytest.raises(PublishError, match="MessageSizeTooLarge"):
            await runtime.kafka.publish(Record("media.dlq", b"", {}, b"x" * 3_000_000))
        await runtime.kafka.probe()


async def test_a_handler_that_fails_is_tried_five_times_then_given_up(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener(*(ZeroDivisionError(f"try {n}") for n in range(9)), at=1)
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    for seq in (1, 2):
        await topic.put(created(seq))
    began = time.monotonic()
    async with running(runtime):
        await until(lambda: listener.seen == [2])
        exposition = runtime.metrics.render().decode()
    assert listener.calls == [1, 1, 1, 1, 1, 2]
    assert time.monotonic() - began < 10
    (letter,) = await topic.dead_letters()
    told = dict(letter.headers)
    assert told["dlq_reason"] == b"ZeroDivisionError"
    assert told["dlq_attempts"] == b"5"
    assert told["original_ce_id"] == b"n1"
    assert json.loads(letter.value or b"") == {"userId": "u", "seq": 1}
    assert "reelway_dead_letters_total" in exposition


async def test_a_failure_that_passes_costs_nothing(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener(*(ZeroDivisionError() for _ in range(4)), at=1)
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    for seq in (1, 2):
        await topic.put(created(seq))
    async with running(runtime):
        await until(lambda: listener.seen == [1, 2])
    assert await topic.dead_letters() == []


async def test_what_a_handler_calls_bad_is_given_up_at_once(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener(BadMessage("no_such_thing", "detail"), at=1)
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    for seq in (1, 2):
        await topic.put(created(seq))
    async with running(runtime):
        await until(lambda: listener.seen == [2])
    assert listener.calls == [1, 2]
    (letter,) = await topic.dead_letters()
    assert dict(letter.headers)["dlq_reason"] == b"no_such_thing"


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
    age = runtime.metrics.unhandled_seconds.labels(topic=topic.spec.name)
    ages: list[float] = []

    async def on_created(event: NotificationCreated) -> None:
        ages.append(_value(age))
        await listener.on_created(event)

    runtime.inbox.on(topic.spec, on_created)
    for seq in (0, 1, 2):
        await topic.put(created(seq))
    async with running(runtime):
        await until(lambda: listener.seen == [0, 1, 2], within_seconds=60)
        await until(lambda: _value(age) == 0)
    assert ages[1:9] == sorted(ages[1:9]), "what waits grows older"
    assert listener.calls == [0, *[1] * 8, 2], "nothing overtakes what waits"
    assert await topic.dead_letters() == []


def _value(gauge: Gauge) -> float:
    return float(next(iter(gauge.collect())).samples[0].value)


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
    monkeypatch.setattr(_middleware(runtime), "takes_writes", takes_writes)
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


async def test_nothing_is_acked_while_its_dead_letter_cannot_be_written(
    topic: Topic, new_runtime: NewRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    publish, refusals = runtime.kafka.publish, [PublishError("dlq away")] * 3

    async def refuse_first(record: object) -> None:
        if refusals:
            raise refusals.pop()
        await publish(record)  # type: ignore[arg-type]

    monkeypatch.setattr(_middleware(runtime), "publish", refuse_first)
    await topic.put_raw(b"poison", [])
    await topic.put(created(1))
    async with running(runtime):
        await until(lambda: listener.seen == [1])
    assert len(await topic.dead_letters()) == 1
    assert refusals == []


def _middleware(runtime: Runtime) -> object:
    (factory,) = [m for m in runtime.consumers.middlewares if type(m).__name__ == "DeliveryMiddleware"]
    return factory


async def test_what_was_not_acked_comes_again_after_a_stop(topic: Topic, new_runtime: NewRuntime) -> None:
    reached = asyncio.Event()

    async def stuck(event: NotificationCreated) -> None:
        reached.set()
        raise ServerSelectionTimeoutError("away")

    await topic.put(created(1))
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, stuck)
    async with running(runtime):
        await asyncio.wait_for(reached.wait(), 20)
    listener = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await until(lambda: listener.seen == [1])


async def test_the_handler_at_work_is_finished_before_a_stop(topic: Topic, new_runtime: NewRuntime) -> None:
    reached = asyncio.Event()
    done: list[int] = []

    async def slow(event: NotificationCreated) -> None:
        reached.set()
        await asyncio.sleep(0.5)
        done.append(event.seq)

    await topic.put(created(1))
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, slow)
    async with running(runtime):
        await asyncio.wait_for(reached.wait(), 20)
    assert done == [1]


async def test_every_replica_gets_wake_ups_and_poison_among_them_harms_nobody(
    topic: Topic, new_runtime: NewRuntime
) -> None:
    listeners = [Listener(ServerSelectionTimeoutError("away"), at=3), Listener(*[ZeroDivisionError()] * 5, at=3)]
    async with contextlib.AsyncExitStack() as both:
        for listener in listeners:
            runtime = new_runtime()
            runtime.inbox.on_every_replica(topic.spec, listener.on_created)
            await both.enter_async_context(running(runtime))
        await _wake(topic, lambda: all(listener.seen for listener in listeners))
        await topic.put_raw(b"poison", [])
        for seq in (2, 3, 4):
            await topic.put(created(seq))
        await until(lambda: all(listener.seen[-1] == 4 for listener in listeners))
    for listener in listeners:
        assert [seq for seq in listener.seen if seq] == [2, 4], "a wake-up that can't be handled is forgotten"


async def _wake(topic: Topic, awake: Callable[[], bool]) -> None:
    """Send until the listeners, who begin with what is newest, have found their place."""

    async def send() -> bool:
        await topic.put(created(0))
        return awake()

    await until(send, every_seconds=0.2)


@pytest.fixture
async def forgotten_connections() -> AsyncIterator[None]:
    """Close what aiokafka's consumers forget where a broker goes while they connect to it; else pytest complains."""
    yield
    for found in gc.get_objects():
        if type(found) is AIOKafkaConnection and found.connected():  # isinstance would ask a dead weakref.proxy
            found.close()


@pytest.mark.usefixtures("forgotten_connections")
async def test_a_broker_that_forgot_everything_is_connected_again(core: LocalStack, new_runtime: NewRuntime) -> None:
    """The embedded broker keeps nothing: topics are made anew and consumers find their place in them."""
    stored, woken = Listener(), Listener()
    runtime = new_runtime()
    runtime.inbox.on(topics.VIDEO_ASSETS, stored.on_created)
    runtime.inbox.on_every_replica(topics.NOTIFICATIONS, woken.on_created)

    async def send(topic: TopicSpec, seq: int) -> None:
        record = encode(created(seq), "test")
        with contextlib.suppress(PublishError):
            await runtime.kafka.publish(type(record)(topic.name, record.key, record.headers, record.value))

    async def heard(seq: int) -> bool:
        await send(topics.NOTIFICATIONS, seq)
        return seq in stored.seen and seq in woken.seen

    async with running(runtime):
        await send(topics.VIDEO_ASSETS, 1)
        await until(lambda: heard(1), every_seconds=0.3)
        await core.kill("kafka")
        await until(lambda: not runtime.health.ready)
        await core.start("kafka")
        await until(lambda: runtime.health.ready, within_seconds=40)
        await send(topics.VIDEO_ASSETS, 2)
        await until(lambda: heard(2), within_seconds=40, every_seconds=0.3)

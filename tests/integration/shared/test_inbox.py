"""The inbox on a real broker: what is handled, in which order, and what comes again after a stop."""

import asyncio
import contextlib
from collections.abc import Callable

from pymongo.errors import ServerSelectionTimeoutError

from shared.contracts.cloudevents import encode
from shared.contracts.events import NotificationCreated, VideoRemoved
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
        await until(lambda: listener.seen == [1, 2])
    assert await topic.dead_letters() == []


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

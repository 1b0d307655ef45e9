"""Too many dead letters in a row: it is the code that is broken, and what still waits is kept for one that works."""

import httpx
import pytest

from shared.contracts.events import NotificationCreated
from shared.wiring import consumers
from shared.wiring.http import make_app
from shared.wiring.runtime import Runtime
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Listener, Topic, created, running
from tests.waiting import until


class Broken:
    """A handler that can't handle some."""

    def __init__(self, *wrong: int) -> None:
        self.seen: list[int] = []
        self.calls: list[int] = []
        self._wrong = wrong

    async def on_created(self, event: NotificationCreated) -> None:
        self.calls.append(event.seq)
        if event.seq in self._wrong:
            raise KeyError("title")
        self.seen.append(event.seq)


async def health(runtime: Runtime) -> httpx.Response:
    app = make_app("test", runtime.metrics, runtime.health, lambda app: runtime.lifespan(_nothing))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get("/health/ready")


async def _nothing() -> None:
    return


async def test_more_than_so_many_in_a_row_stop_consuming_and_nothing_more_is_given_up(
    topic: Topic, new_runtime: NewRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(*range(6))
    runtime = new_runtime(dead_letters_in_a_row=3)
    runtime.inbox.on(topic.spec, broken.on_created)
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 0.5)
    async with running(runtime):
        for seq in range(6):
            await topic.put(created(seq))
        await until(lambda: not runtime.health.ready)
        calls = len(broken.calls)
        answer = await health(runtime)
        assert answer.status_code == 503
        dependencies = answer.json()["dependencies"]
        assert dependencies["kafka"] == dependencies["database"] == "up", "publishing goes on"
        assert "after 3 dead letters in a row" in dependencies["handlers"]
        assert "KeyError" in dependencies["handlers"]
        assert "the code is probably broken" in dependencies["handlers"].lower()
        exposition = runtime.metrics.render().decode()
        assert "reelway_consuming_stopped 1.0" in exposition
        assert f'reelway_dead_letters_in_a_row{{topic="{topic.spec.name}"}} 3.0' in exposition
        await until(lambda: not any(subscriber.running for subscriber in runtime.consumers.subscribers))
        assert len(broken.calls) == calls, "no handler is called any longer"
        oldest, labels = "reelway_oldest_unhandled_event_seconds", {"topic": topic.spec.name}
        await until(lambda: (runtime.metrics.registry.get_sample_value(oldest, labels) or 0) > 1, "what waits is seen")
    assert [dict(letter.headers)["original_ce_id"] for letter in await topic.dead_letters()] == [b"n0", b"n1", b"n2"]
    mended = Listener()
    runtime = new_runtime(dead_letters_in_a_row=3)
    runtime.inbox.on(topic.spec, mended.on_created)
    async with running(runtime):
        await until(lambda: mended.seen == [3, 4, 5])


async def test_a_message_that_is_all_right_ends_the_row(topic: Topic, new_runtime: NewRuntime) -> None:
    for seq in range(8):
        await topic.put(created(seq))
    listener = Broken(0, 1, 3, 4, 6, 7)
    runtime = new_runtime(dead_letters_in_a_row=2)
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await until(lambda: _given_up(runtime, topic) == 6)
        await runtime.health.probe()
        assert runtime.health.ready
    assert listener.seen == [2, 5]
    assert len(await topic.dead_letters()) == 6


def _given_up(runtime: Runtime, topic: Topic) -> float:
    name, labels = "reelway_dead_letters_total", {"topic": topic.spec.name, "reason": "KeyError"}
    return runtime.metrics.registry.get_sample_value(name, labels) or 0


async def test_unreadable_messages_count_too_and_zero_sets_no_limit(topic: Topic, new_runtime: NewRuntime) -> None:
    runtime = new_runtime(dead_letters_in_a_row=4)
    runtime.inbox.on(topic.spec, Listener().on_created)
    async with running(runtime):
        for _ in range(5):
            await topic.put_raw(b"poison", [])
        await topic.put(created(1))
        await until(lambda: not runtime.health.ready)
    assert len(await topic.dead_letters()) == 4
    listener = Listener()
    runtime = new_runtime(dead_letters_in_a_row=0)
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await until(lambda: listener.seen == [1])
    assert len(await topic.dead_letters()) == 5


async def test_types_of_a_newer_version_are_no_broken_code_however_many_come(
    topic: Topic, new_runtime: NewRuntime
) -> None:
    listener = Listener()
    runtime = new_runtime(dead_letters_in_a_row=3)
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        for number in range(10):
            await topic.put_raw(b"{}", [("ce_type", b"FromNextYear"), ("ce_id", b"%d" % number)])
        await topic.put(created(1))
        await until(lambda: listener.seen == [1])
        await runtime.health.probe()
        assert runtime.health.ready
    assert len(await topic.dead_letters()) == 10

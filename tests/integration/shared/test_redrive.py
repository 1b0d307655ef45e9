"""Dead letters on their way back: to their own service's handler, to nobody else, and never into paid work unasked."""

from collections.abc import Awaitable
from functools import partial

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from shared.contracts.events import BY_TYPE, NotificationCreated, VideoRequested, VideoRetryRequested
from shared.contracts.letters import redrive
from shared.delivery.letter import Letter, Selection
from shared.wiring.runtime import Runtime
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Headers, Listener, Topic, created, letters, read_all, running
from tests.waiting import until


async def send_back(runtime: Runtime, topic: Topic, *, allow_paid_work: bool = False) -> list[str]:
    """Redrive what is open of this test's topic; return what came of it."""
    async with runtime.letter_box() as box:
        found = [letter for letter in await box.select(Selection()) if letter.topic == topic.spec.name]
        return [(await box.redrive(letter, allow_paid_work=allow_paid_work)).outcome for letter in found]


async def test_a_letter_comes_back_to_its_own_handler_with_its_bytes_and_is_closed(
    topic: Topic, new_runtime: NewRuntime
) -> None:
    failing = Listener(*[ZeroDivisionError()] * 5, at=1)
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, failing.on_created)
    async with running(runtime):
        for seq in (1, 2):
            await topic.put(created(seq))
        await until(lambda: failing.seen == [2])
        (letter,) = await letters(runtime, topic)
        assert (letter.state, letter.reason, letter.attempts, letter.redrives) == ("open", "ZeroDivisionError", 5, 0)
        assert (letter.event_type, letter.event_id, letter.key) == ("NotificationCreated", "n1", "k")
        assert (letter.topic, letter.partition, letter.offset) == (topic.spec.name, 0, 0)
        assert await send_back(runtime, topic) == ["redriven"]
        await until(lambda: failing.seen == [2, 1])
        (letter,) = await letters(runtime, topic)
        assert letter.state == "redriven"
        assert letter.state_since is not None
        assert await send_back(runtime, topic) == [], "nothing is open any longer"
        assert runtime.metrics.registry.get_sample_value(
            "reelway_redriven_total", {"topic": topic.spec.name, "outcome": "handled"}
        )
    assert failing.calls == [1] * 5 + [2, 1]


async def test_a_letter_that_still_fails_is_a_dead_letter_again_that_counts_its_redrives(
    topic: Topic, new_runtime: NewRuntime
) -> None:
    failing = Listener(*[ZeroDivisionError()] * 15, at=1)
    runtime = new_runtime(dead_letters_in_a_row=1)
    runtime.inbox.on(topic.spec, failing.on_created)
    async with running(runtime):
        await topic.put(created(1))
        for redrives in range(3):
            await until(partial(_open_after, runtime, topic, redrives))
            assert await send_back(runtime, topic) == ["redriven"]
        await until(lambda: failing.seen == [1])
        assert runtime.health.ready, "what a person sends back is not held against the code"
    kept = [dict(record.headers) for record in await topic.dead_letters() if b"dlq_mark" not in record.headers]
    given_up = [one for one in kept if "dlq_mark" not in one]
    assert [one["dlq_redrives"] for one in given_up] == [b"0", b"1", b"2"]
    assert {one["dlq_attempts"] for one in given_up} == {b"5"}
    assert {tuple(one) for one in given_up} == {tuple(given_up[0])}, "headers do not pile up"


async def _open_after(runtime: Runtime, topic: Topic, redrives: int) -> bool:
    found = await letters(runtime, topic, Selection())
    return [letter.redrives for letter in found] == [redrives]


async def test_no_other_service_sees_what_comes_back(topic: Topic, new_runtime: NewRuntime) -> None:
    mine, theirs = Listener(*[ZeroDivisionError()] * 5, at=1), Listener()
    runtime, other = new_runtime("media"), new_runtime("notifier")
    runtime.inbox.on(topic.spec, mine.on_created)
    other.inbox.on(topic.spec, theirs.on_created)
    async with running(runtime), running(other):
        await topic.put(created(1))
        await until(lambda: theirs.seen == [1])
        await until(lambda: _open_after(runtime, topic, 0))
        assert await send_back(runtime, topic) == ["redriven"]
        await until(lambda: mine.seen == [1])
        await topic.put(created(2))
        await until(lambda: theirs.seen == [1, 2] and mine.seen == [1, 2])
    assert len(await read_all(topic.servers, topic.spec.name)) == 2, "the topic itself got nothing"


BYTES: dict[str, tuple[bytes | None, Headers]] = {
    "hostile": (b"\x00\xff{", [("ce_type", b"NotificationCreated"), ("twice", b"1"), ("twice", None), ("x", b"\xe9")]),
    "no body": (None, [("ce_type", b"NotificationCreated")]),
    "of a type from next year": (b"{}", [("ce_type", b"FromNextYear")]),
}


@pytest.mark.parametrize("name", BYTES)
async def test_bytes_and_headers_survive_the_whole_way_and_back(
    topic: Topic, new_runtime: NewRuntime, name: str
) -> None:
    value, headers = BYTES[name]
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, Listener().on_created)
    async with running(runtime):
        await topic.put_raw(value, headers, key=b"\xffkey")
        await until(lambda: _open_after(runtime, topic, 0))
        assert await send_back(runtime, topic) == ["redriven"]
        await until(lambda: _open_after(runtime, topic, 1))
    *_, again = await topic.dead_letters()
    assert (again.key, again.value) == (b"\xffkey", value)
    originals = [(n.removeprefix("original_"), v) for n, v in again.headers if n.startswith("original_")]
    assert originals == headers


async def test_a_type_that_was_unknown_and_is_for_others_now_passes(
    topic: Topic, new_runtime: NewRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, Listener().on_created)
    async with running(runtime):
        await topic.put_raw(b"{}", [("ce_type", b"FromNextYear")])
        await until(lambda: _open_after(runtime, topic, 0))
        monkeypatch.setitem(BY_TYPE, "FromNextYear", NotificationCreated)
        assert await send_back(runtime, topic) == ["redriven"]
        labels = {"topic": topic.spec.name, "outcome": "handled"}
        await until(lambda: runtime.metrics.registry.get_sample_value("reelway_redriven_total", labels))
        (letter,) = await letters(runtime, topic)
        assert letter.state == "redriven"


async def test_a_redrive_waits_for_infrastructure_like_everything_else(topic: Topic, new_runtime: NewRuntime) -> None:
    failing = Listener(*[ZeroDivisionError()] * 5, *[ServerSelectionTimeoutError("away")] * 3, at=1)
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, failing.on_created)
    async with running(runtime):
        await topic.put(created(1))
        await until(lambda: _open_after(runtime, topic, 0))
        assert await send_back(runtime, topic) == ["redriven"]
        await until(lambda: failing.seen == [1])
    assert failing.calls == [1] * 9


async def test_discarded_ones_are_closed_and_keep_their_bytes(topic: Topic, new_runtime: NewRuntime) -> None:
    runtime = new_runtime()
    listener = Listener()
    runtime.inbox.on(topic.spec, listener.on_created)
    async with running(runtime):
        await topic.put_raw(b"poison", [])
        await until(lambda: _open_after(runtime, topic, 0))
        async with runtime.letter_box() as box:
            (letter,) = [one for one in await box.select(Selection()) if one.topic == topic.spec.name]
            assert (await box.discard(letter, dry_run=True)).outcome == "would_be_discarded"
            assert (await box.discard(letter)).outcome == "discarded"
        (letter,) = await letters(runtime, topic)
        assert letter.state == "discarded"
        async with runtime.letter_box() as box:
            assert (await box.redrive(letter, allow_paid_work=True)).outcome == "not_open"
            assert (await box.original(letter)).value == b"poison"


class Generator:
    """Stands in for the generator's handlers: what reaches it would be paid for."""

    def __init__(self) -> None:
        self.failing = True
        self.paid: list[str] = []

    async def requested(self, event: VideoRequested) -> None:
        await self._start(event.id)

    async def retried(self, event: VideoRetryRequested) -> None:
        await self._start(event.id)

    async def _start(self, id_: str) -> None:
        if self.failing:
            raise ZeroDivisionError
        self.paid.append(id_)


def requested(id_: str) -> VideoRequested:
    return VideoRequested(
        id=id_, video_id="v", user_id="u", attempt=1, kind="create", request_id="r", title="t", email="e", fields={}
    )


def retried(id_: str, restart: str) -> VideoRetryRequested:
    return VideoRetryRequested.model_validate(
        {"id": id_, "videoId": "v", "userId": "u", "attempt": 2, "kind": "create", "restart": restart}
        | {"requestId": "r", "title": "t"}
    )


async def test_paid_work_is_not_started_again_without_leave_and_the_service_itself_sees_to_it(
    topic: Topic, new_runtime: NewRuntime
) -> None:
    generator = Generator()
    runtime = new_runtime("generator")
    runtime.inbox.on(topic.spec, generator.requested, generator.retried)
    async with running(runtime):
        for event in (requested("asked"), retried("again", "workflow"), retried("moved", "transfer")):
            await topic.put(event)
        await until(lambda: _count(letters(runtime, topic, Selection()), 3))
        generator.failing = False
        assert await send_back(runtime, topic) == ["needs_paid_work", "needs_paid_work", "redriven"]
        await until(lambda: generator.paid == ["moved"])
        await _force_back(runtime, topic)  # past the box: what a careless tool would write
        await until(lambda: _reasons(runtime, topic, ["paid_work_not_allowed"] * 2))
        assert generator.paid == ["moved"]
        assert await send_back(runtime, topic, allow_paid_work=True) == ["redriven", "redriven"]
        await until(lambda: sorted(generator.paid) == ["again", "asked", "moved"])


async def _force_back(runtime: Runtime, topic: Topic) -> None:
    async with runtime.letter_box() as box:
        for letter in await box.select(Selection()):
            if letter.topic == topic.spec.name:
                record = await box.original(letter)
                await runtime.kafka.publish(redrive("generator", record, allow_paid_work=False))


async def _reasons(runtime: Runtime, topic: Topic, wanted: list[str]) -> bool:
    return [letter.reason for letter in await letters(runtime, topic, Selection())] == wanted


async def _count(found: Awaitable[list[Letter]], count: int) -> bool:
    return len(await found) == count

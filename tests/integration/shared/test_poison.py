"""What cannot be read or handled is given up with its original bytes, and the partition moves on."""

import json
import time

import pytest

from shared.contracts.cloudevents import BadMessage
from shared.delivery.letter import Selection
from shared.delivery.letterbox import LetterBox
from shared.delivery.outbox import PublishError, RecordTooLargeError
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import Headers, Listener, Topic, created, delivery_of, running
from tests.waiting import until

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
        await until(lambda: listener.seen == [1])
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
        await until(lambda: listener.seen == [1, 3])
    (letter,) = await topic.dead_letters()
    told = dict(letter.headers)
    assert letter.value == b'{"userId":"u","seq":2}'
    assert told["dlq_reason"] == b"no_type"
    assert told["original_ce_id"] == b"n2"
    assert told["original_na\\udcff\\udcfeme"] == b"v"


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


async def test_of_a_poison_that_no_letter_holds_the_beginning_is_kept(topic: Topic, new_runtime: NewRuntime) -> None:
    """Compressed it is small enough for any broker; the letter says where the rest of it stands."""
    listener = Listener()
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    value = b'{"junk":"' + b"z" * 3_000_000
    await topic.put_compressed(value, [("ce_type", b"NotificationCreated"), ("ce_id", b"1")])
    await topic.put(created(1))
    async with running(runtime):
        await until(lambda: listener.seen == [1])
        async with LetterBox(topic.servers, "media", runtime.kafka.publish) as box:
            (letter,) = [one for one in await box.select(Selection()) if one.topic == topic.spec.name]
            kept = await box.original(letter)
            again = await box.redrive(letter, allow_paid_work=True)
    assert (letter.cut, letter.size_bytes, letter.reason) == (True, len(value), "unreadable_json")
    assert (letter.partition, letter.offset) == (0, 0)
    assert kept.value
    assert value.startswith(kept.value)
    assert again.outcome == "not_whole"


async def test_a_handler_whose_own_news_are_too_large_is_given_up(topic: Topic, new_runtime: NewRuntime) -> None:
    listener = Listener(*(RecordTooLargeError("3 MB") for _ in range(9)), at=1)
    runtime = new_runtime()
    runtime.inbox.on(topic.spec, listener.on_created)
    for seq in (1, 2):
        await topic.put(created(seq))
    async with running(runtime):
        await until(lambda: listener.seen == [2])
    (letter,) = await topic.dead_letters()
    assert dict(letter.headers)["dlq_reason"] == b"RecordTooLargeError"


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

    monkeypatch.setattr(delivery_of(runtime), "publish", refuse_first)
    await topic.put_raw(b"poison", [])
    await topic.put(created(1))
    async with running(runtime):
        await until(lambda: listener.seen == [1])
    assert len(await topic.dead_letters()) == 1
    assert refusals == []

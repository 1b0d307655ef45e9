"""The box of a service's dead letters: what it reads, and what it says where it can't."""

import asyncio

import pytest

from shared.contracts import topics
from shared.delivery.letterbox import LetterBox, LettersAwayError
from shared.wiring.settings import CommonSettings
from tests.integration.shared.conftest import NewRuntime
from tests.integration.shared.world import ALL, Topic, letters, running


async def test_letters_written_in_one_batch_are_all_read(topic: Topic, new_runtime: NewRuntime) -> None:
    """The embedded broker says of such a batch that the topic ends where it begins."""
    runtime = new_runtime()
    async with running(runtime):
        batch = topic.producer.create_batch()
        for number in range(50):
            headers = [("dlq_topic", topic.spec.name.encode()), ("dlq_partition", b"0")]
            batch.append(key=b"", value=b"", timestamp=None, headers=[*headers, ("dlq_offset", str(number).encode())])
        await (await topic.producer.send_batch(batch, topics.dead_letters("media").name, partition=0))
        found = await letters(runtime, topic)
        assert [letter.offset for letter in found] == list(range(50))
        async with runtime.letter_box() as box:
            for letter in found[::-7]:
                assert dict((await box.original(letter)).headers)["dlq_offset"] == str(letter.offset).encode()


async def test_without_kafka_it_says_so_in_time() -> None:
    box = LetterBox("127.0.0.1:1", "media", _refuse)
    with pytest.raises(LettersAwayError, match="Kafka does not answer"):
        await asyncio.wait_for(box.__aenter__(), 20)


async def test_a_service_that_never_gave_anything_up_has_no_letters(settings: CommonSettings) -> None:
    async with LetterBox(settings.kafka_bootstrap_servers, "nobody", _refuse) as box:
        assert await box.select(ALL) == []


async def test_where_the_service_has_no_redrive_topic_nothing_is_sent_into_the_void(
    topic: Topic, settings: CommonSettings
) -> None:
    await topic.make("absent.dlq")
    await topic.producer.send_and_wait("absent.dlq", b"", headers=[("dlq_topic", b"t"), ("dlq_partition", b"0")])
    async with LetterBox(settings.kafka_bootstrap_servers, "absent", _refuse) as box:
        (letter,) = await box.select(ALL)
        with pytest.raises(LettersAwayError, match="Start absent first"):
            await box.redrive(letter, allow_paid_work=True)


async def _refuse(_: object) -> None:
    raise AssertionError("nothing was to be published")

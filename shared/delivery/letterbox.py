"""A service's dead letters on Kafka: read to the last one, and what a person decides about them written down."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.contracts.letters import RawRecord, closing, origin_told, redrive
from shared.contracts.paid_work import may_start_paid_work
from shared.contracts.topics import dead_letters, redrives
from shared.contracts.wire import Wire
from shared.delivery.letter import Letter, Letters, Selection
from shared.delivery.outbox import Publish, PublishError
from shared.wiring.cancellation import to_its_end
from shared.wiring.kafka_headers import read_any_header

QUIET_MS = 300
SILENCE_SECONDS = 15.0
REQUEST_MS = 8_000

Outcome = Literal[
    "redriven", "discarded", "would_be_redriven", "would_be_discarded", "needs_paid_work", "not_open", "not_whole"
]


class LettersAwayError(Exception):
    """Kafka does not answer, or lacks what is needed; the text says which. What was reported done is done."""


class Decided(Wire):
    """What became of one letter."""

    letter: Letter
    outcome: Outcome


class LetterBox:
    """The dead letters of one service, for as long as it is entered. Raises LettersAwayError from anything it does."""

    def __init__(self, servers: str, service: str, publish: Publish) -> None:
        self.service = service
        self._topic = dead_letters(service).name
        self._publish = publish
        self._servers = servers.split(",")
        self._topics: set[str] = set()
        self._consumer: Any = None

    async def __aenter__(self) -> Self:
        read_any_header()
        with _kafka_may_be_away():
            async with asyncio.timeout(SILENCE_SECONDS):
                self._topics = await self._existing_topics()
        if self._topic in self._topics:  # else it would be made, or waited for
            await self._start_reading()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._consumer is not None:
            await to_its_end(self._consumer.stop())

    async def _start_reading(self) -> None:
        """Be given every partition of the topic, without a group."""
        self._consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=self._servers,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            request_timeout_ms=REQUEST_MS,
            client_id="reelway-letters",
        )
        try:
            with _kafka_may_be_away():
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._consumer.start()
        except BaseException:
            await to_its_end(self._consumer.stop())
            raise

    async def select(self, selection: Selection) -> list[Letter]:
        """Return the letters that are meant, the newest last; reads the whole topic."""
        letters = Letters(self.service)
        if self._consumer is not None:
            with _kafka_may_be_away():
                await self._read(letters.take)
        return [letter for letter in letters if selection.fits(letter)]

    async def original(self, letter: Letter) -> RawRecord:
        """Return the record of a letter, with the original's bytes."""
        partition, offset = letter.place
        place = TopicPartition(self._topic, partition)
        with _kafka_may_be_away():
            async with asyncio.timeout(SILENCE_SECONDS):
                self._consumer.seek(place, offset)
                record: RawRecord = await self._consumer.getone(place)
        if record.offset != offset:
            raise LettersAwayError(f"{letter.id} is gone: {self._topic} keeps letters for a time only.")
        return record

    async def redrive(self, letter: Letter, *, allow_paid_work: bool, dry_run: bool = False) -> Decided:
        """Bring an open letter's message back to its service; one that may start paid work only where that is allowed.

        The letter is marked afterwards: a crash in between leaves it open, and a second redrive does no harm.
        """
        if letter.state != "open":
            return Decided(letter=letter, outcome="not_open")
        if letter.cut:
            return Decided(letter=letter, outcome="not_whole")
        record = await self.original(letter)
        if not allow_paid_work and may_start_paid_work(self.service, origin_told(record), record.value):
            return Decided(letter=letter, outcome="needs_paid_work")
        if dry_run:
            return Decided(letter=letter, outcome="would_be_redriven")
        if redrives(self.service).name not in self._topics:  # some brokers confirm what they then have no place for
            raise LettersAwayError(f"There is no topic {redrives(self.service).name}. Start {self.service} first.")
        with _kafka_may_be_away():
            await self._publish(redrive(self.service, record, allow_paid_work=allow_paid_work))
            await self._publish(closing(self.service, record, "redriven"))
        return Decided(letter=letter, outcome="redriven")

    async def discard(self, letter: Letter, *, dry_run: bool = False) -> Decided:
        """Close an open letter for good; its bytes stay as long as the topic keeps them."""
        if letter.state != "open":
            return Decided(letter=letter, outcome="not_open")
        if dry_run:
            return Decided(letter=letter, outcome="would_be_discarded")
        record = await self.original(letter)
        with _kafka_may_be_away():
            await self._publish(closing(self.service, record, "discarded"))
        return Decided(letter=letter, outcome="discarded")

    async def _read(self, take: Callable[[RawRecord], None]) -> None:
        """Read the topic to its end, which may be told too early: so it is where nothing more comes, either."""
        now = asyncio.get_running_loop().time
        async with asyncio.timeout(SILENCE_SECONDS) as silence:
            await self._consumer.seek_to_beginning()
            ends = await self._consumer.end_offsets(self._consumer.assignment())
            while True:
                brought = await self._consumer.getmany(timeout_ms=QUIET_MS)
                if not brought and await self._is_past(ends):
                    return
                for record in (record for records in brought.values() for record in records):
                    take(record)
                if brought:
                    silence.reschedule(now() + SILENCE_SECONDS)

    async def _is_past(self, ends: Mapping[TopicPartition, int]) -> bool:
        for place, end in ends.items():
            if await self._consumer.position(place) < end:
                return False
        return True

    async def _existing_topics(self) -> set[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            return set(await admin.list_topics())
        finally:
            await to_its_end(admin.close())


@contextlib.contextmanager
def _kafka_may_be_away() -> Iterator[None]:
    try:
        yield
    except (KafkaError, PublishError, OSError, TimeoutError) as error:
        raise LettersAwayError(f"Kafka does not answer ({type(error).__name__}).") from error

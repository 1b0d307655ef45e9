"""When consumers count as silent, and how often they are made anew where that does not help."""

from datetime import timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from shared.delivery.backlog import LOOK_SECONDS, UNKNOWN_AFTER_SECONDS, Backlog, Seen
from shared.delivery.inbox import consumer_broker
from shared.delivery.offsets import Offsets
from shared.delivery.reads import Read, Reads
from shared.wiring.metrics import Metrics
from shared.wiring.settings import CommonSettings

ONE, OTHER = TopicPartition("things", 0), TopicPartition("others", 0)
PATIENCE = 30.0
NOBODY = CommonSettings(kafka_bootstrap_servers="127.0.0.1:1")


class Watched(Backlog):
    """A backlog of messages that the test lays out, looked at as the test's clock goes on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: Offsets = {}
        self.ends: Offsets = {}
        self.reads: Reads = {}
        self.failure: Exception | None = None
        self.standing: set[str] = set()
        self.metrics = Metrics()
        super().__init__(
            consumer_broker(NOBODY, "media"),
            NOBODY.kafka_servers,
            (),
            self.metrics,
            timedelta(seconds=PATIENCE),
            lambda: self.now,
        )

    async def _see(self) -> Seen:
        if self.failure is not None:
            raise self.failure
        ends = {partition: handled + 1 for partition, handled in self.waiting.items()} | self.ends
        return Seen(ends, self.waiting, self.reads)

    async def after(self, seconds: float) -> set[str]:
        self.now += seconds
        self.standing = await self.look()
        return self.standing

    async def seconds_until_standing(self) -> float:
        began = self.now
        while not await self.after(LOOK_SECONDS):
            pass
        return self.now - began


@pytest.fixture
def backlog() -> Watched:
    return Watched()


async def test_where_nothing_moves_for_long_the_topic_stands(backlog: Watched) -> None:
    backlog.waiting = {ONE: 7, OTHER: 3}
    assert await backlog.after(0) == set()
    backlog.waiting = {ONE: 7, OTHER: 4}
    assert await backlog.after(PATIENCE - 1) == set()
    assert await backlog.after(1) == {"things"}


async def test_what_waits_anew_has_its_time(backlog: Watched) -> None:
    backlog.waiting = {ONE: 7}
    await backlog.after(0)
    backlog.waiting = {}
    await backlog.after(PATIENCE)
    backlog.waiting = {ONE: 7}
    assert await backlog.after(PATIENCE) == set()


async def test_patience_doubles_with_each_renewal_until_nothing_waits(backlog: Watched) -> None:
    backlog.waiting = {ONE: 7}
    await backlog.after(0)
    waits = []
    for _ in range(8):
        waits.append(await backlog.seconds_until_standing())
        backlog.renewed()
        await backlog.after(0)
    assert waits == [PATIENCE * factor for factor in (1, 2, 4, 8, 16, 32, 32, 32)]
    backlog.waiting = {}
    await backlog.after(LOOK_SECONDS)
    backlog.waiting = {ONE: 8}
    await backlog.after(0)
    assert await backlog.seconds_until_standing() == PATIENCE


async def test_brokers_that_do_not_answer_say_nothing_about_the_consumers(backlog: Watched) -> None:
    """A busy machine answered late, consumers were made anew for it again and again, and so nothing got done."""
    backlog.waiting = {ONE: 7}
    await backlog.after(0)
    backlog.failure = KafkaTimeoutError()
    for _ in range(20):
        assert await backlog.after(PATIENCE) == set()
    backlog.failure, backlog.waiting = None, {ONE: 8}
    assert await backlog.after(LOOK_SECONDS) == set()
    assert await backlog.seconds_until_standing() == PATIENCE


async def behind(backlog: Watched, handled: int, end: int) -> float:
    """Return how far behind it is after one more look, which sees that."""
    backlog.waiting, backlog.ends = {ONE: handled}, {ONE: end}
    await backlog.after(LOOK_SECONDS)
    return backlog.behind().total_seconds()


async def test_it_is_behind_since_the_newest_look_whose_messages_are_all_handled(backlog: Watched) -> None:
    seen = [(0, 10), (5, 20), (10, 30), (29, 40), (40, 40)]
    assert [await behind(backlog, *one) for one in seen] == [10, 20, 20, 20, 0]


async def test_the_oldest_message_that_waits_grows_older_until_it_is_handled(backlog: Watched) -> None:
    """It was the age of the one at hand: 0 where none was, because nobody took any."""

    async def age(handled: int, end: int) -> float | None:
        await behind(backlog, handled, end)
        return backlog.metrics.registry.get_sample_value("reelway_oldest_unhandled_event_seconds", {"topic": "things"})

    seen = [(0, 0), (0, 10), (0, 20), (5, 20), (10, 20), (20, 20)]
    assert [await age(*one) for one in seen] == [0, 0, LOOK_SECONDS, 2 * LOOK_SECONDS, 2 * LOOK_SECONDS, 0]
    await age(20, 21)
    backlog.failure = KafkaTimeoutError()
    await backlog.after(LOOK_SECONDS)
    backlog.failure = None
    assert await age(20, 21) == 2 * LOOK_SECONDS, "brokers that say nothing do not make it younger"


async def test_where_brokers_forget_everything_nothing_of_it_is_waited_for(backlog: Watched) -> None:
    assert [await behind(backlog, *one) for one in [(5, 20), (6, 30), (0, 3), (3, 3)]] == [10, 20, 10, 0]


async def test_looks_that_failed_make_nobody_behind_who_has_handled_all(backlog: Watched) -> None:
    await behind(backlog, 9, 9)
    backlog.failure = KafkaTimeoutError()
    for _ in range(2):
        await backlog.after(LOOK_SECONDS)
    backlog.now += LOOK_SECONDS - 0.1
    assert backlog.behind() < timedelta(seconds=UNKNOWN_AFTER_SECONDS)
    backlog.failure = None
    assert await behind(backlog, 9, 9) == 0


async def behind_after_read(backlog: Watched, handled: int, end: int, *, read: int, told: int | None = None) -> float:
    """Return how far behind it is after one more look; this process's own read was answered anew just before it."""
    backlog.reads = {ONE: Read(read, read if told is None else told, int(backlog.now * 1000))}
    return await behind(backlog, handled, end)


async def test_what_a_broker_counts_and_gives_to_no_read_is_not_waited_for(backlog: Watched) -> None:
    """One such message kept the gateway from asking for anything, for ever."""
    assert [await behind_after_read(backlog, 7, 8, read=7) for _ in range(5)] == [10, 20, 0, 0, 0]
    oldest = backlog.metrics.registry.get_sample_value("reelway_oldest_unhandled_event_seconds", {"topic": "things"})
    assert oldest == 4 * LOOK_SECONDS, "it waits all the same"
    assert not backlog.standing, "new consumers would not get it either"
    assert await behind_after_read(backlog, 7, 9, read=7, told=9) == 60, "given after all, it has waited since it came"
    assert await behind_after_read(backlog, 9, 9, read=9) == 0


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"read": 7, "told": 8}, id="not read yet"),
        pytest.param({"read": 8}, id="not handled yet"),
    ],
)
async def test_what_is_only_slow_is_waited_for(backlog: Watched, given: dict[str, int]) -> None:
    assert [await behind_after_read(backlog, 7, 8, **given) for _ in range(5)] == [10, 20, 30, 40, 50]


async def test_reads_that_are_not_answered_say_nothing(backlog: Watched) -> None:
    """A busy broker may name an end at once, and leave a read waiting."""
    backlog.reads = {ONE: Read(7, 7, 0)}
    assert [await behind(backlog, 7, 8) for _ in range(5)] == [10, 20, 30, 40, 50]


async def test_a_partition_that_is_read_elsewhere_is_waited_for(backlog: Watched) -> None:
    assert [await behind(backlog, 7, 8) for _ in range(5)] == [10, 20, 30, 40, 50]


async def test_what_is_slow_is_waited_for_beside_what_is_withheld(backlog: Watched) -> None:
    async def behind_beside(slow: Offsets, end: int) -> float:
        backlog.waiting, backlog.ends = {ONE: 7} | slow, {ONE: 8, OTHER: end}
        backlog.reads = {ONE: Read(7, 7, int(backlog.now * 1000)), OTHER: Read(3, end, int(backlog.now * 1000))}
        await backlog.after(LOOK_SECONDS)
        return backlog.behind().total_seconds()

    assert [await behind_beside({}, 3) for _ in range(4)] == [10, 20, 0, 0]
    assert [await behind_beside({OTHER: 3}, 4) for _ in range(5)] == [10, 20, 30, 40, 50]


async def test_where_it_is_read_on_nothing_was_withheld(backlog: Watched) -> None:
    found = [await behind_after_read(backlog, handled, handled + 1, read=handled) for handled in (7, 7, 8, 8, 9)]
    assert found == [10, 20, 10, 20, 10]


async def test_where_nothing_is_known_nobody_is_behind(backlog: Watched) -> None:
    for _ in range(5):
        await behind(backlog, 1, 9)
    assert backlog.behind() > timedelta(seconds=UNKNOWN_AFTER_SECONDS)
    backlog.failure = KafkaTimeoutError()
    await backlog.after(UNKNOWN_AFTER_SECONDS + 1)
    assert backlog.behind() == timedelta(0)

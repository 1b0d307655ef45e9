"""What this process's own reads were told, and what a broker counts and gives to none of them."""

from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.delivery.offsets import Offsets

ANSWERS = 2


class Read(NamedTuple):
    """What is read next, where the partition ended by its last answer, and when that came by the wall clock."""

    offset: int
    end: int
    answered_ms: int

    def again(self, before: "Read") -> bool:
        """Return whether this is a newer answer than `before` to a read of the same offset."""
        return self.offset == before.offset and self.answered_ms > before.answered_ms


Reads = dict[TopicPartition, Read]


def reads_of(consumer: AIOKafkaConsumer) -> Reads:
    """Return how each partition is read that is assigned to it; not those without an answer or a position yet.

    Asked for where a topic ends, an embedded broker names the record that it wrote last, which with two writers at once
    may not be the one with the highest offset. What a read is told is right.
    """
    subscription = consumer._subscription.subscription  # AIOKafkaConsumer.position would wait where there is none
    assignment = None if subscription is None else subscription.assignment
    states = {} if assignment is None else {one: assignment.state_value(one) for one in assignment.tps}
    return {
        one: Read(state.position, state.highwater, state.timestamp)
        for one, state in states.items()
        if state.has_valid_position and state.highwater is not None
    }


class Withheld:
    """Watches for what waits and will not come: the broker counts it, and its answers to reads end before it.

    An embedded broker makes a topic known before it has set where its partitions end. What is written in between is
    counted, and given to nobody until something more is written there. Only reads tell that from what is not read or
    handled yet: all before it is handled, and new answers, again and again, say that there is no more. So only a
    replica that reads the partition itself can tell.
    """

    def __init__(self) -> None:
        self._seen: dict[TopicPartition, tuple[Read, int]] = {}

    def among(self, waiting: Offsets, reads: Reads) -> set[TopicPartition]:
        """Return which of those that wait, each handled up to there, are withheld; ask at each look."""
        self._seen = {
            one: self._counted(one, reads[one])
            for one, handled in waiting.items()
            if one in reads and reads[one].end <= reads[one].offset <= handled
        }
        return {one for one, (_, answers) in self._seen.items() if answers >= ANSWERS}

    def _counted(self, partition: TopicPartition, read: Read) -> tuple[Read, int]:
        before, answers = self._seen.get(partition, (read, 0))
        if before.offset != read.offset:
            return read, 0
        return read, answers + read.again(before)

"""Progress: the newest report of each video, written once per flush, never backwards, never lost to a database away."""

import pytest
from pymongo.errors import AutoReconnect

from services.gateway.progress import LIMIT, Progress, ProgressBuffer


class Written:
    def __init__(self) -> None:
        self.all: list[tuple[str, float | None]] = []
        self.newest: Progress | None = None
        self.away = False

    async def write(self, video_id: str, news: Progress) -> None:
        if self.away:
            raise AutoReconnect("away")
        self.all.append((video_id, news.percent))
        self.newest = news


def at(percent: float, order: int = 1031) -> Progress:
    return Progress(order, 1, percent)


async def test_only_the_newest_is_written() -> None:
    written = Written()
    buffer = ProgressBuffer(written.write)
    for percent in range(50):
        buffer.put("a", at(percent))
    buffer.put("b", at(7))
    await buffer.flush()
    await buffer.flush()
    assert written.all == [("a", 49), ("b", 7)]


async def test_an_earlier_stage_does_not_take_the_place_of_a_later_one() -> None:
    written = Written()
    buffer = ProgressBuffer(written.write)
    buffer.put("a", at(5, order=1050))
    buffer.put("a", at(99, order=1031))
    await buffer.flush()
    assert written.all == [("a", 5)]


@pytest.mark.parametrize("away", [False, True])
async def test_within_one_write_it_goes_back_no_more_than_over_two(away: bool) -> None:
    """Which reports fall into one write is chance, and what is shown must not be."""
    written = Written()
    buffer = ProgressBuffer(written.write)
    buffer.put("a", at(40))
    written.away = away
    await buffer.flush()
    written.away = False
    buffer.put("a", Progress(1031, 1, 30.5, "Scene 2", "7"))
    buffer.put("a", Progress(1031, 1, None, "Scene 3"))
    await buffer.flush()
    assert written.all == [("a", 40), *([] if away else [("a", 30.5)])]  # the database keeps the most
    assert written.newest is not None
    assert (written.newest.message, written.newest.execution_id) == ("Scene 3", "7")


async def test_another_stage_begins_anew() -> None:
    written = Written()
    buffer = ProgressBuffer(written.write)
    buffer.put("a", at(90))
    buffer.put("a", at(5, order=1050))
    await buffer.flush()
    assert written.all == [("a", 5)]


async def test_it_waits_for_the_database() -> None:
    written = Written()
    buffer = ProgressBuffer(written.write)
    buffer.put("a", at(5))
    buffer.put("b", at(6))
    written.away = True
    await buffer.flush()
    buffer.put("a", at(8))
    written.away = False
    await buffer.flush()
    assert sorted(written.all) == [("a", 8), ("b", 6)]


async def test_it_is_bounded() -> None:
    written = Written()
    buffer = ProgressBuffer(written.write)
    for number in range(LIMIT + 10):
        buffer.put(str(number), at(1))
    await buffer.flush()
    assert len(written.all) == LIMIT

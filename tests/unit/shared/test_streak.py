"""Which dead letters follow each other."""

from itertools import count

import pytest

from shared.delivery.streak import Streak
from shared.wiring.health import Health, Unready
from shared.wiring.metrics import Metrics


@pytest.fixture
def streak() -> Streak:
    return Streak(3, Metrics())


_letters = count()


def breaks(streak: Streak, type_name: str = "VideoReady", *, topic: str = "t") -> bool:
    return streak.breaks(topic, type_name, str(next(_letters)), "KeyError")


def give_up(streak: Streak, type_name: str = "VideoReady", *, times: int, topic: str = "t") -> None:
    for _ in range(times):
        assert not breaks(streak, type_name, topic=topic)
        streak.gave_up(topic, type_name, str(next(_letters)))


async def test_one_more_than_so_many_breaks_and_stays_broken(streak: Streak) -> None:
    give_up(streak, times=3)
    await streak.probe()
    assert breaks(streak, "VideoReady")
    streak.handled("t", "VideoReady")
    with pytest.raises(Unready, match=r"after 3 dead letters in a row from t, another VideoReady failed \(KeyError\)"):
        await streak.probe()
    assert streak.broken.is_set()


def test_a_handled_one_ends_the_row_of_its_type(streak: Streak) -> None:
    for _ in range(5):
        give_up(streak, times=2)
        streak.handled("t", "VideoReady")
    assert not breaks(streak, "VideoReady")


def test_another_topic_does_not_end_it_nor_count(streak: Streak) -> None:
    give_up(streak, times=3)
    give_up(streak, times=3, topic="other")
    streak.handled("other", "VideoReady")
    assert not breaks(streak, "VideoReady", topic="other")
    assert breaks(streak, "VideoReady")


def test_a_broken_handler_does_not_hide_behind_one_that_works(streak: Streak) -> None:
    for _ in range(3):
        give_up(streak, times=1)
        streak.handled("t", "VideoFailed")
    assert not breaks(streak, "VideoFailed")
    assert breaks(streak, "VideoReady")


def test_several_broken_handlers_count_together_while_nothing_works(streak: Streak) -> None:
    for type_name in ("VideoReady", "VideoFailed", "VideoRemoved"):
        give_up(streak, type_name, times=1)
    assert breaks(streak, "TransferStarted")


def test_rubbish_now_and_then_never_breaks(streak: Streak) -> None:
    for _ in range(10):
        give_up(streak, "", times=2)
        streak.handled("t", "VideoReady")
    assert not breaks(streak, "")


def test_one_message_that_its_producer_repeats_for_ever_counts_once(streak: Streak) -> None:
    for _ in range(50):
        assert not streak.breaks("t", "VideoReady", "the same", "KeyError")
        streak.gave_up("t", "VideoReady", "the same")
    give_up(streak, times=2)
    assert not streak.breaks("t", "VideoReady", "the same", "KeyError")
    assert breaks(streak)


def test_zero_is_no_limit() -> None:
    give_up(Streak(0, Metrics()), times=500)


async def test_health_shows_the_reason_in_words_and_of_other_errors_only_the_kind(streak: Streak) -> None:
    async def leaky() -> None:
        raise RuntimeError("mongodb://user:password@host")

    health = Health(Metrics())
    health.watch("handlers", streak.probe, required=True)
    health.watch("leaky", leaky, required=False)
    give_up(streak, times=3)
    breaks(streak, "VideoReady")
    await health.probe()
    assert not health.ready
    report = health.report()["dependencies"]
    assert isinstance(report, dict)
    assert report["handlers"].startswith("Stopped consuming")
    assert report["leaky"] == "RuntimeError"

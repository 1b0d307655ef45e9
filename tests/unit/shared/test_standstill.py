from datetime import timedelta

from shared.delivery.standstill import Standstill


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_mark_must_stand_for_the_whole_lease_as_watched_from_here() -> None:
    clock = Clock()
    watch = Standstill(timedelta(seconds=10), clock)
    assert not watch.stands("doc", ("token", 1))
    clock.now += 9.9
    assert not watch.stands("doc", ("token", 1))
    clock.now += 0.1
    assert watch.stands("doc", ("token", 1))


def test_a_beat_begins_the_wait_anew() -> None:
    clock = Clock()
    watch = Standstill(timedelta(seconds=10), clock)
    watch.stands("doc", 1)
    clock.now += 9
    assert not watch.stands("doc", 2)
    clock.now += 9
    assert not watch.stands("doc", 2)
    clock.now += 1
    assert watch.stands("doc", 2)


def test_what_is_no_longer_watched_is_forgotten() -> None:
    clock = Clock()
    watch = Standstill(timedelta(seconds=10), clock)
    watch.stands("a", 1)
    watch.stands("b", 1)
    clock.now += 10
    watch.keep_only(["b"])
    assert not watch.stands("a", 1)
    assert watch.stands("b", 1)

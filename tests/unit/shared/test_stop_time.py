"""A stop has an end: whatever its parts would like to take."""

from shared.wiring.stop_time import LAST_SECONDS, STOP_SECONDS, StopTime


def test_all_parts_together_take_no_longer_than_there_is() -> None:
    now = 100.0
    stop_time = StopTime(lambda: now)
    assert stop_time.at_most(30.0) == stop_time.at_most(30.0, last=True) == 30.0
    stop_time.begin()
    assert stop_time.at_most(1.0) == 1.0
    assert stop_time.at_most(30.0) == STOP_SECONDS - LAST_SECONDS
    assert stop_time.at_most(30.0, then=2.0) == STOP_SECONDS - LAST_SECONDS - 2.0
    now += STOP_SECONDS - 1
    stop_time.begin()
    assert stop_time.at_most(30.0) == 0.0
    assert stop_time.at_most(30.0, last=True) == 1.0
    now += 2
    assert stop_time.at_most(30.0, last=True) == 0.0

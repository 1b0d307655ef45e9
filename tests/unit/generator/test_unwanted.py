"""Which objects that a workflow reports are told of as unwanted: all that are not taken, and none that is."""

import pytest

from services.generator.attempt import State
from services.generator.domain import Happening, News, Outcome, apply, judge
from services.generator.unwanted import discarded, unwanted_key
from tests.unit.generator.test_table import NOW, attempt_in

KEY, OTHER = "videos/ann/1.mp4", "videos/ann/2.mp4"
TAKEN_IN = {State.REQUESTED, State.CALLING, State.UNKNOWN, State.STARTED, State.GIVEN_UP}


@pytest.mark.parametrize("state", State)
def test_an_object_is_either_taken_or_told_of(state: State) -> None:
    before = attempt_in(state).but(s3_key=OTHER if state is State.COMPLETED else None)
    news = News(Happening.RESULT, s3_key=KEY)
    verdict = judge(state, Happening.RESULT)
    outcome = Outcome.CONTRADICTION if verdict.outcome is Outcome.REPEAT else verdict.outcome  # it is another file
    after = apply(before, verdict, news, NOW)
    assert (after.s3_key == KEY) == (state in TAKEN_IN)
    assert unwanted_key(outcome, after, news) == (None if state in TAKEN_IN else KEY)


def test_what_the_attempt_has_is_not_unwanted_whatever_came_with_it() -> None:
    taken = attempt_in(State.COMPLETED).but(s3_key=KEY)
    assert unwanted_key(Outcome.REPEAT, taken, News(Happening.RESULT, s3_key=KEY)) is None
    with_address = News(Happening.RESULT, video_url="https://files.example.com/1.mp4", s3_key=KEY)
    assert unwanted_key(Outcome.CONTRADICTION, taken, with_address) is None


def test_an_address_is_nothing_to_erase() -> None:
    cancelled = attempt_in(State.CANCELLED)
    address = News(Happening.RESULT, video_url="https://files.example.com/1.mp4")
    assert unwanted_key(Outcome.LATE, cancelled, address) is None


def test_the_same_object_is_told_of_under_the_same_id() -> None:
    first, again = (discarded("ann_1", "ann", 2, KEY, reason) for reason in ("late", "deleted"))
    assert first.id == again.id
    assert first.id.startswith("ann_1:2:discarded:")
    assert discarded("ann_1", "ann", 2, OTHER, "late").id != first.id

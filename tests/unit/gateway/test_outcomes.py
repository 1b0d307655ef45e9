"""What came of a webhook: which outcome may take the place of which, every pair of them written down."""

import pytest

from services.gateway.outcomes import Settled, is_answer, of, replaceable_by

ALL = (
    *(None, "held", "unknown_attempt", "quarantined", "discarded", "repeat", "late", "contradiction"),
    *("passed_on", "applied", "adopted", "of a newer release"),
)
NOTHING_SAID: set[str | None] = {None}
OPEN = NOTHING_SAID | {"held", "unknown_attempt", "quarantined"}
CLOSED = OPEN | {"discarded", "repeat", "late", "contradiction"}
REPLACES: dict[str, set[str | None]] = {
    "held": NOTHING_SAID,
    "unknown_attempt": NOTHING_SAID | {"held"},
    "quarantined": NOTHING_SAID | {"held"},
    "discarded": OPEN,
    "repeat": OPEN,
    "late": OPEN,
    "contradiction": OPEN,
    "of a newer release": OPEN,
    "passed_on": CLOSED,
    "applied": CLOSED,
    "adopted": CLOSED,
}


@pytest.mark.parametrize("after", [outcome for outcome in ALL if outcome])
@pytest.mark.parametrize("before", ALL)
def test_only_what_settles_more_takes_the_place_of_another(before: str | None, after: str) -> None:
    assert (before in replaceable_by(after)) == (before in REPLACES[after])


@pytest.mark.parametrize("outcome", ALL)
def test_asked_for_is_what_was_never_answered_or_only_that_it_is_held(outcome: str | None) -> None:
    assert is_answer(outcome) == (outcome not in (None, "held"))


def test_every_outcome_is_of_one_degree() -> None:
    assert of(Settled.HELD) == ("held",)
    assert set(of(Settled.UNPLACED)) == {"unknown_attempt", "quarantined"}
    assert set(of(Settled.CLOSED)) == {"discarded", "repeat", "late", "contradiction"}
    assert set(of(Settled.IN_EFFECT)) == {"passed_on", "applied", "adopted"}
    assert set(of(*Settled)) == set(ALL) - {None, "of a newer release"}

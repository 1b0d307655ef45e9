"""When a transfer is given up, and what counts towards that."""

from datetime import UTC, datetime, timedelta

import pytest

from services.media.domain import EndsEarlyError, TroubleError, UnreachableError
from services.media.objects import StorageAwayError
from services.media.patience import Patience, Tries
from services.media.reports import Setback
from shared.contracts.videos import FailureCode

BEGAN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
DEADLINE_AT = BEGAN + timedelta(minutes=30)
PATIENCE = Patience(
    deadline=timedelta(minutes=30),
    retry_first=timedelta(seconds=1),
    retry_most=timedelta(seconds=30),
    early_ends=3,
    unreachable_for=timedelta(minutes=5),
    with_writers=timedelta(seconds=30),
)
REFUSED = UnreachableError("The video's server can't be reached.", "Check the address, then retry.")
BUSY = TroubleError(FailureCode.SOURCE_UNREACHABLE, "The video's server has trouble of its own.", "Retry later.")
AWAY = StorageAwayError("down")


def after(*setbacks: Setback) -> Tries:
    """Return what is known after these tries, one a minute."""
    tries = Tries()
    for minute, setback in enumerate(setbacks):
        tries = Tries.of(tries.fields).and_then(setback, BEGAN + timedelta(minutes=minute))
    return tries


def ends(tries: Tries, minute: int, *, imported: bool) -> bool:
    at = BEGAN + timedelta(minutes=minute)
    return PATIENCE.ends(tries, imported=imported, deadline_at=DEADLINE_AT, next_try_at=at)


def test_an_import_from_nowhere_is_given_up_soon() -> None:
    assert not ends(after(*[REFUSED] * 4), 4, imported=True)
    assert ends(after(*[REFUSED] * 5), 5, imported=True)


def test_a_result_that_was_paid_for_gets_the_whole_deadline() -> None:
    assert not ends(after(*[REFUSED] * 29), 29, imported=False)
    assert ends(after(*[REFUSED] * 30), 30, imported=False)


@pytest.mark.parametrize("other", [BUSY, AWAY, EndsEarlyError()])
def test_only_tries_in_a_row_count_as_out_of_reach(other: Setback) -> None:
    assert not ends(after(*[REFUSED] * 4, other, *[REFUSED] * 4), 9, imported=True)


def test_storage_that_is_away_never_counts() -> None:
    assert not ends(after(*[AWAY] * 29), 29, imported=True)
    assert not ends(after(*[AWAY] * 20, REFUSED), 21, imported=True)


def test_a_server_that_answers_gets_the_whole_deadline() -> None:
    assert not ends(after(*[BUSY] * 29), 29, imported=True)


@pytest.mark.parametrize("imported", [True, False])
def test_a_source_that_ends_early_each_time_is_given_up(*, imported: bool) -> None:
    assert not ends(after(EndsEarlyError(), EndsEarlyError(), AWAY), 3, imported=imported)
    assert ends(after(EndsEarlyError(), AWAY, EndsEarlyError(), EndsEarlyError()), 4, imported=imported)

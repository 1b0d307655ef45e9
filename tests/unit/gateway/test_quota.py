"""Slots of the quota: found, refused, and not looked for without end."""

from typing import cast

import pytest

from services.gateway.store.videos import Videos
from services.gateway.workflow.quota import LARGE, MOST_MISSES, Quota, QuotaReachedError


class Taken:
    """The slots that running videos of anybody have."""

    def __init__(self, *slots: int) -> None:
        self.slots = set(slots)

    async def taken_slots(self, _: str) -> set[int]:
        return self.slots


def quota(taken: Taken, most: int) -> Quota:
    return Quota(cast("Videos", taken), most)


async def test_the_first_free_slot_is_next() -> None:
    assert await quota(Taken(0, 1, 3), 5).next_slot("ann", 1) == 2


async def test_where_all_are_taken_none_is_next() -> None:
    with pytest.raises(QuotaReachedError):
        await quota(Taken(0, 1, 2), 3).next_slot("ann", 1)


async def test_in_a_large_quota_the_taken_ones_are_read_after_some_guesses() -> None:
    large = quota(Taken(0), LARGE + 1)
    assert await large.next_slot("ann", 5) == 1


@pytest.mark.parametrize("most", [3, LARGE + 1])
async def test_a_slot_that_is_taken_although_no_video_has_it_is_not_tried_for_ever(most: int) -> None:
    """So a database answers whose index kept what the documents gave up."""
    broken = quota(Taken(), most)
    for misses in range(1, MOST_MISSES + 1):
        await broken.next_slot("ann", misses)
    with pytest.raises(QuotaReachedError):
        await broken.next_slot("ann", MOST_MISSES + 1)

"""Which job of an attempt may begin beside those under way."""

from typing import Any

import pytest

from services.generator.places import room_for_calls
from services.generator.store import AWAIT, DISPATCH, STOP


def jobs(*kinds: str) -> list[dict[str, Any]]:
    return [{"job": {"kind": kind}} for kind in kinds]


CALLS_ONLY = {"job.kind": DISPATCH}


@pytest.mark.parametrize(
    ("places", "running", "query"),
    [
        (8, jobs(AWAIT, AWAIT, STOP), {}),
        (8, jobs(AWAIT, AWAIT, STOP, STOP), CALLS_ONLY),
        (8, jobs(AWAIT, STOP, *[DISPATCH] * 5), {}),
        (1, jobs(), {}),
        (1, jobs(AWAIT), CALLS_ONLY),
    ],
)
def test_what_is_no_call_takes_half_of_the_places_at_most(
    places: int, running: list[dict[str, Any]], query: dict[str, str]
) -> None:
    assert room_for_calls(places)(running) == query

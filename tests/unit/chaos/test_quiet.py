"""When a run counts as quiet, and how a live stream is read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.evidence import Evidence
from tests.chaos.quiet import still_busy
from tests.chaos.streams import frames
from tests.unit.chaos.bad_history import KEY, changed, good, run, with_stored

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOON = NOW + timedelta(seconds=40)
LATE = NOW + timedelta(hours=1)


def test_a_good_end_is_quiet() -> None:
    assert list(still_busy(good().stored, NOW)) == []


@pytest.mark.parametrize(
    "evidence",
    [
        changed("videos", status="processing"),
        changed("videos", status="failed", stage="adopting"),
        changed("receipts", job={"kind": "reannounce"}),
        changed("assets", outboxAt=NOW),
        changed("workflows", state="calling"),
        with_stored(executions=[run(owes="complete")]),
        with_stored(objects={KEY: 10, "lost.mp4": 1}, claims=[{"_id": "lost.mp4", "videoId": "x", "sweepAt": SOON}]),
    ],
)
def test_what_is_under_way_is_waited_for(evidence: Evidence) -> None:
    assert list(still_busy(evidence.stored, NOW))


def test_nobody_waits_for_what_is_swept_in_an_hour() -> None:
    lost = {"_id": "lost.mp4", "videoId": "x", "sweepAt": LATE}
    evidence = with_stored(objects={KEY: 10, "lost.mp4": 1}, claims=[lost])
    assert list(still_busy(evidence.stored, NOW)) == []


async def test_frames_are_read_as_browsers_do() -> None:
    lines = ["retry: 500", "", ":", "", "id: 4", "event: ready", 'data: {"seq":4}', "", 'data: {"cut":']

    async def coming() -> AsyncIterator[str]:
        for line in lines:
            yield line

    assert [frame async for frame in frames(coming())] == [("ready", "4", {"seq": 4})]

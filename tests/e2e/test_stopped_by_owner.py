"""A video stopped or deleted by its owner while it is made stays so, whatever comes late.

The engine of these tests can't be stopped, as an older n8n: what comes late is what they are about.
"""

from functools import partial

import pytest

from tests.conftest import User
from tests.driving import (
    ask,
    eventually,
    marker_passed,
    status_of,
    wait_for_stage,
)
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)

ENDS = ("complete", "error")


async def reported(engine: Engine, video_id: str) -> bool:
    """Return whether the workflow has sent the result of a video, whatever it was answered."""
    runs = await engine.executions(video_id)
    return any(sent["purpose"] == "complete" for run in runs for sent in run["callbacks"])


async def test_cancelling_ends_it_for_good(user: User, engine: Engine) -> None:
    await engine.fault("Cancel me", {"kind": "slow", "seconds": 12}, {"kind": "cannot-stop"})
    video_id = await ask(user.client, "Cancel me")
    await wait_for_stage(user.client, video_id, "rendering")
    answer = await user.client.post(f"/api/video/cancel/{video_id}")
    assert answer.status_code == 202, answer.text

    await eventually(partial(reported, engine, video_id), "the workflow reports although nobody waits for it")
    await marker_passed(user)
    video = await status_of(user.client, video_id)
    assert (video["status"], video["error"]["code"]) == ("failed", "CANCELLED")


async def test_deleting_a_running_job_discards_what_comes_late(user: User, engine: Engine) -> None:
    await engine.fault("Delete me early", {"kind": "slow", "seconds": 12}, {"kind": "cannot-stop"})
    video_id = await ask(user.client, "Delete me early")
    await wait_for_stage(user.client, video_id, "rendering")
    assert (await user.client.delete(f"/api/video/delete/{video_id}")).status_code == 200

    await eventually(partial(reported, engine, video_id), "the workflow reports although the video is gone")
    await marker_passed(user)
    assert (await user.client.get(f"/api/video/status/{video_id}")).status_code == 404
    notes = (await user.client.get("/api/notifications")).json()["data"]["notifications"]
    assert not [note for note in notes if note.get("videoId") == video_id and note["type"] in ENDS]

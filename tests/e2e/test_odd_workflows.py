"""Workflows that fail, lie, or repeat themselves: each video ends once, and each run is paid once."""

import uuid
from datetime import datetime, timedelta

import pytest

from services.generator.search import CLOCK_STEP
from shared.contracts.wire import utc_now
from tests.conftest import User
from tests.driving import (
    Json,
    ask,
    eventually,
    listening,
    marker_passed,
    status_of,
    wait_for_stage,
    wait_for_status,
)
from tests.e2e.conftest import Engine
from tests.waiting import until

pytestmark = pytest.mark.timeout(240)

ENDS = ("complete", "error")


async def test_a_failed_workflow_is_told_and_can_be_tried_again(user: User, engine: Engine) -> None:
    await engine.fault("Fails once", {"kind": "fail", "message": "Avatar generation failed", "times": 1})
    async with listening(user.client) as stream:
        video_id = await ask(user.client, "Fails once")
        told = await stream.wait_for(video_id, "error")
        assert (told["status"], told["message"]) == ("error", "Video creation failed. Please try again.")
        failed = await wait_for_status(user.client, video_id, "failed")
        assert failed["error"]["code"] == "WORKFLOW_FAILED"
        assert "Avatar generation failed" in failed["error"]["message"]
        assert failed["error"]["retryable"] is True
        again = await user.client.post(f"/api/video/retry/{video_id}")
        assert (again.status_code, again.json()["data"]["attempt"]) == (202, 2)
        await stream.wait_for(video_id, "complete")
    await wait_for_status(user.client, video_id, "ready")
    assert [run["attempt"] for run in await engine.executions(video_id)] == [1, 2]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "started-error", "status": 500},
        {"kind": "started-cut"},
        {"kind": "callback-twice", "together": True},
        {"kind": "complete-before-progress"},
        {"kind": "error-after-complete"},
        {"kind": "another-result"},
        {"kind": "answer-last"},
        {"kind": "no-execution-id"},
        {"kind": "callback-auth", "auth": "secret"},
        {"kind": "callback-auth", "auth": "signature"},
        {"kind": "file-cut"},
        {"kind": "file-chunked"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_an_odd_workflow_still_delivers_once_and_is_paid_once(user: User, engine: Engine, fault: Json) -> None:
    title = f"Odd {uuid.uuid4().hex[:6]}"
    await engine.fault(title, fault)
    async with listening(user.client) as stream:
        video_id = await ask(user.client, title)
        await stream.wait_for(video_id, "complete")
        await marker_passed(user)
        assert len(stream.about(video_id, *ENDS)) == 1
    assert len(await engine.executions(video_id)) == 1


async def has_run_before(user: User, engine: Engine) -> None:
    """Return when the engine shows a run of some seconds ago: only so it is believed that there is none."""
    video_id = await ask(user.client, "Before")
    await wait_for_status(user.client, video_id, "ready")
    (run,) = await engine.executions(video_id)
    began = datetime.fromisoformat(run["startedAt"])
    await until(lambda: utc_now() - began > CLOCK_STEP + timedelta(seconds=2), "it began seconds ago")


@pytest.mark.parametrize("status", [404, 429, 503])
async def test_what_was_refused_is_called_again(user: User, engine: Engine, status: int) -> None:
    await has_run_before(user, engine)
    title = f"Refused {status} {uuid.uuid4().hex[:6]}"
    await engine.fault(title, {"kind": "refuse", "status": status, "times": 2})
    video_id = await ask(user.client, title)
    await wait_for_status(user.client, video_id, "ready")
    assert len(await engine.executions(video_id)) == 1


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
async def test_what_began_and_was_answered_no_is_paid_once(user: User, engine: Engine, status: int) -> None:
    """A proxy that lost the engine answers so; and no progress report tells that it runs."""
    await has_run_before(user, engine)
    title = f"Began {status} {uuid.uuid4().hex[:6]}"
    silent = {"kind": "callback-never", "purposes": ["progress"]}
    await engine.fault(title, {"kind": "started-error", "status": status}, silent, {"kind": "slow", "seconds": 5})
    async with listening(user.client) as stream:
        video_id = await ask(user.client, title)
        await stream.wait_for(video_id, "complete")
    await wait_for_stage(user.client, video_id, "ready")  # what failed by a 403 may read so for a moment after the news
    assert len(await engine.executions(video_id)) == 1


@pytest.mark.parametrize("auth", ["wrong-secret", "wrong-signature", "wrong-token", "none"])
async def test_a_callback_that_proves_nothing_changes_nothing(user: User, engine: Engine, auth: str) -> None:
    title = f"Unproven {uuid.uuid4().hex[:6]}"
    await engine.fault(title, {"kind": "callback-auth", "auth": auth})
    video_id = await ask(user.client, title)

    async def refused() -> bool:
        runs = await engine.executions(video_id)
        return any(sent["status"] == 401 for run in runs for sent in run["callbacks"] if sent["purpose"] == "complete")

    await eventually(refused, "the completion callback is refused")
    assert (await status_of(user.client, video_id))["status"] in ("pending", "processing")


@pytest.mark.parametrize(
    ("fault", "code"),
    [({"kind": "file-not-video"}, "NOT_A_VIDEO"), ({"kind": "file-too-large", "announced": True}, "SOURCE_TOO_LARGE")],
    ids=["not-a-video", "too-large"],
)
async def test_a_file_that_is_no_video_fails_with_a_reason(user: User, engine: Engine, fault: Json, code: str) -> None:
    title = f"Bad file {code}"
    await engine.fault(title, fault)
    video_id = await ask(user.client, title)
    failed = await wait_for_status(user.client, video_id, "failed")
    assert failed["error"]["code"] == code
    assert "downloadUrl" not in failed

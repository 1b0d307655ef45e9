"""The whole story of a video, across the services, as its owner reads it."""

import uuid

import pytest

from tests.conftest import User
from tests.driving import Json, ask, eventually, timeline_of, timeline_with, wait_for_status
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)


async def judged(user: User, video_id: str, *outcomes: str) -> Json:
    """Return the timeline once it says what came of the reported ends, which it learns after their effects."""
    ends = ("webhook.error", "webhook.complete")

    async def look() -> Json | None:
        timeline = await timeline_of(user.client, video_id)
        found = [entry.get("outcome") for entry in timeline["entries"] if entry["code"] in ends]
        return timeline if None not in found and sorted(found) == sorted(outcomes) else None

    return await eventually(look, f"reports: {outcomes}")


def codes(timeline: Json, attempt: int) -> list[str]:
    return [entry["code"] for entry in timeline["entries"] if entry["attempt"] == attempt]


async def test_a_refused_call_a_failed_attempt_and_a_retried_transfer(user: User, engine: Engine) -> None:
    title = f"Eventful {uuid.uuid4().hex[:6]}"
    await engine.fault(
        title,
        {"kind": "refuse", "status": 404, "times": 1},
        {"kind": "fail", "message": "No avatar at https://api.example.com/v1?token=geheim", "times": 1},
        {"kind": "file-error", "status": 503, "times": 1},
        {"kind": "slow", "seconds": 1},
    )
    video_id = await ask(user.client, title)
    await wait_for_status(user.client, video_id, "failed")
    failed = await timeline_with(user.client, video_id, (1, "workflow.failed"), (1, "told"), (1, "webhook.error"))
    assert failed["why"].startswith("The rendering failed: No avatar at https://api.example.com")
    order = ["requested", "call.refused", "call.taken", "workflow.started", "webhook.error", "workflow.failed", "told"]
    assert [code for code in codes(failed, 1) if code in order] == order

    assert (await user.client.post(f"/api/video/retry/{video_id}")).status_code == 202
    await wait_for_status(user.client, video_id, "ready")
    await timeline_with(user.client, video_id, (2, "told"), (2, "transfer.probed"), (2, "webhook.complete"))
    ready = await judged(user, video_id, "applied", "applied")
    order = ["retry_requested", "call.taken", "webhook.complete", "workflow.completed", "transfer.started"]
    order += ["transfer.try_failed", "transfer.probed", "ready", "told"]
    assert [code for code in codes(ready, 2) if code in order] == order
    assert codes(ready, 1) == codes(failed, 1)
    assert "why" not in ready
    assert ready["standing"] == "The video is ready to watch."

    entries = ready["entries"]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    assert {entry["service"] for entry in entries} == {"gateway", "generator", "media", "notifier"}
    assert [entry["code"] for entry in entries if len(entry.get("traceId", "")) != 32] == []
    assert all(len(entry["message"]) <= 400 and entry["message"].endswith(".") for entry in entries)
    assert "geheim" not in str(ready)
    assert "First the roof" not in str(ready)


async def test_what_contradicts_is_told_and_stands_beside_the_result(user: User, engine: Engine) -> None:
    title = f"Contradicted {uuid.uuid4().hex[:6]}"
    await engine.fault(title, {"kind": "error-after-complete", "message": "Failed after completion"})
    video_id = await ask(user.client, title)
    await wait_for_status(user.client, video_id, "ready")
    await timeline_with(user.client, video_id, (1, "report.contradiction"), (1, "webhook.error"))
    timeline = await judged(user, video_id, "applied", "contradiction")
    (told,) = [entry for entry in timeline["entries"] if entry["code"] == "report.contradiction"]
    assert (told["service"], told["level"]) == ("generator", "warning")
    assert told["message"] == (
        "The workflow reported a failure, but this attempt was finished already, so the report changes nothing."
    )

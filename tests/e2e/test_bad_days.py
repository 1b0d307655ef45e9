"""Bad input and bad days: everything that is accepted ends, once, whatever is away, killed or lying."""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest

from deploy.local.stack import LocalStack
from shared.access.webhook_signatures import sign
from tests.conftest import User
from tests.driving import (
    GENERATE,
    Json,
    ask,
    eventually,
    listening,
    status_of,
    wait_for_stage,
    wait_for_status,
)
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)

ENDS = ("complete", "error")


@asynccontextmanager
async def away(stack: LocalStack, name: str) -> AsyncIterator[None]:
    """Have one process killed for a while."""
    await stack.kill(name)
    try:
        yield
    finally:
        if stack.pid(name) is None:
            await stack.start(name)


async def reported(engine: Engine, video_id: str) -> bool:
    """Return whether the workflow has sent the result of a video, whatever it was answered."""
    runs = await engine.executions(video_id)
    return any(sent["purpose"] == "complete" for run in runs for sent in run["callbacks"])


async def webhook(stack: LocalStack, path: str, body: Json, **headers: str) -> httpx.Response:
    """Post a callback as n8n would."""
    async with httpx.AsyncClient(base_url=stack.url("gateway"), timeout=15) as n8n:
        return await n8n.post(f"/api/webhook/{path}", json=body, headers=headers)


# --- a workflow that fails or lies ------------------------------------------------------------------------


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
    assert (await status_of(user.client, video_id))["status"] == "ready"
    assert [run["attempt"] for run in await engine.executions(video_id)] == [1, 2]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "started-error", "status": 500},
        {"kind": "started-cut"},
        {"kind": "callback-twice", "together": True},
        {"kind": "complete-before-progress"},
        {"kind": "error-after-complete"},
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


async def marker_passed(user: User) -> None:
    """Let another video of the same user go through all of it: what was still under way has arrived by then."""
    await wait_for_status(user.client, await ask(user.client, "Marker"), "ready")


@pytest.mark.parametrize("status", [404, 429, 503])
async def test_a_certain_refusal_is_called_again(user: User, engine: Engine, status: int) -> None:
    title = f"Refused {status} {uuid.uuid4().hex[:6]}"
    await engine.fault(title, {"kind": "refuse", "status": status, "times": 2})
    video_id = await ask(user.client, title)
    await wait_for_status(user.client, video_id, "ready")
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


# --- bad input --------------------------------------------------------------------------------------------


async def test_bad_input_is_named_and_nothing_is_stored(
    user: User, client: httpx.AsyncClient, stack: LocalStack
) -> None:
    wrong = await user.client.post("/api/video/generate-video", json={**GENERATE, "email": "nowhere", "hook": 3})
    assert wrong.status_code == 422
    assert {"email", "hook"} <= set(wrong.json()["error"]["fields"])
    large = await user.client.post("/api/video/generate-video", json={**GENERATE, "body": "x" * 300_000})
    assert (large.status_code, large.json()["success"]) == (413, False)
    assert (await client.post("/api/video/generate-video", json=GENERATE)).status_code == 401
    assert (await user.client.get("/api/video/gallery")).json()["data"]["videos"] == []
    body = {"videoId": "nobody_1", "status": "ready", "videoUrl": "http://127.0.0.1/x.mp4"}
    assert (await webhook(stack, "video-complete", body)).status_code == 401
    assert (await webhook(stack, "video-complete", body, **{"X-Webhook-Secret": "guess"})).status_code == 401
    old = sign(stack.webhook_secret, "m1", int(time.time()) - 3600, b"{}")
    assert (await webhook(stack, "video-complete", body, **old)).status_code == 401


async def test_a_webhook_for_an_unknown_video_is_kept_as_unmatched(stack: LocalStack) -> None:
    body = {"videoId": "nobody_1", "status": "failed", "error": "whatever"}
    answer = await webhook(stack, "video-complete", body, **{"X-Webhook-Secret": stack.webhook_secret})
    assert (answer.status_code, answer.json()["data"]["matched"]) == (202, False)
    again = await webhook(stack, "video-complete", body, **{"X-Webhook-Secret": stack.webhook_secret})
    assert again.json()["data"]["receiptId"] == answer.json()["data"]["receiptId"]


# --- something is away ------------------------------------------------------------------------------------


async def test_kafka_away_requests_and_webhooks_are_accepted_and_flow_later(
    user: User, stack: LocalStack, engine: Engine
) -> None:
    await engine.fault("Reported while Kafka was away", {"kind": "callback-never"})
    waiting = await ask(user.client, "Reported while Kafka was away")
    await wait_for_stage(user.client, waiting, "rendering")
    async with away(stack, "kafka"):
        asked = await ask(user.client, "Asked while Kafka was away")
        body = {"videoId": waiting, "status": "failed", "error": "no more"}
        answer = await webhook(stack, "video-complete", body, **{"X-Webhook-Secret": stack.webhook_secret})
        assert (answer.status_code, answer.json()["data"]["matched"]) == (202, True)
        assert (await status_of(user.client, asked))["status"] == "pending"
    await wait_for_status(user.client, asked, "ready", 90)
    await wait_for_status(user.client, waiting, "failed", 90)


async def test_database_away_is_a_503_that_says_when_to_come_back(user: User, stack: LocalStack) -> None:
    async with away(stack, "gateway-db"):
        answer = await user.client.post("/api/video/generate-video", json=GENERATE)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]["code"] == "UNAVAILABLE"
    await wait_for_status(user.client, await ask(user.client, "Back again"), "ready", 90)


@pytest.mark.parametrize("name", ["generator-db", "media-db", "notifier-db"])
async def test_a_service_without_its_database_goes_on_when_it_is_back(user: User, stack: LocalStack, name: str) -> None:
    async with listening(user.client) as stream:
        async with away(stack, name):
            video_id = await ask(user.client, f"Without {name}")
        await stream.wait_for(video_id, "complete", 90)


async def test_workflow_engine_away_the_video_stays_pending_and_is_tried_again(
    user: User, stack: LocalStack, engine: Engine
) -> None:
    async with away(stack, "workflow"):
        video_id = await ask(user.client, "Engine away")
        assert (await status_of(user.client, video_id))["status"] == "pending"
    await wait_for_status(user.client, video_id, "ready", 90)
    assert len(await engine.executions(video_id)) == 1


async def test_storage_away_the_transfer_is_repeated(user: User, stack: LocalStack, engine: Engine) -> None:
    async with away(stack, "s3"):
        video_id = await ask(user.client, "Storage away")

        async def delivered() -> bool:
            return any(run["status"] == "success" for run in await engine.executions(video_id))

        await eventually(delivered, "the workflow is done while the storage is away")
    await wait_for_status(user.client, video_id, "ready", 120)


async def test_a_deadline_ends_a_job_that_nobody_reports_on(user: User, stack: LocalStack, engine: Engine) -> None:
    await engine.fault("Never heard of again", {"kind": "callback-never"})
    before = stack.settings("generator").get("WORKFLOW_DEADLINE", "PT45M")
    await stack.restart("generator", {"WORKFLOW_DEADLINE": "PT8S"})
    try:
        video_id = await ask(user.client, "Never heard of again")
        failed = await wait_for_status(user.client, video_id, "failed")
        assert failed["error"]["code"] == "WORKFLOW_TIMEOUT"
        assert failed["error"]["retryable"] is True
    finally:
        await stack.restart("generator", {"WORKFLOW_DEADLINE": before})


# --- killed at any moment ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["queued", "rendering", "transferring"])
@pytest.mark.parametrize("name", ["gateway", "generator", "media", "notifier"])
async def test_a_service_killed_at_any_moment_goes_on_and_nothing_happens_twice(
    user: User, stack: LocalStack, engine: Engine, name: str, stage: str
) -> None:
    title = f"Kill {name} while {stage}"
    await engine.fault(title, {"kind": "file-slow", "bytesPerSecond": 400_000})
    video_id = await ask(user.client, title)
    if stage != "queued":
        await wait_for_stage(user.client, video_id, stage, "ready")
    await stack.kill(name)
    await stack.start(name)
    await wait_for_status(user.client, video_id, "ready", 90)
    assert len(await engine.executions(video_id)) == 1

    async def told() -> list[Json] | None:
        notes = (await user.client.get("/api/notifications")).json()["data"]["notifications"]
        return [note for note in notes if note["videoId"] == video_id and note["type"] in ENDS] or None

    assert [note["type"] for note in await eventually(told, "the end is notified")] == ["complete"]


async def test_a_stream_resumes_after_its_notifier_was_killed(user: User, stack: LocalStack) -> None:
    async with listening(user.client) as stream:
        first = await ask(user.client, "Before the kill")
        await stream.wait_for(first, "complete")
        last_seen = stream.seen[-1][1]
    await stack.kill("notifier")
    second = await ask(user.client, "During the kill")
    await stack.start("notifier")
    async with listening(user.client, last_seen) as stream:
        await stream.wait_for(second, "complete", 90)
        ids = [
            int(event_id) for name, event_id, data in stream.seen if name == "video-download-update" and "seq" in data
        ]
        assert ids == list(range(int(last_seen) + 1, int(last_seen) + 1 + len(ids)))


# --- stopped by its owner ---------------------------------------------------------------------------------


async def test_cancelling_ends_it_for_good(user: User, engine: Engine) -> None:
    await engine.fault("Cancel me", {"kind": "slow", "seconds": 4})
    video_id = await ask(user.client, "Cancel me")
    await wait_for_stage(user.client, video_id, "rendering")
    answer = await user.client.post(f"/api/video/cancel/{video_id}")
    assert answer.status_code == 202, answer.text

    await eventually(partial(reported, engine, video_id), "the workflow reports although nobody waits for it")
    await marker_passed(user)
    video = await status_of(user.client, video_id)
    assert (video["status"], video["error"]["code"]) == ("failed", "CANCELLED")


async def test_deleting_a_running_job_discards_what_comes_late(user: User, engine: Engine) -> None:
    await engine.fault("Delete me early", {"kind": "slow", "seconds": 3})
    video_id = await ask(user.client, "Delete me early")
    await wait_for_stage(user.client, video_id, "rendering")
    assert (await user.client.delete(f"/api/video/delete/{video_id}")).status_code == 200

    await eventually(partial(reported, engine, video_id), "the workflow reports although the video is gone")
    await marker_passed(user)
    assert (await user.client.get(f"/api/video/status/{video_id}")).status_code == 404
    notes = (await user.client.get("/api/notifications")).json()["data"]["notifications"]
    assert not [note for note in notes if note.get("videoId") == video_id and note["type"] in ENDS]

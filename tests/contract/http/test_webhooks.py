"""What n8n reports: the shapes, the three ways to authenticate, and what is stored."""

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.access.callback_urls import CallbackGrant, Purpose, callback_url
from shared.access.webhook_signatures import sign
from shared.contracts.events import CompletionReported, ProgressReported, WorkflowErrorReported
from tests.contract.http.shapes import refusal, success
from tests.driving import eventually
from tests.integration.gateway.world import World, unknown_video

RECEIVED = {"receiptId": str, "matched": bool}
LINK = "https://n8n.example.com/out/a.mp4"


def ready(video_id: str) -> dict[str, Any]:
    return {"videoId": video_id, "status": "ready", "videoUrl": LINK, "metadata": {"size": 7, "format": "mp4"}}


def granted_url(world: World, purpose: Purpose, video_id: str, attempt: int = 1, minutes: int = 5) -> str:
    expires = datetime.now(UTC) + timedelta(minutes=minutes)
    grant = CallbackGrant(video_id, attempt, purpose)
    return callback_url(world.stack.url("gateway"), world.stack.webhook_secret, grant, expires)


async def receipts(world: World, video_id: str) -> list[dict[str, Any]]:
    return await world.database["receipts"].find({"videoId": video_id}).to_list()


async def test_completion_with_the_shared_secret(world: World) -> None:
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    body = {**ready(video_id), "s3Key": "videos/u/1.mp4", "executionId": 77, "more": True}
    data = success(await world.post_webhook("video-complete", body), 202, RECEIVED)
    assert data["matched"] is True
    event = await world.told(CompletionReported, video_id=video_id)
    assert (event.receipt_id, event.status, event.video_url) == (data["receiptId"], "ready", LINK)
    assert (event.s3_key, event.execution_id, event.attempt) == ("videos/u/1.mp4", "77", None)
    (receipt,) = await receipts(world, video_id)
    assert json.loads(receipt["body"]) == body

    async def kept_until() -> datetime | None:
        (receipt,) = await receipts(world, video_id)
        return receipt.get("expiresAt")

    assert await eventually(kept_until, "passed on") - receipt["receivedAt"] >= timedelta(hours=76)


async def test_completion_with_a_signature(world: World) -> None:
    video_id = await (await world.person()).ask()
    raw = json.dumps({"videoId": video_id, "status": "failed", "error": "No avatar"}, indent=2).encode()
    headers = sign(world.stack.webhook_secret, uuid.uuid4().hex, int(time.time()), raw)
    client = world.client()
    success(await client.post("/api/webhook/video-complete", content=raw, headers=headers), 202, RECEIVED)
    other = raw.replace(b"No avatar", b"No voices")
    refusal(
        await client.post("/api/webhook/video-complete", content=other, headers=headers), 401, "WEBHOOK_UNAUTHENTICATED"
    )
    assert len(await receipts(world, video_id)) == 1


async def test_completion_with_a_callback_url(world: World) -> None:
    await world.watch()
    video_id = await (await world.person()).ask()
    url = granted_url(world, "complete", video_id, attempt=3)
    answer = await world.client().post(url, json={"status": "ready", "videoUrl": LINK})
    success(answer, 202, RECEIVED)
    event = await world.told(CompletionReported, video_id=video_id)
    assert event.attempt == 3


@pytest.mark.parametrize("foreign", [{"videoId": "other_1"}, {"attempt": 2}], ids=str)
async def test_a_callback_url_is_for_its_own_attempt(world: World, foreign: dict[str, Any]) -> None:
    video_id = unknown_video()
    url = granted_url(world, "complete", video_id)
    answer = await world.client().post(url, json={**ready(video_id), **foreign})
    refusal(answer, 403, "FOREIGN_CALLBACK", *foreign)
    assert await receipts(world, video_id) == []
    assert await receipts(world, "other_1") == []


async def test_no_other_purpose_and_not_for_ever(world: World) -> None:
    video_id = unknown_video()
    client = world.client()
    for url in (
        granted_url(world, "progress", video_id).replace("workflow-progress", "video-complete"),
        granted_url(world, "complete", video_id, minutes=-1),
        granted_url(world, "complete", video_id)[:-1],
    ):
        refusal(await client.post(url, json=ready(video_id)), 401, "WEBHOOK_UNAUTHENTICATED")
    assert await receipts(world, video_id) == []


@pytest.mark.parametrize("path", ["video-complete", "workflow-error", "workflow-progress"])
@pytest.mark.parametrize(
    "headers", [{"X-Webhook-Secret": "wrong"}, {"X-Webhook-Secret": ""}, {"X-Other": "1"}, {"webhook-id": "1"}], ids=str
)
async def test_nothing_is_stored_of_strangers(world: World, path: str, headers: dict[str, str]) -> None:
    video_id = unknown_video()
    body = {**ready(video_id), "attempt": 1, "executionId": video_id, "errorMessage": "x"}
    refusal(await world.post_webhook(path, body, **headers), 401, "WEBHOOK_UNAUTHENTICATED")
    assert await receipts(world, video_id) == []
    assert await world.database["receipts"].find_one({"executionId": video_id}) is None


async def test_an_unknown_video_is_stored_and_unmatched(world: World) -> None:
    await world.watch()
    video_id = unknown_video()
    data = success(await world.post_webhook("video-complete", ready(video_id)), 202, RECEIVED)
    assert data["matched"] is False
    await world.told(CompletionReported, video_id=video_id)


async def test_repeats_get_the_same_receipt(world: World) -> None:
    await world.watch()
    video_id = await (await world.person()).ask()
    first = await world.post_webhook("video-complete", ready(video_id))
    again = await world.post_webhook("video-complete", ready(video_id))
    assert first.json() == again.json()
    assert len(await receipts(world, video_id)) == 1
    await world.told(CompletionReported, video_id=video_id)
    assert len(world.all_told(CompletionReported, video_id=video_id)) == 1


async def test_the_same_words_about_the_next_attempt_are_news(world: World) -> None:
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    failed = {"videoId": video_id, "status": "failed", "error": "No credits left"}
    first = await world.post_webhook("video-complete", failed)
    await person.client.post(f"/api/video/cancel/{video_id}")
    await person.client.post(f"/api/video/retry/{video_id}")
    second = await world.post_webhook("video-complete", failed)
    again = await world.post_webhook("video-complete", failed)
    assert first.json()["data"]["receiptId"] != second.json()["data"]["receiptId"]
    assert again.json() == second.json()
    receipt_id = second.json()["data"]["receiptId"]
    await world.told(CompletionReported, video_id=video_id, receipt_id=receipt_id)


async def test_a_key_that_is_reused_for_other_news_loses_nothing(world: World) -> None:
    await world.watch()
    video_id = await (await world.person()).ask()
    headers = {"X-Webhook-Secret": world.stack.webhook_secret, "Idempotency-Key": "always the same"}
    failed = {"videoId": video_id, "status": "failed", "error": "first"}
    one = await world.post_webhook("video-complete", failed, **headers)
    two = await world.post_webhook("video-complete", ready(video_id), **headers)
    three = await world.post_webhook("video-complete", ready(video_id), **headers)
    assert one.json()["data"]["receiptId"] != two.json()["data"]["receiptId"]
    assert two.json() == three.json()
    await world.told(CompletionReported, video_id=video_id, status="ready")
    await world.told(CompletionReported, video_id=video_id, status="failed")


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("video-complete", {}, ("videoId", "status")),
        ("video-complete", {"videoId": "a_1", "status": "done"}, ("status",)),
        ("video-complete", {"videoId": "a_1", "status": "ready"}, ("videoUrl",)),
        (
            "video-complete",
            {"videoId": " ", "status": "ready", "s3Key": "", "metadata": 7},
            ("videoId", "s3Key", "metadata"),
        ),
        (
            "video-complete",
            {"videoId": "a\x00_1", "status": "failed", "executionId": "\x1b[2J", "s3Key": "a\x07"},
            ("videoId", "executionId", "s3Key"),
        ),
        ("workflow-error", {"errorMessage": "x", "executionId": "7\x00"}, ("executionId",)),
        (
            "workflow-progress",
            {"videoId": "a\x00_1", "attempt": 1, "executionId": "7\x00"},
            ("videoId", "executionId"),
        ),
        ("workflow-error", {}, ("errorMessage", "executionId")),
        ("workflow-error", {"errorMessage": " ", "executionId": {}}, ("errorMessage", "executionId")),
        ("workflow-progress", {}, ("videoId", "attempt", "executionId")),
        (
            "workflow-progress",
            {"videoId": "a_1", "attempt": 0, "executionId": "1", "progress": 101},
            ("attempt", "progress"),
        ),
        (
            "workflow-progress",
            {"videoId": "a_1", "attempt": True, "executionId": "1", "progress": True},
            ("attempt", "progress"),
        ),
    ],
)
async def test_wrong_fields_are_named(world: World, path: str, body: dict[str, Any], fields: tuple[str, ...]) -> None:
    refusal(await world.post_webhook(path, body), 422, "VALIDATION_FAILED", *fields)


@pytest.mark.parametrize("raw", [b"", b"{", b'"text"', b"[]", b'{"videoId": "\\ud800"}', b"[" * 5000, b"\xff\xfe"])
async def test_hostile_bodies_are_refused(world: World, raw: bytes) -> None:
    headers = {"X-Webhook-Secret": world.stack.webhook_secret}
    answer = await world.client().post("/api/webhook/video-complete", content=raw, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] in {"INVALID_JSON", "INVALID_BODY", "VALIDATION_FAILED"}


async def test_a_report_that_was_cut_in_the_middle_of_a_character_is_stored(world: World) -> None:
    raw = b'{"errorMessage": "Avatar broke \\ud83d", "executionId": "%s"}' % uuid.uuid4().hex.encode()
    headers = {"X-Webhook-Secret": world.stack.webhook_secret}
    success(await world.client().post("/api/webhook/workflow-error", content=raw, headers=headers), 202, RECEIVED)


async def test_too_large(world: World) -> None:
    body = {**ready("a_1"), "error": "x" * 300_000}
    refusal(await world.post_webhook("video-complete", body), 413, "BODY_TOO_LARGE")


async def test_workflow_error_by_execution(world: World) -> None:
    await world.watch()
    execution = uuid.uuid4().hex
    body = {"errorMessage": "Avatar generation failed", "executionId": execution}
    data = success(await world.post_webhook("workflow-error", body), 202, RECEIVED)
    assert data["matched"] is False
    event = await world.told(WorkflowErrorReported, execution_id=execution)
    assert (event.error_message, event.video_id, event.attempt) == ("Avatar generation failed", None, None)


async def test_workflow_error_by_callback_url(world: World) -> None:
    await world.watch()
    video_id = await (await world.person()).ask()
    url = granted_url(world, "error", video_id, attempt=2)
    data = success(await world.client().post(url, json={"errorMessage": {"message": "odd"}}), 202, RECEIVED)
    assert data["matched"] is True
    event = await world.told(WorkflowErrorReported, video_id=video_id)
    assert (event.attempt, event.execution_id) == (2, None)
    assert "odd" in event.error_message


async def test_progress(world: World) -> None:
    person = await world.person()
    await world.watch()
    video_id = await person.ask()
    execution = uuid.uuid4().hex
    body = {"videoId": video_id, "attempt": 1, "executionId": execution}
    first = await world.post_webhook("workflow-progress", {**body, "progress": 10, "message": "Rendering"})
    data = success(first, 202, RECEIVED)
    assert data["matched"] is True
    second = await world.post_webhook("workflow-progress", {**body, "progress": 20.5})
    assert second.json() == first.json()
    event = await world.told(ProgressReported, video_id=video_id, progress=10)
    assert (event.user_id, event.execution_id, event.message) == (person.user_id, execution, "Rendering")
    await world.told(ProgressReported, video_id=video_id, progress=20.5)
    assert len(await receipts(world, video_id)) == 1


async def test_tokens_never_reach_the_log(world: World) -> None:
    video_id = unknown_video()
    url = granted_url(world, "complete", video_id)
    await world.client().post(url, json=ready(video_id))
    await world.client().post(url + "x", json=ready(video_id))
    token = httpx.URL(url).params["token"]
    log = world.stack.children["gateway"].log.read_text()
    assert "/api/webhook/video-complete" in log
    assert token not in log
    assert "token=" not in log

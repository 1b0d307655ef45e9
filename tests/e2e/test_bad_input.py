"""Bad input: named, refused, and nothing stored."""

import time

import httpx
import pytest

from deploy.local.stack import LocalStack
from shared.access.webhook_signatures import sign
from tests.conftest import User
from tests.driving import (
    GENERATE,
    webhook,
)

pytestmark = pytest.mark.timeout(240)


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

"""The guard: one call is paid once, however often it comes."""

import asyncio
import uuid

import pytest

from tests.conftest import User
from tests.driving import Json, ask, eventually, wait_for_status
from tests.n8n.real_n8n import RealN8n, item_of
from tests.n8n.renderer import Renderer
from tests.waiting import until

pytestmark = pytest.mark.timeout(1200)


async def call_of(user: User, n8n: RealN8n, title: str) -> Json:
    """Return a call that Reelway made, as n8n was given it, once its video is ready."""
    video_id = await ask(user.client, title)
    await wait_for_status(user.client, video_id, "ready", 120)
    run = (await user.client.get("/api/video/history")).json()["data"]["workflows"][0]
    return item_of(await n8n.execution(run["executionId"]), "Call from Reelway")


async def ended(n8n: RealN8n, execution_id: str) -> Json:
    """Return the execution once it is over."""

    async def look() -> Json | None:
        execution = await n8n.execution(execution_id)
        return execution if execution["status"] in ("success", "error", "crashed") else None

    return await until(look, f"execution {execution_id} is over", within_seconds=60)  # type: ignore[no-any-return]


async def is_known_already(n8n: RealN8n, renderer: Renderer, call: Json) -> None:
    """Make the call again, and see that it comes to nothing."""
    answer = await n8n.call("generate-video", call)
    assert answer.status_code == 202
    execution = await ended(n8n, answer.json()["executionId"])
    assert execution["status"] == "success"
    assert execution["data"]["resultData"]["lastNodeExecuted"] == "Rendered once already"
    assert len(renderer.paid_for(call["body"]["videoId"])) == 1


async def test_the_same_call_again_is_rendered_once(user: User, n8n: RealN8n, renderer: Renderer) -> None:
    await is_known_already(n8n, renderer, await call_of(user, n8n, "Called again"))


async def test_n8n_that_was_away_is_called_again_and_knows_the_calls_of_before(
    user: User, n8n: RealN8n, renderer: Renderer
) -> None:
    call = await call_of(user, n8n, "Before n8n was away")
    await n8n.child.kill()
    video_id = await ask(user.client, "While n8n was away")

    async def refused() -> bool:
        timeline = (await user.client.get(f"/api/video/timeline/{video_id}")).json()["data"]
        return "call.refused" in [entry["code"] for entry in timeline["entries"]]

    await eventually(refused, "n8n was called")
    await n8n.start()
    await wait_for_status(user.client, video_id, "ready", 120)
    assert len(renderer.paid_for(video_id)) == 1
    await is_known_already(n8n, renderer, call)


async def test_the_same_call_twice_at_once_is_rendered_once(user: User, n8n: RealN8n, renderer: Renderer) -> None:
    call = await call_of(user, n8n, "Called at once")
    for _ in range(3):
        key = f"{uuid.uuid4()}:1"
        twin = {"headers": {"idempotency-key": key}, "body": {**call["body"], "videoId": uuid.uuid4().hex}}
        answers = await asyncio.gather(*(n8n.call("generate-video", twin) for _ in range(4)))
        for answer in answers:
            await ended(n8n, answer.json()["executionId"])
        assert [order.key for order in renderer.paid_for(twin["body"]["videoId"])] == [key]


async def test_who_does_not_know_the_header_is_refused(user: User, n8n: RealN8n, renderer: Renderer) -> None:
    call = await call_of(user, n8n, "Refused")
    n8n_unknown = {"headers": {"idempotency-key": "x:1"}, "body": {**call["body"], "videoId": uuid.uuid4().hex}}
    answer = await n8n.call("generate-video", n8n_unknown, caller="guess")
    assert answer.status_code == 403
    assert renderer.paid_for(n8n_unknown["body"]["videoId"]) == []

"""What works: a script goes through the workflows of deploy/n8n and becomes a stored video."""

import io

import av
import httpx
import pytest

from tests.conftest import User
from tests.driving import CREATE, Json, ask, eventually, wait_for_status
from tests.n8n.real_n8n import RealN8n, item_of
from tests.n8n.renderer import Moment, Renderer

pytestmark = pytest.mark.timeout(1200)


async def is_playable(client: httpx.AsyncClient, video_id: str) -> bool:
    """Return whether what the owner downloads is a video."""
    redirect = await client.get(f"/api/video/download/{video_id}")
    async with httpx.AsyncClient() as anyone:
        data = (await anyone.get(redirect.headers["location"])).content
    with av.open(io.BytesIO(data), mode="r") as container:
        return next(container.decode(container.streams.video[0])).width > 0


async def runs_of(client: httpx.AsyncClient) -> list[Json]:
    """Return the owner's workflow history."""
    return list((await client.get("/api/video/history")).json()["data"]["workflows"])


async def test_a_script_becomes_a_stored_video(user: User, n8n: RealN8n, renderer: Renderer) -> None:
    video_id = await ask(user.client, "Through n8n")
    await wait_for_status(user.client, video_id, "ready", 120)
    assert await is_playable(user.client, video_id)
    (order,) = renderer.paid_for(video_id)
    assert "callbacks" not in order.body
    assert order.key == f"{order.body['requestId']}:1"
    (run,) = await runs_of(user.client)
    execution = await n8n.execution(run["executionId"])
    assert (execution["status"], execution["mode"]) == ("success", "webhook")
    assert item_of(execution, "Tell the executionId")["statusCode"] == 202


async def test_a_prompt_goes_the_same_way(user: User, renderer: Renderer) -> None:
    answer = await user.client.post("/api/video/create", json=CREATE)
    video_id = answer.json()["data"]["videoId"]
    await wait_for_status(user.client, video_id, "ready", 120)
    assert await is_playable(user.client, video_id)
    assert len(renderer.paid_for(video_id)) == 1


async def test_a_failed_render_fails_with_its_own_words(user: User, n8n: RealN8n, renderer: Renderer) -> None:
    renderer.plan("No such avatar", fails="No avatar of that name")
    video_id = await ask(user.client, "No such avatar")
    video = await wait_for_status(user.client, video_id, "failed", 120)
    assert (video["error"]["code"], video["error"]["message"]) == ("WORKFLOW_FAILED", "No avatar of that name")
    (run,) = await runs_of(user.client)
    about = await eventually(lambda: n8n.error_run_about(run["executionId"]), "the error workflow ran", 120)
    assert about["data"]["resultData"]["lastNodeExecuted"] == "Nothing to tell"
    assert (await n8n.execution(run["executionId"]))["status"] == "error"


@pytest.mark.parametrize("moment", ["ordering", "asking"])
async def test_a_node_that_throws_is_the_failure(user: User, n8n: RealN8n, renderer: Renderer, moment: Moment) -> None:
    plan = renderer.plan(f"Broken while {moment}", fails="The studio is on fire", breaks=moment)
    video_id = await ask(user.client, f"Broken while {moment}")
    video = await wait_for_status(user.client, video_id, "failed", 120)
    assert video["error"]["code"] == "WORKFLOW_FAILED"
    assert "The studio is on fire" in video["error"]["message"]
    (run,) = await runs_of(user.client)
    execution = await n8n.execution(run["executionId"])
    assert execution["data"]["resultData"]["lastNodeExecuted"] == "Rendering failed"
    assert item_of(execution, "Tell Reelway")["statusCode"] == 202
    assert plan.asked == (5 if moment == "asking" else 0)
    assert len(renderer.paid_for(video_id)) == 1

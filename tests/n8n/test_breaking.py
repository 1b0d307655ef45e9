"""What breaks: n8n, Reelway, and what is said between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.local.stack import LocalStack
from tests.conftest import User
from tests.driving import CREATE, Json, ask, eventually, status_of, wait_for_status
from tests.n8n.real_n8n import RealN8n, item_of, runs_of_node
from tests.n8n.renderer import Plan, Renderer
from tests.waiting import until

pytestmark = pytest.mark.timeout(1200)

either_end = pytest.mark.parametrize("end", ["killed", "stopped"])


async def execution_id_of(user: User, video_id: str) -> str:
    """Return the executionId that Reelway knows of the newest video."""

    async def look() -> str | None:
        for run in (await user.client.get("/api/video/history")).json()["data"]["workflows"]:
            if run["executionId"]:
                return str(run["executionId"])
        return None

    return await eventually(look, f"the executionId of {video_id} is known")


async def ordered(renderer: Renderer, video_id: str, count: int = 1) -> None:
    """Return once that many renders were ordered for the video."""

    async def look() -> bool:
        return len(renderer.paid_for(video_id)) >= count

    await eventually(look, f"{count} orders for {video_id}", 120)


async def ordering(user: User, renderer: Renderer, title: str) -> tuple[Plan, str, str]:
    """Return the plan, the videoId and the executionId of a video whose render is ordered, and not taken yet."""
    plan = renderer.plan(title, taken=False)
    video_id = await ask(user.client, title)
    execution_id = await execution_id_of(user, video_id)
    await ordered(renderer, video_id)
    return plan, video_id, execution_id


async def has_status(n8n: RealN8n, execution_id: str, *wanted: str, seconds: float = 120) -> Json:
    """Return the execution once n8n says so."""

    async def look() -> Json | None:
        execution = await n8n.execution(execution_id)
        return execution if execution["status"] in wanted else None

    return await eventually(look, f"execution {execution_id} is {wanted}", seconds)


@asynccontextmanager
async def with_settings(stack: LocalStack, name: str, **settings: str) -> AsyncIterator[None]:
    """Run a service with other settings for a while."""
    before = {variable: stack.settings(name)[variable] for variable in settings}
    await stack.restart(name, settings)
    try:
        yield
    finally:
        await stack.restart(name, before)


async def ended(n8n: RealN8n, end: str) -> None:
    """End n8n as `end` says; return when it is gone. Asked to stop, it does so within the time it gives itself."""
    if end == "killed":
        await n8n.child.kill()
    else:
        assert await n8n.child.stop()


async def _tells_progress(user: User, video_id: str, percent: int) -> bool:
    return bool((await status_of(user.client, video_id)).get("progress") == percent)


@either_end
async def test_n8n_gone_while_it_orders_the_render_fails_and_a_retry_makes_it_ready(
    user: User, n8n: RealN8n, renderer: Renderer, end: str
) -> None:
    plan, video_id, execution_id = await ordering(user, renderer, f"{end} while ordering")
    await ended(n8n, end)
    plan.taken.set()
    await n8n.start()
    failed = await wait_for_status(user.client, video_id, "failed", 180)
    assert failed["error"]["code"] == "WORKFLOW_FAILED"
    assert "did not finish" in failed["error"]["message"]
    assert failed["error"]["retryable"] is True
    told = await eventually(lambda: n8n.error_run_about(execution_id), "the error workflow ran", 120)
    assert item_of(told, "Tell Reelway")["statusCode"] == 202
    assert (await user.client.post(f"/api/video/retry/{video_id}")).status_code == 202
    await wait_for_status(user.client, video_id, "ready", 120)
    keys = [order.key for order in renderer.paid_for(video_id)]
    assert [str(key).rpartition(":")[2] for key in keys] == ["1", "2"]


async def test_n8n_stopped_while_it_orders_lets_a_run_finish_that_soon_does(
    user: User, n8n: RealN8n, renderer: Renderer
) -> None:
    plan, video_id, _ = await ordering(user, renderer, "Finished while stopping")
    stopping = asyncio.create_task(ended(n8n, "stopped"))
    await until(lambda: "active executions to finish" in "".join(n8n.child.last_lines()), "n8n stops")
    plan.taken.set()
    await stopping
    await wait_for_status(user.client, video_id, "ready", 120)
    await n8n.start()
    assert len(renderer.paid_for(video_id)) == 1


@either_end
async def test_n8n_gone_while_it_waits_for_the_render_goes_on(
    user: User, n8n: RealN8n, renderer: Renderer, end: str
) -> None:
    title = f"{end} while waiting"
    plan = renderer.plan(title, done=False)
    video_id = await ask(user.client, title)
    execution_id = await execution_id_of(user, video_id)
    await has_status(n8n, execution_id, "waiting")
    await eventually(lambda: _tells_progress(user, video_id, 10), "the heartbeat was passed on")
    await ended(n8n, end)
    plan.done.set()
    await n8n.start()
    await wait_for_status(user.client, video_id, "ready", 180)
    assert len(renderer.paid_for(video_id)) == 1


async def test_reelway_down_while_n8n_calls_back_and_n8n_killed_while_it_waits(
    user: User, n8n: RealN8n, renderer: Renderer, stack: LocalStack
) -> None:
    plan, video_id, execution_id = await ordering(user, renderer, "Nobody answers")
    await stack.kill("gateway")
    plan.taken.set()
    execution = await has_status(n8n, execution_id, "waiting")
    assert execution["data"]["resultData"]["lastNodeExecuted"] == "Pause"
    await n8n.child.kill()
    await stack.start("gateway")
    await n8n.start()
    await wait_for_status(user.client, video_id, "ready", 180)
    execution = await has_status(n8n, execution_id, "success")
    assert len(runs_of_node(execution, "Tell Reelway")) == 2
    assert len(renderer.paid_for(video_id)) == 1


async def test_a_refused_callback_is_made_up_for_by_asking_n8n(
    user: User, n8n: RealN8n, renderer: Renderer, stack: LocalStack
) -> None:
    """A secret that changed while a video was rendered: neither the callback nor the error workflow gets through."""
    plan, video_id, execution_id = await ordering(user, renderer, "Refused")
    async with with_settings(stack, "gateway", WEBHOOK_SECRETS="another-secret-than-before"):
        plan.taken.set()
        execution = await has_status(n8n, execution_id, "error")
        assert execution["data"]["resultData"]["lastNodeExecuted"] == "Not delivered"
        await wait_for_status(user.client, video_id, "ready", 120)
    assert len(renderer.paid_for(video_id)) == 1


@pytest.mark.parametrize("wish", ["cancel", "delete"])
@pytest.mark.parametrize("moment", ["ordering", "waiting"])
async def test_what_its_owner_does_not_want_any_more_is_stopped_in_n8n(
    user: User, n8n: RealN8n, renderer: Renderer, moment: str, wish: str
) -> None:
    title = f"{wish} while {moment}"
    plan = renderer.plan(title, taken=moment == "waiting", done=False)
    video_id = await ask(user.client, title)
    execution_id = await execution_id_of(user, video_id)
    await ordered(renderer, video_id)
    await has_status(n8n, execution_id, "waiting" if moment == "waiting" else "running")
    method, wanted = ("POST", 202) if wish == "cancel" else ("DELETE", 200)
    assert (await user.client.request(method, f"/api/video/{wish}/{video_id}")).status_code == wanted
    await has_status(n8n, execution_id, "canceled")
    plan.taken.set()
    if wish == "cancel":
        assert (await wait_for_status(user.client, video_id, "failed"))["error"]["code"] == "CANCELLED"


async def test_with_signatures_instead_of_tokens(
    user: User, n8n: RealN8n, renderer: Renderer, stack: LocalStack
) -> None:
    """One workflow takes both calls. The first render takes its time, so the heartbeat is signed, too."""
    plan = renderer.plan("Signed", done=False)
    silent = CREATE | {"videoTopic": "Signed, and silent"}
    renderer.plan(silent["videoTopic"], fails="No voice")
    signed = n8n.webhook("generate-video-signed")
    both = {"GENERATE_VIDEO_WEBHOOK_URL": signed, "VIDEO_CREATION_WEBHOOK_URL": signed}
    async with with_settings(stack, "generator", **both):
        video_id = await ask(user.client, "Signed")
        execution_id = await execution_id_of(user, video_id)
        execution = await has_status(n8n, execution_id, "waiting")
        plan.done.set()
        for node in ("Tell the executionId", "Heartbeat"):
            assert item_of(execution, node)["statusCode"] == 202
        failing = (await user.client.post("/api/video/create", json=silent)).json()["data"]["videoId"]
        failed = await wait_for_status(user.client, failing, "failed", 120)
        await wait_for_status(user.client, video_id, "ready", 180)
    assert failed["error"]["message"] == "No voice"

"""What nobody reported is found by asking the workflow engine, and what nobody wants any more is stopped there."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from deploy.local.ports import free_ports
from deploy.local.processes import Child
from deploy.local.services import service
from deploy.local.site import ENGINE_VARIABLES
from deploy.local.stack import LocalStack
from tests.conftest import QUICK, User
from tests.driving import Json, ask, eventually, listening, marker_passed, status_of, wait_for_stage, wait_for_status
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)

ENDS = ("complete", "error")
IMPATIENT = {
    "WORKFLOW_ASK_EVERY": "0.5",
    "WORKFLOW_LOST_AFTER": "2",
    "WORKFLOW_ANSWER_TIMEOUT": "2",
    "JOB_LEASE": "2",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack whose generator asks soon and waits for no answer for long."""
    folder = tmp_path_factory.mktemp("stack")
    async with LocalStack(folder, engines=ENGINE_VARIABLES, overrides={**QUICK, "generator": IMPATIENT}) as stack:
        yield stack


async def run_of(engine: Engine, video_id: str) -> Json:
    """Return the one run the engine was paid for."""
    (run,) = await engine.executions(video_id)
    return run


async def started(engine: Engine, video_id: str) -> bool:
    return bool(await engine.executions(video_id))


async def has_status(engine: Engine, video_id: str, status: str) -> bool:
    return bool((await run_of(engine, video_id))["status"] == status)


NO_RESULT = {"kind": "callback-never", "purposes": ["complete"]}
SILENT = {"kind": "callback-never"}


@pytest.mark.parametrize(
    "faults",
    [
        [NO_RESULT],
        [SILENT],
        [SILENT, {"kind": "no-execution-id"}],
        [SILENT, {"kind": "started-error", "status": 500}],
        [SILENT, {"kind": "started-timeout", "seconds": 30}],
        [SILENT, {"kind": "started-cut"}],
        [{"kind": "callback-auth", "auth": "wrong-token"}],
    ],
    ids=["no-result", "silent", "nameless", "500-after-start", "timeout-after-start", "cut-mid-answer", "unproven"],
)
async def test_a_result_nobody_reported_is_found_and_paid_once(user: User, engine: Engine, faults: list[Json]) -> None:
    title = "Lost " + "-".join(fault["kind"] for fault in faults)
    await engine.fault(title, *faults)
    async with listening(user.client) as stream:
        video_id = await ask(user.client, title)
        await stream.wait_for(video_id, "complete")
        await marker_passed(user)
        assert len(stream.about(video_id, *ENDS)) == 1
    await wait_for_stage(user.client, video_id, "ready")
    await run_of(engine, video_id)


async def test_a_failure_nobody_reported_is_told_in_n8ns_words(user: User, engine: Engine) -> None:
    await engine.fault("Silent failure", SILENT, {"kind": "fail", "message": "Avatar generation failed"})
    video_id = await ask(user.client, "Silent failure")
    failed = await wait_for_status(user.client, video_id, "failed")
    assert (failed["error"]["code"], failed["error"]["message"]) == ("WORKFLOW_FAILED", "Avatar generation failed")
    assert failed["error"]["retryable"] is True


async def test_an_uncertain_start_is_shown_and_explained(user: User, engine: Engine) -> None:
    await marker_passed(user)  # what is listed reaches back to before the call
    await engine.fault("Uncertain", {"kind": "refuse", "status": 500})
    video_id = await ask(user.client, "Uncertain")
    video = await wait_for_stage(user.client, video_id, "unknown")
    assert video["status"] == "processing"
    assert "not started a second time" in video["message"]
    failed = await wait_for_status(user.client, video_id, "failed")
    assert failed["error"]["code"] == "WORKFLOW_LOST"
    assert "message" not in failed
    assert await engine.executions(video_id) == []


async def test_killed_between_the_call_and_its_record(user: User, engine: Engine, stack: LocalStack) -> None:
    await engine.fault("Killed in between", {"kind": "started-timeout", "seconds": 30}, SILENT)
    video_id = await ask(user.client, "Killed in between")
    await eventually(partial(started, engine, video_id), "the engine has started it")
    await stack.kill("generator")
    await stack.start("generator")
    await wait_for_status(user.client, video_id, "ready", 90)
    await run_of(engine, video_id)


@pytest.mark.parametrize("faults", [[], [{"kind": "no-execution-id"}], [{"kind": "started-error"}]], ids=str)
@pytest.mark.parametrize("end", ["cancel", "delete"])
async def test_what_its_owner_ends_is_stopped_in_the_engine(
    user: User, engine: Engine, end: str, faults: list[Json]
) -> None:
    title = f"{end} {faults}"
    await engine.fault(title, {"kind": "slow", "seconds": 60}, *faults)
    video_id = await ask(user.client, title)
    await wait_for_stage(user.client, video_id, "rendering", "unknown")
    if end == "cancel":
        assert (await user.client.post(f"/api/video/cancel/{video_id}")).status_code == 202
    else:
        assert (await user.client.delete(f"/api/video/delete/{video_id}")).status_code == 200
    await eventually(partial(has_status, engine, video_id, "canceled"), "the run is stopped")
    run = await run_of(engine, video_id)
    assert not [sent for sent in run["callbacks"] if sent["purpose"] != "progress"]


async def test_what_is_ended_at_once_is_not_left_running(user: User, engine: Engine) -> None:
    await engine.fault("Ended at once", {"kind": "slow", "seconds": 60})
    videos = [await ask(user.client, "Ended at once") for _ in range(4)]
    await asyncio.gather(*(user.client.post(f"/api/video/cancel/{video_id}") for video_id in videos))

    async def all_ended() -> bool:
        views = [await status_of(user.client, video_id) for video_id in videos]
        runs = [run for video_id in videos for run in await engine.executions(video_id)]
        return all(view["stage"] == "cancelled" for view in views) and all(run["status"] != "running" for run in runs)

    await eventually(all_ended, "nothing runs for nobody")


async def test_two_workers_one_of_them_frozen_in_its_call(user: User, engine: Engine, stack: LocalStack) -> None:
    await engine.fault("Frozen", {"kind": "started-timeout", "seconds": 5}, {"kind": "slow", "seconds": 8})
    video_id = await ask(user.client, "Frozen")
    await eventually(partial(started, engine, video_id), "the engine has started it")
    stack.pause("generator")
    other = _another_generator(stack)
    try:
        await other.wait_ready(60)
        await wait_for_stage(user.client, video_id, "unknown", "rendering", "transferring", "ready")
        stack.resume("generator")
        await wait_for_status(user.client, video_id, "ready", 90)
        await run_of(engine, video_id)
    finally:
        stack.resume("generator")
        await other.stop()


def _another_generator(stack: LocalStack) -> Child:
    port = free_ports(["generator"])["generator"]
    program = service(dataclasses.replace(stack.site, ports={**stack.site.ports, "generator": port}), "generator")
    child = Child(program, stack.site.log("generator-2"))
    child.start({**stack.settings("generator"), "GENERATOR_PORT": str(port)})
    return child

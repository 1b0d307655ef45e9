"""With a key of n8n's API: what it says of a run is believed where it is clear, and moves on what nobody reported."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contracts.events import VideoRequested, WorkflowCompleted, WorkflowFailed, WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import (
    DEFAULT,
    Answer,
    Run,
    answering,
    cut,
    silence,
    started,
)
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


world = world_with({"N8N_API_KEY": "key", "WORKFLOW_ASK_EVERY": "0.2", "WORKFLOW_LOST_AFTER": "4"})


def report_of(video_id: str, **changes: Any) -> dict[str, Any]:
    """Return the completion that the workflow would have posted."""
    return {"videoId": video_id, "status": "ready", "videoUrl": url_of(video_id), **changes}


def url_of(video_id: str) -> str:
    return f"https://files.example.com/{video_id}.mp4"


async def document_with(world: World, event: VideoRequested, what: dict[str, Any]) -> dict[str, Any]:
    """Return the attempt's document once it is so."""
    wanted = {"_id": f"{event.video_id}:1", **what}
    return await eventually(lambda: world.database["workflows"].find_one(wanted), f"{wanted}")


async def asked_about_others(world: World) -> None:
    """Return when somebody else's run was asked about, judged, and its time had passed: so was everybody's before."""
    execution_id = f"other{len(world.n8n.runs)}"
    world.n8n.runs[execution_id] = Run("error")
    other = await world.request(started(execution_id))
    await world.event(WorkflowFailed, other.video_id)


# --- runs whose executionId is known ---


async def test_a_run_that_ended_in_silence_is_lost_and_taken_if_it_comes(world: World) -> None:
    world.n8n.runs["501"] = Run()
    event = await world.request(started("501"))
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.runs["501"].status = "success"
    told = await world.event(WorkflowFailed, event.video_id)
    assert (told.code, told.retryable) == ("WORKFLOW_LOST", True)
    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is True


async def test_a_run_that_failed_says_why_and_is_taken_if_it_comes_after_all(world: World) -> None:
    world.n8n.runs["511"] = Run("crashed", error="Workflow did not finish,\n possible out-of-memory issue")
    event = await world.request(started("511"))
    told = await world.event(WorkflowFailed, event.video_id)
    assert (told.code, told.message) == ("WORKFLOW_FAILED", "Workflow did not finish, possible out-of-memory issue")
    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is True


@pytest.mark.parametrize("status", ["success", "error"])
async def test_a_result_whose_callback_was_lost_is_taken_from_the_execution(world: World, status: str) -> None:
    execution_id = f"512{status}"
    world.n8n.runs[execution_id] = Run()
    event = await world.request(started(execution_id))
    await world.event(WorkflowStarted, event.video_id)
    run = world.n8n.runs[execution_id]
    run.call, run.gave_out, run.status = world.n8n.calls[event.video_id][0], [report_of(event.video_id)], status
    told = await world.event(WorkflowCompleted, event.video_id)
    assert (told.id, told.video_url, told.adopted) == (f"{event.video_id}:1:completed", url_of(event.video_id), False)
    await world.complete(event.video_id)
    await world.callbacks_handled(event.video_id)
    assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowCompleted"]
    assert len(world.n8n.calls[event.video_id]) == 1


@pytest.mark.parametrize(
    "gave_out",
    [
        lambda event: report_of(event.video_id, videoId="ann_2"),
        lambda event: report_of(event.video_id, attempt=2),
        lambda event: report_of(event.video_id, videoUrl={"$gt": ""}),
        lambda event: report_of(event.video_id, videoUrl="https://files.example.com/" + "x" * 9_000),
    ],
    ids=["another-video", "another-attempt", "no-url", "long-url"],
)
async def test_what_is_not_the_report_of_this_attempt_is_not_taken(
    world: World, gave_out: Callable[[VideoRequested], dict[str, Any]]
) -> None:
    execution_id = f"513{len(world.n8n.runs)}"
    world.n8n.runs[execution_id] = Run()
    event = await world.request(started(execution_id))
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.runs[execution_id].gave_out = [gave_out(event)]
    world.n8n.runs[execution_id].status = "success"
    assert (await world.event(WorkflowFailed, event.video_id)).code == "WORKFLOW_LOST"


async def test_the_run_of_another_call_says_nothing_of_this_one(world: World) -> None:
    """Ids begin at 1 again where n8n's database was made anew."""
    other = await world.request(started("514"))
    await world.event(WorkflowStarted, other.video_id)
    await world.complete(other.video_id)
    await world.event(WorkflowCompleted, other.video_id)
    world.n8n.runs["514"] = Run("error", call=world.n8n.calls[other.video_id][0])
    event = await world.request(started("514"))
    await document_with(world, event, {"runOverAt": {"$exists": True}})
    await asked_about_others(world)
    assert (await world.document(event.video_id))["state"] == "started"


async def test_a_run_that_ended_has_time_to_report(world: World) -> None:
    world.n8n.runs["502"] = Run("success")
    event = await world.request(started("502"))
    await document_with(world, event, {"runOverAt": {"$exists": True}})
    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is False


async def test_a_run_that_n8n_does_not_know_is_lost_after_a_while(world: World) -> None:
    event = await world.request(started("503"))
    await document_with(world, event, {"runOverAt": {"$exists": True}})
    assert (await world.event(WorkflowFailed, event.video_id)).code == "WORKFLOW_LOST"


async def test_what_is_resumed_is_not_lost(world: World) -> None:
    world.n8n.runs["505"] = Run("error")
    event = await world.request(started("505"))
    await document_with(world, event, {"runOverAt": {"$exists": True}})
    world.n8n.runs["505"].status = "running"
    await document_with(world, event, {"runOverAt": None})
    assert (await world.document(event.video_id))["state"] == "started"


async def test_an_api_that_tells_nothing_ends_nothing(world: World) -> None:
    world.n8n.api = False
    try:
        known, nameless, unknown = [await world.request(answer) for answer in (started("506"), DEFAULT, cut)]
        for event in (known, nameless, unknown):
            await world.event(WorkflowStarted, event.video_id)
        await eventually(lambda: answers(world, "nothing"), "the API was asked, and told nothing")
        states = [(await world.document(event.video_id)).get("runOverAt") for event in (known, nameless, unknown)]
        assert states == [None] * 3
    finally:
        world.n8n.api = True


async def answers(world: World, said: str) -> float:
    """Return how often n8n's API has said so."""
    return await world.metric(f'reelway_engine_answers_total{{said="{said}"}}')


# --- runs that nobody named ---


@pytest.mark.parametrize("answer", [cut, answering(500), silence], ids=["cut", "500", "silence"])
async def test_an_uncertain_start_that_n8n_runs_is_certain(world: World, answer: Answer) -> None:
    event = await world.request(answer)
    (call,) = await world.called(event.video_id)
    execution_id = f"52-{event.video_id}"
    world.n8n.runs[execution_id] = Run(call=call)
    told = await eventually(lambda: certain_start(world, event), "the run being found")
    assert told.execution_id == execution_id
    world.n8n.runs[execution_id].gave_out = [report_of(event.video_id)]
    world.n8n.runs[execution_id].status = "success"
    assert (await world.event(WorkflowCompleted, event.video_id)).video_url == url_of(event.video_id)
    assert len(world.n8n.calls[event.video_id]) == 1


async def certain_start(world: World, event: VideoRequested) -> WorkflowStarted | None:
    told = [e for e in world.published if isinstance(e, WorkflowStarted) and e.video_id == event.video_id]
    return next((one for one in told if one.certain), None)


async def test_an_uncertain_start_that_never_was_is_lost_and_not_called_again(world: World) -> None:
    event = await world.request(cut)
    told = await world.event(WorkflowFailed, event.video_id)
    assert told.code == "WORKFLOW_LOST"
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_what_the_list_does_not_reach_is_not_lost(world: World) -> None:
    hidden = {name: world.n8n.runs.pop(name) for name in list(world.n8n.runs)}
    try:
        event = await world.request(cut)
        await world.event(WorkflowStarted, event.video_id)
        await asked_about_others(world)
        assert (await world.document(event.video_id))["state"] == "unknown"
        await eventually(lambda: world.metric('reelway_stuck_attempts{reason="unknown"}'), "the stuck being counted")
    finally:
        world.n8n.runs.update(hidden)


async def test_an_error_is_matched_to_a_run_that_was_found(world: World) -> None:
    event = await world.request(DEFAULT)
    (call,) = await world.called(event.video_id)
    receipt = await world.report_error("530", "No credits left")
    await world.held(receipt)
    later = {"$set": {"job.dueAt": datetime.now(UTC) + timedelta(hours=1)}}
    await world.database["held"].update_one({"_id": receipt}, later)
    world.n8n.runs["530"] = Run(call=call)
    assert (await world.event(WorkflowFailed, event.video_id)).message == "No credits left"


async def test_an_old_run_of_the_same_call_key_is_not_looked_for_beyond_the_call(world: World) -> None:
    event = await world.request(cut)
    (call,) = await world.called(event.video_id)
    world.n8n.runs["531"] = Run("success", call=call, began=datetime.now(UTC) - timedelta(minutes=30))
    assert (await world.event(WorkflowFailed, event.video_id)).code == "WORKFLOW_LOST"


async def test_killed_between_the_call_and_its_record_the_run_is_found(world: World) -> None:
    event = await world.request(silence)
    (call,) = await world.called(event.video_id)
    await world.stack.kill("generator")
    world.n8n.runs["532"] = Run(call=call)
    await world.stack.start("generator")
    assert (await eventually(lambda: certain_start(world, event), "the run being found")).execution_id == "532"
    assert len(world.n8n.calls[event.video_id]) == 1

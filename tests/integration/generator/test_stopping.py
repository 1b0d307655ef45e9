"""Runs that nobody wants any more are stopped in n8n, and only those."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.contracts.events import ResultDiscarded, VideoRequested, WorkflowFailed, WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import (
    DEFAULT,
    NOT_REGISTERED,
    Run,
    answering,
    cut,
    silence,
    started,
)
from tests.integration.generator.wishes import cancelled, deleted, retry_of
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

End = Callable[[World, VideoRequested], Awaitable[None]]


# A lease whose heartbeat does not cut off a call that was cancelled a moment ago.
world = world_with(
    {
        "N8N_API_KEY": "key",
        "WORKFLOW_ASK_EVERY": "0.3",
        "WORKFLOW_ANSWER_TIMEOUT": "4",
        "JOB_LEASE": "6",
        "DISPATCH_RETRY_FIRST": "60",
        "DISPATCH_RETRY_MOST": "60",
    }
)


async def cancel(world: World, event: VideoRequested) -> None:
    await world.publish(cancelled(event.video_id))


async def delete(world: World, event: VideoRequested) -> None:
    await world.publish(deleted(event.video_id))


async def try_again(world: World, event: VideoRequested) -> None:
    world.n8n.script[event.video_id] = started(f"again-{event.video_id}")
    await world.publish(retry_of(event))


async def running(world: World, execution_id: str, answer: Any = None) -> VideoRequested:
    """Return the request of a video that runs as this."""
    event = await world.request(started(execution_id) if answer is None else answer)
    (call,) = await world.called(event.video_id)
    world.n8n.runs[execution_id] = Run(call=call)
    return event


async def no_stop_left(world: World, event: VideoRequested) -> dict[str, Any]:
    """Return the attempt's document once nothing is to be stopped any more."""
    wanted = {"_id": f"{event.video_id}:1", "stopSince": None, "job": None}
    return await eventually(lambda: world.database["workflows"].find_one(wanted), "the stop being done with")


async def give_up_looking(world: World, video_id: str) -> None:
    """Do as if the hour had passed in which a run is looked for that nobody named."""
    await world.database["workflows"].update_one({"_id": f"{video_id}:1"}, {"$unset": {"job": ""}})


async def stops(world: World, outcome: str) -> float:
    return await world.metric(f'reelway_run_stops_total{{outcome="{outcome}"}}')


async def counted(world: World, outcome: str, times: float) -> None:
    """Return once so many stops are counted, which they are after they have been written down."""

    async def seen() -> bool:
        return await stops(world, outcome) == times

    await eventually(seen, f"{times} times {outcome}")


@pytest.mark.parametrize("end", [cancel, delete, try_again])
async def test_a_running_one_is_stopped(world: World, end: End) -> None:
    execution_id = f"601{end.__name__}"
    event = await running(world, execution_id)
    await world.event(WorkflowStarted, event.video_id)
    await end(world, event)
    await no_stop_left(world, event)
    assert world.n8n.stops.count(execution_id) == 1
    assert world.n8n.runs[execution_id].status == "canceled"


async def test_one_that_was_cancelled_and_then_deleted_is_stopped(world: World) -> None:
    event = await running(world, "602")
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.stop_answers = [answering(503)] * 2
    await cancel(world, event)
    await delete(world, event)
    await no_stop_left(world, event)
    assert world.n8n.runs["602"].status == "canceled"
    assert (await world.document(event.video_id))["state"] == "deleted"


@pytest.mark.parametrize("answer", [DEFAULT, cut], ids=["default", "cut"])
async def test_one_that_nobody_named_is_found_and_stopped(world: World, answer: Any) -> None:
    world.n8n.api = False
    try:
        event = await running(world, f"603{len(world.n8n.runs)}", answer)
        await world.event(WorkflowStarted, event.video_id)
        await cancel(world, event)
        await world.event(WorkflowFailed, event.video_id)
    finally:
        world.n8n.api = True
    document = await no_stop_left(world, event)
    assert world.n8n.runs[document["executionId"]].status == "canceled"
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_one_that_is_being_called_is_stopped_once_it_is_listed(world: World) -> None:
    event = await running(world, "604", silence)
    await cancel(world, event)
    await no_stop_left(world, event)
    assert world.n8n.runs["604"].status == "canceled"


async def test_one_whose_id_comes_with_the_answer_after_the_cancellation_is_stopped(world: World) -> None:
    video_id = "ann606_1700000000000"

    async def answer_late(writer: Any, number: int) -> None:
        await world.publish(cancelled(video_id))
        await world.state(video_id, "cancelled")
        await give_up_looking(world, video_id)
        await started("606")(writer, number)

    world.n8n.runs["606"] = Run()
    event = await world.request(answer_late, video_id=video_id)
    await no_stop_left(world, event)
    assert world.n8n.runs["606"].status == "canceled"


async def test_what_was_never_started_is_not_stopped(world: World) -> None:
    event = await world.request(NOT_REGISTERED)  # and no second call meanwhile
    await world.called(event.video_id)
    await world.state(event.video_id, "requested")
    await cancel(world, event)
    document = await world.state(event.video_id, "cancelled", "unknown")
    assert not {"stopSince", "job"} & set(document)


async def test_what_has_ended_is_not_stopped(world: World) -> None:
    event = await running(world, "607")
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.runs["607"].status = "success"
    before = await stops(world, "over")
    await cancel(world, event)
    await no_stop_left(world, event)
    assert "607" not in world.n8n.stops
    await counted(world, "over", before + 1)


@pytest.mark.parametrize("ends", ["before", "meanwhile"])
async def test_the_object_of_one_whose_callback_was_lost_is_told_of(world: World, ends: str) -> None:
    event = await running(world, f"6071{ends}")
    await world.event(WorkflowStarted, event.video_id)
    run, key = world.n8n.runs[f"6071{ends}"], f"videos/{event.user_id}/left.mp4"
    run.gave_out = [{"videoId": event.video_id, "status": "ready", "s3Key": key}]
    if ends == "before":
        run.status = "success"
    else:

        async def end(writer: Any, number: int) -> None:
            run.status = "success"
            await answering(409)(writer, number)

        world.n8n.stop_answers = [end]
    await cancel(world, event)
    told = await world.event(ResultDiscarded, event.video_id)
    assert (told.s3_key, told.reason, told.attempt) == (key, "late", 1)


async def test_the_run_of_another_call_is_not_stopped(world: World) -> None:
    other = await running(world, "608other")
    await world.event(WorkflowStarted, other.video_id)
    event = await world.request(started("608"))
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.runs["608"] = Run(call=world.n8n.calls[other.video_id][0])
    await cancel(world, event)
    await no_stop_left(world, event)
    assert not {"608", "608other"} & set(world.n8n.stops)


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_an_n8n_that_can_not_stop_is_asked_once(world: World, status: int) -> None:
    execution_id = f"609{status}"
    event = await running(world, execution_id)
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.stop_answers = [answering(status, '{"message": "not found"}')]
    before = await stops(world, "impossible")
    await cancel(world, event)
    await no_stop_left(world, event)
    assert world.n8n.stops.count(execution_id) == 1
    await counted(world, "impossible", before + 1)
    log = world.stack.site.log("generator").read_text()
    assert log.count("run.stop_impossible") == 1


async def test_a_run_that_ends_at_the_same_moment(world: World) -> None:
    event = await running(world, "610")
    await world.event(WorkflowStarted, event.video_id)

    async def it_has_ended(writer: asyncio.StreamWriter, number: int) -> None:
        world.n8n.runs["610"].status = "success"
        await answering(500, '{"message": "Only running or waiting executions can be stopped"}')(writer, number)

    world.n8n.stop_answers = [it_has_ended]
    before = await stops(world, "over")
    await cancel(world, event)
    await no_stop_left(world, event)
    assert world.n8n.stops.count("610") == 1
    await counted(world, "over", before + 1)


async def test_a_key_that_may_look_and_not_stop_is_told_of(world: World) -> None:
    event = await running(world, "612")
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.stop_answers = [answering(404, '{"message": "Failed to find execution to stop"}')]
    before = await stops(world, "impossible")
    await cancel(world, event)
    await no_stop_left(world, event)
    await counted(world, "impossible", before + 1)


async def test_a_stop_is_tried_again_where_n8n_is_away_for_a_moment_and_after_a_kill(world: World) -> None:
    event = await running(world, "611")
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.stop_answers = [answering(503), silence]
    await cancel(world, event)

    async def asked_twice() -> bool:
        return world.n8n.stops.count("611") >= 2

    await eventually(asked_twice, "the second try")
    await world.stack.kill("generator")
    await world.stack.start("generator")
    await no_stop_left(world, event)
    assert world.n8n.runs["611"].status == "canceled"

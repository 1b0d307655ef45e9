"""A deadline that passes while n8n can be asked: what still runs is waited for, up to the last deadline."""

from datetime import timedelta

import pytest

from services.generator.messages import STILL_RUNNING
from shared.contracts.events import WorkflowCompleted, WorkflowFailed, WorkflowProgressed, WorkflowStarted
from shared.contracts.wire import utc_now
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import DEFAULT, Run, cut, silence, started
from tests.integration.generator.test_lost_runs import report_of, url_of
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Nothing but the deadline makes it ask.
SETTINGS = {
    "N8N_API_KEY": "key",
    "WORKFLOW_ASK_EVERY": "600",
    "WORKFLOW_LOST_AFTER": "600",
    "WORKFLOW_DEADLINE": "2",
    "WORKFLOW_DEADLINE_STEP": "1",
    "WORKFLOW_DEADLINE_MOST": "10",
}


world = world_with(SETTINGS)


async def test_what_still_runs_is_waited_for_and_that_is_told(world: World) -> None:
    event = await world.request(started("701"))
    world.n8n.runs["701"] = Run(call=(await world.called(event.video_id))[0])
    told = await world.event(WorkflowProgressed, event.video_id)
    assert (told.message, told.progress, told.execution_id) == (STILL_RUNNING, None, "701")
    document = await world.document(event.video_id)
    assert document["stuckSince"]
    assert document["deadlineAt"] > event.time + timedelta(seconds=2)

    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is False
    assert "WorkflowFailed" not in world.told(event.video_id)
    assert "stuckSince" not in await world.document(event.video_id)


async def test_what_runs_for_ever_ends_at_the_last_deadline(world: World) -> None:
    event = await world.request(started("702"))
    world.n8n.runs["702"] = Run(call=(await world.called(event.video_id))[0])
    failed = await world.event(WorkflowFailed, event.video_id)
    assert failed.code == "WORKFLOW_TIMEOUT"
    assert timedelta(seconds=10) <= failed.time - event.time < timedelta(seconds=20)
    steps = {e.id for e in world.published if isinstance(e, WorkflowProgressed) and e.video_id == event.video_id}
    assert len(steps) >= 3
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_an_uncertain_start_is_extended_too_once_it_is_found(world: World) -> None:
    event = await world.request(cut)
    world.n8n.runs["703"] = Run(call=(await world.called(event.video_id))[0])
    assert (await world.event(WorkflowProgressed, event.video_id)).message == STILL_RUNNING
    assert (await world.document(event.video_id))["executionId"] == "703"


async def test_a_result_that_nobody_reported_is_taken_at_the_deadline(world: World) -> None:
    event = await world.request(DEFAULT)
    (call,) = await world.called(event.video_id)
    world.n8n.runs["704"] = Run("success", call=call, gave_out=[report_of(event.video_id)])
    assert (await world.event(WorkflowCompleted, event.video_id)).video_url == url_of(event.video_id)


async def test_a_result_that_a_waiting_run_does_not_get_through_is_taken_at_the_deadline(world: World) -> None:
    event = await world.request(started("709"))
    (call,) = await world.called(event.video_id)
    world.n8n.runs["709"] = Run("waiting", call=call, gave_out=[report_of(event.video_id)])
    assert (await world.event(WorkflowCompleted, event.video_id)).video_url == url_of(event.video_id)


async def test_what_a_run_makes_that_failed_once_and_goes_on_is_taken_after_all(world: World) -> None:
    event = await world.request(started("710"))
    (call,) = await world.called(event.video_id)
    echo = {"videoId": event.video_id, "status": "failed", "error": "The first scene"}
    world.n8n.runs["710"] = Run("waiting", call=call, gave_out=[echo])
    assert (await world.event(WorkflowFailed, event.video_id)).message == "The first scene"
    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is True


async def test_a_failure_that_nobody_reported_is_told_at_the_deadline(world: World) -> None:
    event = await world.request(started("705"))
    world.n8n.runs["705"] = Run("error", call=(await world.called(event.video_id))[0], error="No credits left")
    failed = await world.event(WorkflowFailed, event.video_id)
    assert (failed.code, failed.message) == ("WORKFLOW_FAILED", "No credits left")


async def test_killed_in_a_call_until_after_the_deadline_the_result_is_still_found(world: World) -> None:
    event = await world.request(silence)
    (call,) = await world.called(event.video_id)
    await world.stack.kill("generator")
    world.n8n.runs["708"] = Run("success", call=call, gave_out=[report_of(event.video_id)])

    async def overdue() -> bool:
        return utc_now() > event.time + timedelta(seconds=2)

    await eventually(overdue, "the deadline")
    await world.stack.start("generator")
    assert (await world.event(WorkflowCompleted, event.video_id)).video_url == url_of(event.video_id)
    assert len(world.n8n.calls[event.video_id]) == 1


@pytest.mark.parametrize("answer", [started("706"), cut], ids=["started", "unknown"])
async def test_an_api_that_tells_nothing_puts_nothing_off(world: World, answer: object) -> None:
    world.n8n.api = False
    try:
        event = await world.request(answer)  # type: ignore[arg-type]
        await world.event(WorkflowStarted, event.video_id)
        failed = await world.event(WorkflowFailed, event.video_id)
        assert failed.code in ("WORKFLOW_TIMEOUT", "WORKFLOW_UNKNOWN")
        assert failed.time - event.time < timedelta(seconds=9)
    finally:
        world.n8n.api = True
    world.n8n.runs["706"] = Run()
    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is True

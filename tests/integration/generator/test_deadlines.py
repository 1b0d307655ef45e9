"""What is not finished in time fails with a code that says why; a result that comes late is taken all the same."""

import pytest

from shared.contracts.events import WorkflowCompleted, WorkflowFailed
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import NOT_REGISTERED, cut, started
from tests.integration.generator.wishes import cancelled
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


world = world_with({"WORKFLOW_DEADLINE": "PT2.5S"})


async def test_an_engine_that_never_takes_it(world: World) -> None:
    event = await world.request(NOT_REGISTERED)
    told = await world.event(WorkflowFailed, event.video_id)
    assert (told.code, told.retryable) == ("WORKFLOW_UNREACHABLE", True)
    assert told.time - event.time >= (await world.document(event.video_id))["deadlineAt"] - event.time
    assert world.told(event.video_id) == ["WorkflowFailed"]
    calls = len(world.n8n.calls[event.video_id])
    assert calls >= 2
    await world.requests_handled(event.video_id)
    assert len(world.n8n.calls[event.video_id]) == calls


async def test_a_run_that_does_not_end_in_time_and_is_taken_late(world: World) -> None:
    event = await world.request(started("201"))
    assert (await world.event(WorkflowFailed, event.video_id)).code == "WORKFLOW_TIMEOUT"
    await world.complete(event.video_id)
    told = await world.event(WorkflowCompleted, event.video_id)
    assert (told.adopted, told.id) == (True, f"{event.video_id}:1:adopted")
    assert (await world.document(event.video_id))["status"] == "completed"


async def test_an_uncertain_start_that_is_never_heard_of(world: World) -> None:
    event = await world.request(cut)
    assert (await world.event(WorkflowFailed, event.video_id)).code == "WORKFLOW_UNKNOWN"
    assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowFailed"]
    assert len(world.n8n.calls[event.video_id]) == 1
    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is True


async def test_a_late_result_of_an_older_attempt_is_not_taken(world: World) -> None:
    event = await world.request(started("202"))
    await world.event(WorkflowFailed, event.video_id)
    await world.retry(event, started("203"))
    await world.complete(event.video_id, attempt=1)
    await world.callbacks_handled(event.video_id)
    assert world.told(event.video_id, 1) == ["WorkflowStarted", "WorkflowFailed"]


async def test_a_late_result_is_not_taken_after_a_cancellation(world: World) -> None:
    event = await world.request(started("204"))
    await world.event(WorkflowFailed, event.video_id)
    await world.publish(cancelled(event.video_id))
    await world.requests_handled(event.video_id)
    await world.complete(event.video_id)
    await world.callbacks_handled(event.video_id)
    assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowFailed", "WorkflowFailed"]
    failed = [told for told in world.published if isinstance(told, WorkflowFailed) and told.video_id == event.video_id]
    assert [told.code for told in failed[1:]] == ["CANCELLED"]


async def test_a_late_result_can_be_discarded_by_setting(world: World) -> None:
    await world.stack.restart("generator", {"LATE_RESULT": "discard"})
    try:
        await world.requests_handled("warm-up")
        event = await world.request(started("205"))
        await world.event(WorkflowFailed, event.video_id)
        await world.complete(event.video_id)
        await world.callbacks_handled(event.video_id)
        assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowFailed"]
    finally:
        await world.stack.restart("generator", {"LATE_RESULT": "adopt"})

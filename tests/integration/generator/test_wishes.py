"""What the owner wants of a video, retried, cancelled or deleted, holds whenever it comes."""

import pytest

from shared.contracts.events import WorkflowCompleted, WorkflowFailed, WorkflowRemoved, WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import started
from tests.integration.generator.wishes import cancelled, deleted, retry_of
from tests.integration.generator.world import FIELDS, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

world = world_with()


async def test_a_retry_of_the_transfer_is_not_rendered(world: World) -> None:
    event = await world.request(started("114"))
    await world.called(event.video_id)
    await world.complete(event.video_id)
    await world.event(WorkflowCompleted, event.video_id)
    await world.publish(retry_of(event, restart="transfer"))
    await world.requests_handled(event.video_id)
    assert await world.document(event.video_id, 2) == {}
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_cancelling_ends_the_attempt_whatever_comes_later(world: World) -> None:
    event = await world.request(started("115"))
    await world.event(WorkflowStarted, event.video_id)
    await world.publish(cancelled(event.video_id))
    told = await world.event(WorkflowFailed, event.video_id)
    assert (told.code, told.message) == ("CANCELLED", "You cancelled this video.")
    await world.complete(event.video_id)
    await world.report_progress(event.video_id, 90)
    await world.callbacks_handled(event.video_id)
    assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowFailed"]


async def test_a_cancellation_that_comes_first_is_remembered(world: World) -> None:
    video_id = "early_1700000000001"
    await world.publish(cancelled(video_id))
    await world.state(video_id, "cancelled")
    await world.request(started("116"), video_id=video_id)
    told = await world.event(WorkflowFailed, video_id)
    assert (told.code, told.email) == ("CANCELLED", "ann@example.com")
    await world.requests_handled(video_id)
    assert world.n8n.calls[video_id] == []


async def test_a_deleted_video_is_erased_and_stays_deleted(world: World) -> None:
    event = await world.request(started("117"))
    await world.event(WorkflowStarted, event.video_id)
    await world.publish(deleted(event.video_id))
    document = await world.state(event.video_id, "deleted")
    assert not {"fields", "job"} & document.keys()
    assert FIELDS["body"] not in str(document)
    await world.publish(event)
    await world.publish(retry_of(event))
    await world.complete(event.video_id)
    await world.report_progress(event.video_id, 10)
    await world.requests_handled(event.video_id)
    await world.callbacks_handled(event.video_id)
    assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowRemoved"]
    assert len(world.n8n.calls[event.video_id]) == 1
    await world.publish(deleted(event.video_id))  # the answer was lost

    async def told_twice() -> bool:
        removed = [told for told in world.published if isinstance(told, WorkflowRemoved)]
        return [told.video_id for told in removed].count(event.video_id) == 2

    await eventually(told_twice, "it is told once more")


async def test_a_deletion_that_comes_first_is_remembered(world: World) -> None:
    video_id = "gone_1700000000002"
    await world.publish(deleted(video_id))
    await world.request(started("118"), video_id=video_id)
    await world.publish(cancelled(video_id))
    await world.complete(video_id)
    await world.requests_handled(video_id)
    await world.callbacks_handled(video_id)
    assert await world.document(video_id) == {}
    assert (world.n8n.calls[video_id], world.told(video_id)) == ([], ["WorkflowRemoved"])

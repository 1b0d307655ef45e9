"""Objects that a workflow delivered and no attempt takes: each is told of once, for whoever can remove it."""

import pytest

from shared.contracts.events import ResultDiscarded, WorkflowCompleted, WorkflowFailed, WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import started
from tests.integration.generator.wishes import cancelled, deleted
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

world = world_with()


async def discards(world: World, video_id: str, count: int = 1) -> list[ResultDiscarded]:
    """Return what was told of objects nobody takes once all callbacks were handled, repeats left out."""
    await world.callbacks_handled(video_id)

    def seen() -> list[ResultDiscarded]:
        found = [e for e in world.published if isinstance(e, ResultDiscarded) and e.video_id == video_id]
        return list({one.id: one for one in found}.values())

    async def enough() -> bool:
        return len(seen()) >= count

    await eventually(enough, f"{count} discarded of {video_id}; told {world.told(video_id)}")
    return seen()


async def test_an_object_delivered_for_a_deleted_video_is_told_of(world: World) -> None:
    event = await world.request(started("123"))
    await world.event(WorkflowStarted, event.video_id)
    await world.publish(deleted(event.video_id))
    await world.state(event.video_id, "deleted")
    for key in ("videos/ann/late.mp4", "videos/ann/late.mp4", "videos/ann/later.mp4"):
        await world.complete(event.video_id, s3_key=key)
    told = await discards(world, event.video_id, 2)
    assert [one.s3_key for one in told] == ["videos/ann/late.mp4", "videos/ann/later.mp4"]
    assert {(one.user_id, one.reason) for one in told} == {("ann", "deleted")}


async def test_an_object_delivered_for_a_video_nobody_knew_before_its_deletion_is_told_of(world: World) -> None:
    video_id = "gone_1700000000003"
    await world.held(await world.complete(video_id, attempt=None, s3_key="videos/ann/held.mp4"))
    await world.publish(deleted(video_id))
    assert [(one.s3_key, one.user_id) for one in await discards(world, video_id)] == [("videos/ann/held.mp4", "ann")]
    assert sorted(world.told(video_id)) == ["ResultDiscarded", "WorkflowRemoved"]


async def test_an_object_delivered_after_the_end_is_told_of(world: World) -> None:
    event = await world.request(started("124"))
    await world.event(WorkflowStarted, event.video_id)
    await world.publish(cancelled(event.video_id))
    await world.event(WorkflowFailed, event.video_id)
    await world.complete(event.video_id, s3_key="videos/ann/cancelled.mp4")
    (told,) = await discards(world, event.video_id)
    assert (told.s3_key, told.reason, told.attempt) == ("videos/ann/cancelled.mp4", "late", 1)


async def test_an_object_of_a_superseded_attempt_is_told_of(world: World) -> None:
    event = await world.request(started("125"))
    await world.event(WorkflowStarted, event.video_id)
    await world.retry(event, started("126"))
    await world.complete(event.video_id, s3_key="videos/ann/first.mp4")
    (told,) = await discards(world, event.video_id)
    assert (told.s3_key, told.reason, told.attempt) == ("videos/ann/first.mp4", "late", 1)


async def test_only_what_the_attempt_did_not_take_is_discarded(world: World) -> None:
    event = await world.request(started("126"))
    for _ in range(2):
        await world.complete(event.video_id, video_url=None, s3_key="videos/ann/taken.mp4")
    await world.event(WorkflowCompleted, event.video_id)
    await world.complete(event.video_id, s3_key="videos/ann/taken.mp4")  # and an address beside it: a contradiction
    await world.complete(event.video_id, s3_key="videos/ann/second.mp4")
    (told,) = await discards(world, event.video_id)
    assert (told.s3_key, told.reason) == ("videos/ann/second.mp4", "contradiction")

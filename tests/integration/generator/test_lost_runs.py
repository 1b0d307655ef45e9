"""With a key of n8n's API: a run that is over and was never reported is noticed before the deadline."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.contracts.events import WorkflowCompleted, WorkflowFailed, WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import OpenWorld
from tests.integration.generator.scripted_n8n import DEFAULT, started
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(open_world: OpenWorld) -> AsyncIterator[World]:
    async with open_world({"N8N_API_KEY": "key", "WORKFLOW_ASK_EVERY": "0.2", "WORKFLOW_LOST_AFTER": "2"}) as world:
        yield world


async def seen_over(world: World, video_id: str) -> None:
    """Return when the generator has seen that the run is over."""
    await eventually(
        lambda: world.database["workflows"].find_one({"_id": f"{video_id}:1", "runOverAt": {"$exists": True}}),
        "the end of the run being seen",
    )


async def test_a_run_that_ended_in_silence_is_lost_and_taken_if_it_comes(world: World) -> None:
    world.n8n.runs["501"] = "running"
    event = await world.request(started("501"))
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.runs["501"] = "crashed"
    told = await world.event(WorkflowFailed, event.video_id)
    assert (told.code, told.retryable) == ("WORKFLOW_LOST", True)
    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is True


async def test_a_run_that_ended_has_time_to_report(world: World) -> None:
    world.n8n.runs["502"] = "success"
    event = await world.request(started("502"))
    await seen_over(world, event.video_id)
    await world.complete(event.video_id)
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is False


async def test_a_run_that_nobody_can_tell_about_is_awaited(world: World) -> None:
    unknown = await world.request(started("503"))
    nameless = await world.request(DEFAULT)
    world.n8n.runs["504"] = "error"
    over = await world.request(started("504"))
    await world.event(WorkflowFailed, over.video_id)
    assert (await world.document(unknown.video_id))["state"] == "started"
    assert (await world.document(nameless.video_id))["state"] == "started"


async def test_what_is_resumed_is_not_lost(world: World) -> None:
    world.n8n.runs["505"] = "error"
    event = await world.request(started("505"))
    await seen_over(world, event.video_id)
    world.n8n.runs["505"] = "running"
    await eventually(
        lambda: world.database["workflows"].find_one({"_id": f"{event.video_id}:1", "runOverAt": None}),
        "the run going on",
    )
    assert (await world.document(event.video_id))["state"] == "started"

"""With a key of n8n's API: a call that was turned away is made again where n8n knows nothing of it, and only there."""

import asyncio
import uuid

import pytest

from shared.contracts.events import VideoRequested, WorkflowCompleted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import Run, answering, one_after_another, started
from tests.integration.generator.test_lost_runs import document_with, report_of, url_of
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


world = world_with({"N8N_API_KEY": "key", "WORKFLOW_ASK_EVERY": "0.2", "WORKFLOW_LOST_AFTER": "2"})


def new_id() -> str:
    return f"ann{uuid.uuid4().hex[:8]}_1700000000000"


async def has_delivered(world: World) -> None:
    """Return when a run that is over is shown: only beside one it is believed that there is none of another call."""
    execution_id, video_id = f"48{len(world.n8n.runs)}", new_id()

    async def begin(writer: asyncio.StreamWriter, number: int) -> None:
        world.n8n.runs[execution_id] = Run("success", call=world.n8n.calls[video_id][0])
        await started(execution_id)(writer, number)

    await world.request(begin, video_id=video_id)
    await world.state(video_id, "started")
    await world.complete(video_id)
    await world.state(video_id, "completed")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_call_that_was_turned_away_is_made_again_once_n8n_knows_nothing_of_it(
    world: World, status: int
) -> None:
    await has_delivered(world)
    execution_id, video_id = f"49{status}", new_id()

    async def begin(writer: asyncio.StreamWriter, number: int) -> None:
        world.n8n.runs[execution_id] = Run(call=world.n8n.calls[video_id][-1])
        await started(execution_id)(writer, number)

    away = answering(status, retry_after="1")
    event = await world.request(one_after_another(away, away, begin), video_id=video_id)
    calls = await world.called(video_id, 3)
    assert len({call.headers["idempotency-key"] for call in calls}) == 1
    document = await world.state(video_id, "started")
    assert (document["calls"], document["executionId"]) == (3, execution_id)

    async def noted() -> list[str] | None:
        codes = [note.code for note in world.notes(event.video_id)]
        return codes if "call.taken" in codes else None

    codes = await eventually(noted, "the last call is noted")
    assert codes == [*["call.turned_away", "asked.absent"] * 2, "call.taken"]


@pytest.mark.parametrize("ends", ["before it is asked", "later"])
async def test_one_that_got_through_all_the_same_is_not_made_again(world: World, ends: str) -> None:
    execution_id, video_id = f"492{ends[:5]}", new_id()

    async def lose(writer: asyncio.StreamWriter, number: int) -> None:
        run = world.n8n.runs[execution_id] = Run(call=world.n8n.calls[video_id][0])
        if ends == "before it is asked":
            run.status, run.gave_out = "success", [report_of(video_id)]
        await answering(503, retry_after="0")(writer, number)

    event = await world.request(lose, video_id=video_id)
    if ends == "later":
        assert (await world.state(video_id, "started"))["executionId"] == execution_id
        await world.complete(video_id)
    told = await world.event(WorkflowCompleted, event.video_id)
    assert (told.video_url, told.adopted) == (url_of(event.video_id), False)
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_one_is_not_made_again_while_n8n_says_nothing_clear(world: World) -> None:
    await has_delivered(world)
    event = await world.request(answering(503))
    await world.state(event.video_id, "unknown")
    world.n8n.api = False
    try:
        for _ in range(3):
            await document_with(world, event, {"job.tries": {"$gte": await tries(world, event) + 1}})
        assert len(world.n8n.calls[event.video_id]) == 1
    finally:
        world.n8n.api = True
    await world.called(event.video_id, 2)


async def tries(world: World, event: VideoRequested) -> int:
    document = await document_with(world, event, {"state": "unknown"})
    return int(document["job"]["tries"])

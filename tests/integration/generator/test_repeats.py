"""Whoever asks, reports or cancels again is told again what came of it."""

import pytest

from shared.contracts.events import (
    CallbackJudged,
    CompletionReported,
    WorkflowCompleted,
    WorkflowErrorReported,
    WorkflowFailed,
    WorkflowStarted,
)
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import started
from tests.integration.generator.wishes import cancelled
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

world = world_with({"HELD_FOR": "4"})


async def judged(world: World, receipt_id: str, outcome: str) -> CallbackJudged:
    """Return what the generator says came of a webhook."""

    async def look() -> CallbackJudged | None:
        told = (e for e in world.published if isinstance(e, CallbackJudged) and e.receipt_id == receipt_id)
        return next((e for e in told if e.outcome == outcome), None)

    return await eventually(look, f"{receipt_id} judged {outcome}")


async def test_who_asks_again_is_told_again(world: World) -> None:
    event = await world.request(started("120"))
    await world.complete(event.video_id)
    await world.event(WorkflowCompleted, event.video_id)
    world.published.clear()
    await world.publish(event)
    assert (await world.event(WorkflowCompleted, event.video_id)).id == f"{event.video_id}:1:completed"


async def test_what_came_of_a_webhook_is_told_however_often_it_comes(world: World) -> None:
    event = await world.request(started("121"))
    await world.event(WorkflowStarted, event.video_id)  # the request is known: nothing will have to be held
    report = CompletionReported(
        id="once",
        receipt_id=f"r{event.video_id}",
        video_id=event.video_id,
        status="ready",
        video_url="https://x.example/a",
    )
    await world.publish(report)
    told = await judged(world, report.receipt_id, "applied")
    assert (told.purpose, told.video_id, told.attempt) == ("complete", event.video_id, 1)
    world.published.clear()
    await world.publish(report)
    await judged(world, report.receipt_id, "applied")


async def test_what_nobody_knows_what_it_is_about_is_told_to_be_held_then_quarantined(world: World) -> None:
    receipt_id = await world.report_error("never-heard-of")
    assert (await judged(world, receipt_id, "held")).video_id is None
    await judged(world, receipt_id, "quarantined")


async def test_what_came_of_what_was_held_is_told_however_often_it_comes(world: World) -> None:
    report = WorkflowErrorReported(id="early", receipt_id="r-early", error_message="It broke", execution_id="123")
    await world.publish(report)
    await judged(world, report.receipt_id, "held")
    event = await world.request(started("123"))
    await world.held(report.id, "settled")
    world.published.clear()
    await world.publish(report)
    told = await judged(world, report.receipt_id, "applied")
    assert (told.video_id, told.attempt, told.report_id) == (event.video_id, 1, report.id)


async def test_who_cancels_again_is_told_again(world: World) -> None:
    event = await world.request(started("122"))
    await world.event(WorkflowStarted, event.video_id)
    await world.publish(cancelled(event.video_id))
    await world.event(WorkflowFailed, event.video_id)
    world.published.clear()
    await world.publish(cancelled(event.video_id))
    assert (await world.event(WorkflowFailed, event.video_id)).code == "CANCELLED"

"""What happened to a video, as its owner reads it: everything once, in order of time, and gone with the video."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from services.gateway.domain import Rank, order_of
from shared.contracts.events import (
    CompletionReported,
    Event,
    NotificationCreated,
    TransferNoted,
    WorkflowErrorReported,
)
from tests.driving import eventually
from tests.integration.gateway import events
from tests.integration.gateway.timelines import TRACE, codes_of, entries, mark, noted, timeline
from tests.integration.gateway.world import ENGINES, STORAGE, Json, Person, World, unknown_video, world_of


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    settings = {**STORAGE, "TIMELINE_ENTRIES": "6"}
    folder = tmp_path_factory.mktemp("timeline")
    async with LocalStack(folder, services=("gateway",), engines=ENGINES, overrides={"gateway": settings}) as stack:
        yield stack


@pytest.fixture
async def small(small_stack: LocalStack) -> AsyncIterator[World]:
    async with world_of(small_stack) as world:
        yield world


async def test_the_story_of_a_video_in_order_of_time(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    began = datetime.now(UTC)

    def at(seconds: float, event: Event) -> Event:
        return event.model_copy(update={"time": began + timedelta(seconds=seconds), "traceparent": TRACE})

    story = [
        at(1, noted(video_id, "1")),
        at(2, events.started(video_id)),
        at(3, events.progressed(video_id, 51)),
        at(4, events.completed(video_id)),
        at(5, events.transfer_started(video_id)),
        at(6, TransferNoted(**_noted_by_media(video_id), code="transfer.try_failed", message="Try 1 failed.")),
        at(7, events.transferred(video_id, 80, 100)),
        at(8, events.ready(video_id)),
    ]
    await world.publish(*reversed(story))
    ended = order_of(1, Rank.READY)
    told = NotificationCreated(id="n", user_id=person.user_id, seq=1, video_id=video_id, order=ended)
    await world.publish(at(9, told))
    expected = [
        "requested",
        "call.refused",
        "workflow.started",
        "workflow.progress",
        "workflow.completed",
        "transfer.started",
        "transfer.try_failed",
        "transfer.progress",
        "ready",
        "told",
    ]
    found = await entries(person, video_id, *expected)
    assert codes_of(found) == expected
    assert [entry["service"] for entry in found[:3]] == ["gateway", "generator", "generator"]
    assert {entry["service"] for entry in found[5:9]} == {"media"}
    assert {entry["traceId"] for entry in found[1:]} == {"ab" * 16}
    assert found[3]["message"] == "50% of the rendering is done."
    assert all(entry["attempt"] == 1 for entry in found)
    assert (await timeline(person, video_id))["standing"] == "The video is ready to watch."


async def test_what_is_told_again_changes_nothing(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    failed = events.workflow_failed(video_id)
    later = failed.model_copy(update={"time": failed.time + timedelta(hours=1)})
    same_id_elsewhere = events.video_failed(video_id).model_copy(update={"id": failed.id})
    await world.publish(failed, later, failed, events.progressed(video_id, 26), events.progressed(video_id, 30))
    await world.publish(same_id_elsewhere, noted(video_id, "1"), noted(video_id, "1"), mark(video_id))
    found = await entries(person, video_id, "requested", "transfer.failed", "mark")
    expected = ["requested", "workflow.failed", "workflow.progress", "transfer.failed", "call.refused", "mark"]
    assert sorted(codes_of(found)) == sorted(expected)
    (told,) = [entry for entry in found if entry["code"] == "workflow.failed"]
    assert told["time"] < later.time.isoformat()


async def test_why_it_failed_is_one_sentence(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    refusals = [noted(video_id, str(n), details={"call": n, "reason": f"status {500 + n}"}) for n in (2, 3)]
    await world.publish(*refusals)
    await entries(person, video_id, "requested", "call.refused")
    assert "why" not in await timeline(person, video_id)
    await world.publish(events.workflow_failed(video_id))
    await entries(person, video_id, "workflow.failed")
    data = await timeline(person, video_id)
    assert data["why"] == "The rendering failed: It broke (2 calls were refused, the last one with: status 503)."
    assert data["standing"] == "The video failed."


async def test_deleting_a_video_erases_its_timeline_for_ever(world: World) -> None:
    person = await world.person()
    video_id, other = await person.ask(), await person.ask()
    await world.publish(events.started(video_id), events.started(other))
    await entries(person, video_id, "requested", "workflow.started")
    await entries(person, other, "requested", "workflow.started")
    await person.client.delete(f"/api/video/delete/{video_id}")
    assert (await person.client.get(f"/api/video/timeline/{video_id}")).status_code == 404
    kept = world.database["timeline"]

    async def erased() -> bool:
        return await kept.find_one({"videoId": video_id}) is None

    await eventually(erased, "erased")
    late = CompletionReported(id="late", receipt_id="late", video_id=video_id, attempt=1, status="failed")
    nobodys = WorkflowErrorReported(id="n", receipt_id="n", video_id=unknown_video(), attempt=1, error_message="x")
    await world.publish(events.workflow_failed(video_id), noted(video_id, "late"), late, nobodys)
    await world.publish(mark(other))  # another partition may be ahead: so each has a mark below
    await entries(person, other, "mark")
    await eventually(lambda: _handled(world, person), "all handled")
    assert await kept.find_one({"videoId": video_id}) is None
    assert await kept.find_one({"videoId": nobodys.video_id}) is None
    assert await kept.find_one({"videoId": other}) is not None


async def test_a_long_timeline_loses_what_passes_first_then_the_oldest_steps(small: World) -> None:
    person = await small.person()
    video_id = await person.ask()
    await entries(person, video_id, "requested")
    start = datetime.now(UTC)
    newest = start + timedelta(minutes=1)
    passing = [events.progressed(video_id, percent).model_copy(update={"time": newest}) for percent in (25, 50)]
    steps = [noted(video_id, str(n), f"Call {n}.", time=start + timedelta(seconds=n)) for n in range(8)]
    await small.publish(events.started(video_id), *passing, *steps, mark(video_id))
    await entries(person, video_id, "mark")

    async def only_the_newest_steps() -> bool:  # the mark is there a moment before what it is too much for goes
        found = await entries(person, video_id, "mark")
        assert set(codes_of(found[:3])) == {"requested", "workflow.started", "mark"}
        return [entry["message"] for entry in found[3:]] == ["Call 5.", "Call 6.", "Call 7."]

    await eventually(only_the_newest_steps, "only the newest steps are left")


async def test_a_long_timeline_never_loses_its_corners(small: World) -> None:
    person = await small.person()
    video_id = await person.ask()
    corner = {"code": "report.contradiction", "lasting": True}
    corners = [noted(video_id, f"c{n}", "It contradicts.", **corner) for n in range(8)]
    await small.publish(events.started(video_id), *corners, noted(video_id, "1"), mark(video_id))
    found = await entries(person, video_id, "requested", "mark")
    expected = ["requested", "workflow.started", "mark", *["report.contradiction"] * 8]
    assert sorted(codes_of(found)) == sorted(expected)


def _noted_by_media(video_id: str) -> Json:
    return events.about(video_id, 1, "noted:try:1:failed")


async def _handled(world: World, person: Person) -> bool:
    """Return True once what was published before has been handled, whatever partition it is in."""
    for _ in range(8):
        marker = await person.ask("marker")
        report = CompletionReported(id=marker, receipt_id=marker, video_id=marker, attempt=1, status="failed")
        await world.publish(mark(marker), report)
        await entries(person, marker, "requested", "mark", "webhook.complete")
    return True

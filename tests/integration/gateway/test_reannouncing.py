"""A broker can lose what it has confirmed: the gateway asks again until it knows that the owner was told of an end."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from services.gateway.domain import FOREVER, Rank, order_of
from shared.contracts.events import (
    CallbackJudged,
    CompletionReported,
    Event,
    NotificationCreated,
    ProgressReported,
    VideoCancelled,
    VideoDeleted,
    VideoRequested,
    VideoRetryRequested,
)
from tests.driving import eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import ENGINES, STORAGE, World, unknown_video, world_of

IMPATIENT = {**STORAGE, "REANNOUNCE_AFTER": "0.3", "REANNOUNCE_MOST": "0.5"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    folder = tmp_path_factory.mktemp("reannouncing")
    async with LocalStack(folder, services=("gateway",), engines=ENGINES, overrides={"gateway": IMPATIENT}) as stack:
        yield stack


@pytest.fixture
async def own(own_stack: LocalStack) -> AsyncIterator[World]:
    async with world_of(own_stack) as world:
        await world.watch()
        yield world


def times(world: World, kind: type[Event], video_id: str) -> list[Event]:
    return [event for event in world.published if isinstance(event, kind) and getattr(event, "video_id", 0) == video_id]


async def asked_often(world: World, kind: type[Event], video_id: str, more: int = 2) -> None:
    before = len(times(world, kind, video_id))

    async def look() -> bool:
        return len(times(world, kind, video_id)) >= before + more

    await eventually(look, f"{kind.__name__} {more} more times")
    made = [event.model_dump(exclude={"time", "traceparent"}) for event in times(world, kind, video_id)]
    assert all(event == made[0] for event in made), "not the same"


async def tell_owner(world: World, video_id: str, order: int) -> None:
    user_id = video_id.rpartition("_")[0]
    await world.publish(
        NotificationCreated(id=f"{video_id}/{order}", user_id=user_id, video_id=video_id, order=order, seq=1)
    )


async def nothing_waits(world: World, collection: str, document_id: str) -> None:
    async def look() -> bool:
        document = await world.database[collection].find_one({"_id": document_id})
        assert document is not None
        return "job" not in document and "outbox" not in document

    await eventually(look, f"{document_id} waits for nothing")


async def test_a_request_is_asked_again_until_its_owner_was_told_of_the_end(own: World) -> None:
    person = await own.person()
    video_id = await person.ask()
    await asked_often(own, VideoRequested, video_id)
    await own.publish(events.started(video_id))
    await tell_owner(own, video_id, order_of(1, Rank.STARTED))
    await asked_often(own, VideoRequested, video_id)
    await own.publish(events.ready(video_id))
    await person.sees(video_id, status="ready")
    await asked_often(own, VideoRequested, video_id)  # the owner has not been told
    await tell_owner(own, video_id, order_of(1, Rank.READY))
    await nothing_waits(own, "videos", video_id)


async def test_an_owner_who_was_told_before_the_gateway_heard_is_enough(own: World) -> None:
    person = await own.person()
    video_id = await person.ask()
    await tell_owner(own, video_id, order_of(1, Rank.FAILED))
    await asked_often(own, VideoRequested, video_id)
    await own.publish(events.workflow_failed(video_id))
    await nothing_waits(own, "videos", video_id)


async def test_a_retry_and_a_cancellation_are_asked_again(own: World) -> None:
    person = await own.person()
    video_id = await person.ask()
    await own.publish(events.workflow_failed(video_id))
    await person.sees(video_id, status="failed")
    await tell_owner(own, video_id, order_of(1, Rank.FAILED))
    assert (await person.client.post(f"/api/video/retry/{video_id}")).status_code == 202
    await asked_often(own, VideoRetryRequested, video_id)
    assert (await person.client.post(f"/api/video/cancel/{video_id}")).status_code == 202
    await asked_often(own, VideoCancelled, video_id)
    await tell_owner(own, video_id, order_of(2, Rank.CANCELLED))
    await nothing_waits(own, "videos", video_id)


@pytest.mark.parametrize("owner_first", [True, False])
async def test_a_deletion_is_asked_again_until_its_owner_and_the_generator_know(own: World, owner_first: bool) -> None:
    person = await own.person()
    video_id = await person.ask()
    assert (await person.client.delete(f"/api/video/delete/{video_id}")).status_code == 200
    await own.told(VideoDeleted, video_id=video_id)
    before = len(times(own, VideoDeleted, video_id))
    await eventually(lambda: _more(own, video_id, before), "the deletion again")
    assert not times(own, VideoDeleted, video_id)[-1].model_dump()["title"], "its tombstone knows no title"
    if owner_first:
        await tell_owner(own, video_id, FOREVER)
    else:
        await own.publish(events.workflow_removed(video_id))
    before = len(times(own, VideoDeleted, video_id))
    await eventually(lambda: _more(own, video_id, before), "the deletion again: what runs may go on, or nobody be told")
    await own.publish(events.workflow_removed(video_id))
    await tell_owner(own, video_id, FOREVER)
    await nothing_waits(own, "videos", video_id)


async def _more(world: World, video_id: str, before: int) -> bool:
    return len(times(world, VideoDeleted, video_id)) >= before + 2


async def test_a_late_result_that_is_being_fetched_is_asked_for_although_a_failure_was_told(own: World) -> None:
    person = await own.person()
    video_id = await person.ask()
    await own.publish(events.workflow_failed(video_id, code="WORKFLOW_TIMEOUT"))
    await tell_owner(own, video_id, order_of(1, Rank.FAILED))
    await nothing_waits(own, "videos", video_id)
    await own.publish(events.completed(video_id, adopted=True))
    await person.sees(video_id, stage="adopting")
    await asked_often(own, VideoRequested, video_id)
    await own.publish(events.ready(video_id))
    await tell_owner(own, video_id, order_of(1, Rank.READY))
    await nothing_waits(own, "videos", video_id)


async def test_a_late_result_that_is_ready_at_once_is_asked_for_although_a_failure_was_told(own: World) -> None:
    """The news that it is being fetched can be lost, or come after the end of that."""
    person = await own.person()
    video_id = await person.ask()
    await own.publish(events.workflow_failed(video_id, code="WORKFLOW_TIMEOUT"))
    await tell_owner(own, video_id, order_of(1, Rank.FAILED))
    await nothing_waits(own, "videos", video_id)
    await own.publish(events.ready(video_id))
    await person.sees(video_id, status="ready")
    await asked_often(own, VideoRequested, video_id)
    await tell_owner(own, video_id, order_of(1, Rank.READY))
    await nothing_waits(own, "videos", video_id)


async def test_a_webhook_is_passed_on_again_until_it_was_judged(own: World) -> None:
    person = await own.person()
    video_id = await person.ask()
    body = {"videoId": video_id, "status": "failed", "error": "x"}
    receipt = (await own.post_webhook("video-complete", body)).json()["data"]["receiptId"]
    progress = {"videoId": video_id, "attempt": 1, "executionId": "1", "progress": 5}
    first = (await own.post_webhook("workflow-progress", progress)).json()["data"]["receiptId"]
    await asked_often(own, CompletionReported, video_id)
    await asked_often(own, ProgressReported, video_id)
    for receipt_id, outcome in ((receipt, "applied"), (first, "unknown_attempt")):
        await judge(own, receipt_id, outcome)
        await nothing_waits(own, "receipts", receipt_id)


async def test_a_webhook_that_is_held_is_passed_on_again_until_that_has_an_end(own: World) -> None:
    """Whoever says what came of it in the end may be killed before, or not be heard."""
    stray = unknown_video()
    body = {"videoId": stray, "status": "failed", "error": "x"}
    receipt = (await own.post_webhook("video-complete", body)).json()["data"]["receiptId"]
    first = await own.told(CompletionReported, video_id=stray)
    await judge(own, receipt, "held", first.id)
    await asked_often(own, CompletionReported, stray)
    await judge(own, receipt, "applied", "an event that another one has replaced since", noted=False)
    await asked_often(own, CompletionReported, stray)
    await judge(own, receipt, "quarantined", first.id)
    await nothing_waits(own, "receipts", receipt)


async def judge(
    world: World, receipt_id: str, outcome: str, report_id: str | None = None, *, noted: bool = True
) -> None:
    """Say as the generator what came of a webhook; return once that is `noted`."""
    told = {"id": f"{receipt_id}:{outcome}", "receiptId": receipt_id, "purpose": "complete", "outcome": outcome}
    await world.publish(CallbackJudged.model_validate({**told, "reportId": report_id}))

    async def known() -> bool:
        return await outcome_of(world, receipt_id) == outcome

    if noted:
        await eventually(known, f"{receipt_id} {outcome}")


async def outcome_of(world: World, receipt_id: str) -> str | None:
    stored = await world.database["receipts"].find_one({"_id": receipt_id})
    assert stored is not None
    return stored.get("outcome")


async def test_nothing_piles_up_while_kafka_is_away(own_stack: LocalStack) -> None:
    async with world_of(own_stack) as world:
        person = await world.person()
        await own_stack.kill("kafka")
        try:
            video_id = await person.ask()

            async def looked_at_often() -> bool:
                document = await world.database["videos"].find_one({"_id": video_id})
                return document is not None and document["job"]["tries"] >= 3

            await eventually(looked_at_often, "three looks")
            document = await world.database["videos"].find_one({"_id": video_id})
            assert document is not None
            assert len(document["outbox"]) == 1
        finally:
            await own_stack.start("kafka")

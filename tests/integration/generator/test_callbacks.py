"""What workflows report, in any order: one conclusion per attempt, and nothing of one attempt touches another."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts.events import (
    CallbackJudged,
    CompletionReported,
    ResultDiscarded,
    VideoCancelled,
    VideoDeleted,
    VideoRequested,
    VideoRetryRequested,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
    event_id,
)
from tests.driving import eventually
from tests.integration.generator.conftest import OpenWorld
from tests.integration.generator.scripted_n8n import DEFAULT, silence, started
from tests.integration.generator.world import FIELDS, World

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(open_world: OpenWorld) -> AsyncIterator[World]:
    async with open_world({"HELD_FOR": "4"}) as world:
        yield world


def retry_of(event: VideoRequested, attempt: int = 2, **changes: Any) -> VideoRetryRequested:
    return VideoRetryRequested(
        **{
            "id": event_id(event.video_id, attempt, "requested"),
            "video_id": event.video_id,
            "user_id": event.user_id,
            "attempt": attempt,
            "kind": event.kind,
            "restart": "workflow",
            "request_id": event.request_id,
            "title": event.title,
            "email": event.email,
            "fields": event.fields,
            **changes,
        }
    )


def cancelled(video_id: str, attempt: int = 1) -> VideoCancelled:
    id_ = event_id(video_id, attempt, "cancelled")
    return VideoCancelled(id=id_, video_id=video_id, user_id="ann", attempt=attempt, title="Rates")


def deleted(video_id: str) -> VideoDeleted:
    return VideoDeleted(id=event_id(video_id, 1, "deleted"), video_id=video_id, user_id="ann", attempt=1, title="Rates")


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


async def test_a_result_completes_the_attempt_once(world: World) -> None:
    event = await world.request(started("101"))
    await world.event(WorkflowStarted, event.video_id)
    for _ in range(3):
        await world.complete(event.video_id)
    told = await world.event(WorkflowCompleted, event.video_id)
    assert (told.video_url, told.s3_key) == (f"https://files.example.com/{event.video_id}.mp4", None)
    assert (told.execution_id, told.adopted) == ("101", False)
    await world.callbacks_handled(event.video_id)
    assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowCompleted"]
    document = await world.document(event.video_id)
    assert document["status"] == "completed"
    assert document["completedAt"] >= document["createdAt"]
    assert "job" not in document


async def test_a_result_without_attempt_is_for_the_newest(world: World) -> None:
    event = await world.request(started("102"))
    await world.event(WorkflowStarted, event.video_id)
    await world.complete(event.video_id, attempt=None, video_url=None, s3_key="videos/ann/1.mp4")
    assert (await world.event(WorkflowCompleted, event.video_id)).s3_key == "videos/ann/1.mp4"


async def test_a_result_that_names_only_its_execution_is_not_for_another_attempt(world: World) -> None:
    event = await world.request(started("120"))
    await world.event(WorkflowStarted, event.video_id)
    world.n8n.script[event.video_id] = started("121")
    await world.publish(retry_of(event))
    await world.event(WorkflowStarted, event.video_id, attempt=2)
    await world.complete(event.video_id, attempt=None, execution_id="120")
    await world.callbacks_handled(event.video_id)
    assert (await world.document(event.video_id, 2))["state"] == "started"
    await world.complete(event.video_id, attempt=None, execution_id="121")
    assert (await world.event(WorkflowCompleted, event.video_id, attempt=2)).execution_id == "121"


async def test_the_first_conclusion_wins(world: World) -> None:
    event = await world.request(started("103"))
    await world.complete(event.video_id)
    await world.event(WorkflowCompleted, event.video_id)
    await world.complete(event.video_id, status="failed", error="too late")
    await world.complete(event.video_id, video_url="https://files.example.com/another.mp4")
    await world.complete(event.video_id, video_url=None)
    await world.callbacks_handled(event.video_id)
    assert "WorkflowFailed" not in world.told(event.video_id)
    assert (await world.document(event.video_id))["videoUrl"].endswith(f"{event.video_id}.mp4")


async def test_ready_without_a_file_is_a_failure(world: World) -> None:
    event = await world.request(started("104"))
    await world.event(WorkflowStarted, event.video_id)
    await world.complete(event.video_id, video_url="  ", s3_key="")
    assert (await world.event(WorkflowFailed, event.video_id)).code == "RESULT_INVALID"


async def test_a_reported_failure_is_told_plainly(world: World) -> None:
    event = await world.request(started("105"))
    await world.event(WorkflowStarted, event.video_id)
    await world.complete(event.video_id, status="failed", error="No credits left.\x00\n\tAsk  billing. " + "x" * 5000)
    told = await world.event(WorkflowFailed, event.video_id)
    assert told.code == "WORKFLOW_FAILED"
    assert told.message.startswith("No credits left. Ask billing. xxx")
    assert len(told.message) <= 300
    assert (await world.document(event.video_id))["errorMessage"] == told.message


async def test_a_completion_may_come_before_the_answer(world: World) -> None:
    event = await world.request(silence)
    await world.called(event.video_id)
    await world.complete(event.video_id)
    await world.event(WorkflowCompleted, event.video_id)
    await world.requests_handled(event.video_id)
    assert world.told(event.video_id) == ["WorkflowCompleted"]
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_progress_is_passed_on_and_brings_the_execution_id(world: World) -> None:
    event = await world.request(DEFAULT)
    await world.event(WorkflowStarted, event.video_id)
    await world.report_progress(event.video_id, 40, execution_id="106")
    told = await world.event(WorkflowProgressed, event.video_id)
    assert (told.progress, told.user_id, told.title, told.execution_id) == (40, "ann", "Rates", "106")
    assert (await world.document(event.video_id))["executionId"] == "106"
    await world.complete(event.video_id)
    await world.event(WorkflowCompleted, event.video_id)
    await world.report_progress(event.video_id, 60, execution_id="106")
    await world.callbacks_handled(event.video_id)
    assert world.told(event.video_id).count("WorkflowProgressed") == 1


async def test_progress_makes_the_unknown_certain(world: World) -> None:
    event = await world.request(silence)
    assert (await world.event(WorkflowStarted, event.video_id)).certain is False
    await world.report_progress(event.video_id, 5, execution_id="107")
    await world.state(event.video_id, "started")

    async def certain() -> bool:
        return any(e.id == f"{event.video_id}:1:started" for e in world.published)

    await eventually(certain, "certainty")


async def test_an_error_finds_its_attempt_by_execution(world: World) -> None:
    event = await world.request(started("108"))
    await world.event(WorkflowStarted, event.video_id)
    await world.report_error("108")
    told = await world.event(WorkflowFailed, event.video_id)
    assert (told.code, told.message, told.execution_id) == ("WORKFLOW_FAILED", "Avatar generation failed", "108")


async def test_an_error_with_a_callback_url_needs_no_execution(world: World) -> None:
    event = await world.request(DEFAULT)
    await world.event(WorkflowStarted, event.video_id)
    await world.report_error("whatever", video_id=event.video_id, attempt=1)
    assert (await world.event(WorkflowFailed, event.video_id)).code == "WORKFLOW_FAILED"


async def test_an_error_is_held_until_its_execution_is_known(world: World) -> None:
    event = await world.request(DEFAULT)
    await world.event(WorkflowStarted, event.video_id)
    receipt = await world.report_error("109")
    await world.held(receipt)
    await world.report_progress(event.video_id, 10, execution_id="109")
    assert (await world.event(WorkflowFailed, event.video_id)).execution_id == "109"
    await world.held(receipt, "settled")


async def test_an_error_that_came_before_the_answer_is_applied(world: World) -> None:
    receipt = await world.report_error("110")
    await world.held(receipt)
    event = await world.request(started("110"))
    assert (await world.event(WorkflowFailed, event.video_id)).code == "WORKFLOW_FAILED"


async def test_an_error_nobody_wants_goes_into_quarantine(world: World) -> None:
    receipt = await world.report_error("nobody")
    document = await world.held(receipt, "quarantined")
    assert "job" not in document
    assert document["event"]["errorMessage"] == "Avatar generation failed"


async def test_two_engines_may_use_the_same_execution_id(world: World) -> None:
    one = await world.request(started("111"))
    other = await world.request(started("111"), kind="create")
    await world.event(WorkflowStarted, one.video_id)
    await world.event(WorkflowStarted, other.video_id)
    receipt = await world.report_error("111")
    await world.held(receipt)
    await world.report_error("111", workflow="create")
    await world.event(WorkflowFailed, other.video_id)
    await world.event(WorkflowFailed, one.video_id)  # the held one: now there is only one left it can mean


async def test_a_callback_for_an_unknown_video_is_kept(world: World) -> None:
    await world.complete("nobody_1")
    await eventually(lambda: world.database["held"].find_one({"event.videoId": "nobody_1"}), "the callback held")


async def test_an_older_attempt_never_touches_the_newer(world: World) -> None:
    event = await world.request(started("112"))
    await world.event(WorkflowStarted, event.video_id)
    await world.complete(event.video_id, status="failed", error="first")
    await world.event(WorkflowFailed, event.video_id)
    world.n8n.script[event.video_id] = started("113")
    await world.publish(retry_of(event))
    await world.event(WorkflowStarted, event.video_id, attempt=2)
    assert [call.body["attempt"] for call in world.n8n.calls[event.video_id]] == [1, 2]
    await world.complete(event.video_id, attempt=1)
    await world.report_error("112")
    await world.callbacks_handled(event.video_id)
    assert (await world.document(event.video_id, 2))["state"] == "started"
    await world.complete(event.video_id, attempt=None)
    await world.event(WorkflowCompleted, event.video_id, attempt=2)
    assert world.told(event.video_id, 1) == ["WorkflowStarted", "WorkflowFailed"]


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
    assert world.told(event.video_id) == ["WorkflowStarted"]
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_a_deletion_that_comes_first_is_remembered(world: World) -> None:
    video_id = "gone_1700000000002"
    await world.publish(deleted(video_id))
    await world.request(started("118"), video_id=video_id)
    await world.publish(cancelled(video_id))
    await world.complete(video_id)
    await world.requests_handled(video_id)
    await world.callbacks_handled(video_id)
    assert await world.document(video_id) == {}
    assert (world.n8n.calls[video_id], world.told(video_id)) == ([], [])


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
    await world.complete(video_id, attempt=None, s3_key="videos/ann/held.mp4")
    await eventually(lambda: world.database["held"].find_one({"event.videoId": video_id}), "the callback held")
    await world.publish(deleted(video_id))
    assert [(one.s3_key, one.user_id) for one in await discards(world, video_id)] == [("videos/ann/held.mp4", "ann")]
    assert world.told(video_id) == ["ResultDiscarded"]


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
    await world.publish(retry_of(event))
    await world.event(WorkflowStarted, event.video_id, attempt=2)
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


async def test_who_asks_again_is_told_again(world: World) -> None:
    event = await world.request(started("120"))
    await world.complete(event.video_id)
    await world.event(WorkflowCompleted, event.video_id)
    world.published.clear()
    await world.publish(event)
    assert (await world.event(WorkflowCompleted, event.video_id)).id == f"{event.video_id}:1:completed"


async def judged(world: World, receipt_id: str, outcome: str) -> CallbackJudged:
    """Return what the generator says came of a webhook."""

    async def look() -> CallbackJudged | None:
        told = (e for e in world.published if isinstance(e, CallbackJudged) and e.receipt_id == receipt_id)
        return next((e for e in told if e.outcome == outcome), None)

    return await eventually(look, f"{receipt_id} judged {outcome}")


async def test_what_came_of_a_webhook_is_told_however_often_it_comes(world: World) -> None:
    event = await world.request(started("121"))
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
    await world.publish(report)
    await judged(world, report.receipt_id, "repeat")


async def test_what_nobody_knows_what_it_is_about_is_told_to_be_held_then_quarantined(world: World) -> None:
    receipt_id = await world.report_error("never-heard-of")
    assert (await judged(world, receipt_id, "held")).video_id is None
    await judged(world, receipt_id, "quarantined")


async def test_who_cancels_again_is_told_again(world: World) -> None:
    event = await world.request(started("122"))
    await world.event(WorkflowStarted, event.video_id)
    cancelled = VideoCancelled(
        id=f"{event.video_id}:1:cancelled", video_id=event.video_id, user_id="ann", attempt=1, title="Rates"
    )
    await world.publish(cancelled)
    await world.event(WorkflowFailed, event.video_id)
    world.published.clear()
    await world.publish(cancelled)
    assert (await world.event(WorkflowFailed, event.video_id)).code == "CANCELLED"

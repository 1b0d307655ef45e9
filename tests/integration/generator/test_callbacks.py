"""What workflows report, in any order: one conclusion per attempt, and nothing of one attempt touches another."""

import json
import uuid

import pytest

from shared.contracts.events import WorkflowCompleted, WorkflowFailed, WorkflowProgressed, WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import DEFAULT, silence, started
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

world = world_with({"HELD_FOR": "4", "WORKFLOW_ANSWER_TIMEOUT": "5"})


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


async def test_a_result_without_attempt_that_is_judged_late_is_for_the_newest_of_its_time(world: World) -> None:
    """Its judgement may have been lost, and the video tried again meanwhile."""
    event = await world.request(started("303"))
    await world.event(WorkflowStarted, event.video_id)
    await world.retry(event, started("304"))
    await world.complete(event.video_id, attempt=None, newest=1)
    await world.callbacks_handled(event.video_id)
    assert (await world.document(event.video_id, attempt=2))["state"] == "started"
    await world.complete(event.video_id, attempt=None, newest=2)
    await world.event(WorkflowCompleted, event.video_id, attempt=2)


async def test_a_result_that_names_only_its_execution_is_not_for_another_attempt(world: World) -> None:
    event = await world.request(started("120"))
    await world.event(WorkflowStarted, event.video_id)
    await world.retry(event, started("121"))
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
    trace = f"00-{uuid.uuid4().hex}"
    receipt = await world.report_error("109", traceparent=f"{trace}-00f067aa0ba902b7-01")
    await world.held(receipt)
    await world.report_progress(event.video_id, 10, execution_id="109")
    failed = await world.event(WorkflowFailed, event.video_id)
    assert (failed.execution_id, (failed.traceparent or "")[: len(trace)]) == ("109", trace)
    await world.held(receipt, "settled")


async def test_an_error_that_came_before_the_answer_is_applied(world: World) -> None:
    receipt = await world.report_error("110")
    await world.held(receipt)
    event = await world.request(started("110"))
    assert (await world.event(WorkflowFailed, event.video_id)).code == "WORKFLOW_FAILED"


async def test_whatever_a_workflow_says_of_its_file_can_be_held(world: World) -> None:
    odd = {"size": 2**63, "a\0b": 1}
    document = await world.held(await world.complete("nobody_2", metadata=odd))
    assert json.loads(document["event"])["metadata"] == odd


async def test_an_error_nobody_wants_goes_into_quarantine(world: World) -> None:
    receipt = await world.report_error("nobody")
    document = await world.held(receipt, "quarantined")
    assert "job" not in document
    assert json.loads(document["event"])["errorMessage"] == "Avatar generation failed"


async def test_two_engines_may_use_the_same_execution_id(world: World) -> None:
    one = await world.request(started("111"))
    other = await world.request(started("111"), kind="create")
    await world.event(WorkflowStarted, one.video_id)
    await world.event(WorkflowStarted, other.video_id)
    receipt = await world.report_error("111")
    looks = (await world.held(receipt))["job"].get("tries", 0)
    await world.report_error("111", workflow="create")
    await world.event(WorkflowFailed, other.video_id)

    async def looked_at_again() -> bool:
        return bool((await world.held(receipt))["job"]["tries"] > looks)

    await eventually(looked_at_again, "it is looked at once more, and held on")
    # It may have meant the one that has ended since.
    assert (await world.document(one.video_id))["state"] == "started"


async def test_an_error_of_one_engine_does_not_end_what_another_renders(world: World) -> None:
    video = await world.request(started("112"))
    await world.event(WorkflowStarted, video.video_id)
    receipt = await world.report_error("112", workflow="create")
    await world.held(receipt)
    assert (await world.document(video.video_id))["state"] == "started"
    await world.report_error("112", workflow="My error workflow")  # no hint which engine it was
    await world.event(WorkflowFailed, video.video_id)


async def test_a_callback_for_an_unknown_video_is_kept(world: World) -> None:
    await world.held(await world.complete("nobody_1"))


async def test_an_older_attempt_never_touches_the_newer(world: World) -> None:
    event = await world.request(started("112"))
    await world.event(WorkflowStarted, event.video_id)
    await world.complete(event.video_id, status="failed", error="first")
    await world.event(WorkflowFailed, event.video_id)
    await world.retry(event, started("113"))
    assert [call.body["attempt"] for call in world.n8n.calls[event.video_id]] == [1, 2]
    await world.complete(event.video_id, attempt=1)
    await world.report_error("112")
    await world.callbacks_handled(event.video_id)
    assert (await world.document(event.video_id, 2))["state"] == "started"
    await world.complete(event.video_id, attempt=None)
    await world.event(WorkflowCompleted, event.video_id, attempt=2)
    assert world.told(event.video_id, 1) == ["WorkflowStarted", "WorkflowFailed"]

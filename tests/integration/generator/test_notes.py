"""What the generator notes for timelines: every call and its answer, every report that is not taken, each once."""

import httpx
import pytest

from shared.contracts.events import (
    CompletionReported,
    VideoCancelled,
    VideoRequested,
    WorkflowFailed,
    WorkflowNoted,
    WorkflowStarted,
    event_id,
)
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import (
    NO_DATABASE,
    NOT_REGISTERED,
    Answer,
    answering,
    cut,
    one_after_another,
    started,
)
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE = "ab" * 16


world = world_with()


async def request(world: World, answer: Answer) -> VideoRequested:
    return await world.request(answer, traceparent=f"00-{TRACE}-{'cd' * 8}-01")


async def noted(world: World, video_id: str, code: str, times: int = 1) -> list[WorkflowNoted]:
    """Return all notes of an attempt once `times` of them have `code`."""

    async def look() -> list[WorkflowNoted] | None:
        notes = world.notes(video_id)
        return notes if sum(note.code == code for note in notes) >= times else None

    return await eventually(look, f"{times} times {code}")


async def test_each_call_is_noted_with_its_answer(world: World) -> None:
    event = await request(world, one_after_another(NO_DATABASE, NOT_REGISTERED, started("71")))
    notes = await noted(world, event.video_id, "call.taken")
    assert [(note.code, note.details["call"], note.details["reason"]) for note in notes] == [
        ("call.refused", 1, "status 503"),
        ("call.refused", 2, "status 404"),
        ("call.taken", 3, "status 202"),
    ]
    assert notes[0].message.startswith("Call 1 was refused (status 503), so nothing was started; the next one comes")
    assert [note.level for note in notes] == ["warning", "warning", "info"]
    assert all((note.traceparent or "").split("-")[1] == TRACE for note in notes)
    began = await world.event(WorkflowStarted, event.video_id)
    assert notes[0].time <= notes[1].time <= notes[2].time <= began.time


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        (answering(403), "call.rejected", "status 403"),
        (cut, "call.uncertain", "the connection broke off"),
        (answering(500), "call.uncertain", "status 500"),
        (answering(503), "call.turned_away", "status 503"),
    ],
    ids=["rejected", "cut", "500", "503"],
)
async def test_what_ends_the_calling_is_noted(world: World, answer: Answer, code: str, reason: str) -> None:
    event = await request(world, answer)
    (note,) = await noted(world, event.video_id, code)
    assert reason in str(note.details["reason"])
    assert "call 1" in note.message.lower()


async def test_a_contradiction_is_noted_for_ever_and_once(world: World) -> None:
    event = await request(world, started("72"))
    await world.event(WorkflowStarted, event.video_id)
    await world.complete(event.video_id, status="failed", video_url=None, error="No avatar")
    await world.event(WorkflowFailed, event.video_id)
    url = "https://user:pass@files.example.com:8443/a.mp4?X-Amz-Signature=geheim"
    about = {"receipt_id": "r72", "video_id": event.video_id, "attempt": 1, "status": "ready", "video_url": url}
    for _ in range(2):
        await world.publish(CompletionReported.model_validate({"id": "contradiction-72", **about}))
    await world.callbacks_handled(event.video_id)
    notes = await noted(world, event.video_id, "report.contradiction")
    (note,) = [note for note in notes if note.code == "report.contradiction"]
    assert note.lasting
    assert note.message == (
        "The workflow reported a finished video, but this attempt had failed already, so the report changes nothing."
    )
    assert note.details == {"reported": "result", "state": "failed", "from": "https://files.example.com"}
    assert "geheim" not in note.model_dump_json()


async def test_a_report_that_comes_too_late_is_noted(world: World) -> None:
    event = await request(world, started("73"))
    await world.event(WorkflowStarted, event.video_id)
    video_id = event.video_id
    about = {"video_id": video_id, "user_id": "ann", "attempt": 1, "title": "Rates"}
    await world.publish(VideoCancelled.model_validate({"id": event_id(video_id, 1, "cancelled"), **about}))
    await world.state(video_id, "cancelled")
    await world.complete(video_id)
    notes = await noted(world, video_id, "report.late")
    assert notes[-1].lasting
    assert "this attempt had been cancelled" in notes[-1].message


async def test_what_counts_or_is_known_already_is_not_noted(world: World) -> None:
    event = await request(world, started("74"))
    await world.event(WorkflowStarted, event.video_id)
    await world.complete(event.video_id)
    await world.complete(event.video_id)
    await world.callbacks_handled(event.video_id)
    await world.state(event.video_id, "completed")
    assert [note.code for note in world.notes(event.video_id)] == ["call.taken"]


async def test_it_says_that_it_notes(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.stack.url("generator"), trust_env=False) as client:
        assert "WorkflowNoted" in (await client.get("/asyncapi.json")).text

"""What happened to a video, field for field."""

from services.gateway.routes.answers import Success, Timeline
from shared.contracts.events import CallbackJudged
from tests.contract.http.shapes import TIMELINE, success
from tests.driving import eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import Json, Person, World


async def timeline(person: Person, video_id: str, *codes: str) -> Json:
    """Return the timeline once it has an entry of each code."""

    async def look() -> Json | None:
        answer = await person.client.get(f"/api/video/timeline/{video_id}")
        data: Json = success(answer, 200, TIMELINE)
        Success[Timeline].model_validate_json(answer.text)
        return data if set(codes) <= {entry["code"] for entry in data["entries"]} else None

    return await eventually(look, str(codes))


async def test_a_video_that_waits(world: World) -> None:
    person = await world.person()
    data = await timeline(person, await person.ask("Quiet streets"), "requested")
    assert (data["status"], data["stage"], data["attempt"]) == ("pending", "queued", 1)
    assert data["title"] == "Quiet streets"
    assert data["standing"] == "The video waits for the rendering service."
    assert "why" not in data


async def test_a_video_that_failed_after_a_webhook(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    body = {"videoId": video_id, "status": "failed", "error": "No avatar", "executionId": "7"}
    answer = await world.post_webhook("video-complete", body)
    receipt_id = answer.json()["data"]["receiptId"]
    judged = CallbackJudged(
        id="judged", receipt_id=receipt_id, purpose="complete", outcome="applied", video_id=video_id, attempt=1
    )
    await world.publish(judged, events.workflow_failed(video_id))
    data = await timeline(person, video_id, "requested", "webhook.complete", "workflow.failed")
    await person.sees(video_id, status="failed")
    data = await timeline(person, video_id)
    assert data["why"] == "The rendering failed: It broke."
    (webhook,) = [entry for entry in data["entries"] if entry["code"] == "webhook.complete"]
    assert webhook["outcome"] == "applied"
    assert webhook["message"] == "The workflow reported a failure (“No avatar”), which counted."
    assert webhook["details"] == {"executionId": "7"}


async def test_it_is_in_the_lists_for_programs(world: World) -> None:
    client = world.client()
    operation = (await client.get("/api/openapi.json")).json()["paths"]["/api/video/timeline/{video_id}"]["get"]
    assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("Success_Timeline_")
    heard = (await client.get("/asyncapi.json")).text
    assert "WorkflowNoted" in heard
    assert "TransferNoted" in heard

"""Webhooks that found no video: an admin sees them, attaches them, replays or discards them."""

import uuid
from typing import Any

import httpx
import pytest

from deploy.local.site import admin_token
from shared.contracts.events import CallbackJudged, CompletionReported
from tests.driving import Json, eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import World, unknown_video


@pytest.fixture
def admin(world: World) -> httpx.AsyncClient:
    return world.client(headers={"Authorization": f"Bearer {admin_token(world.stack.site)}"})


async def received(world: World, video_id: str, **body: Any) -> str:
    """Have a webhook stored; return its receipt's id."""
    said = {"videoId": video_id, "status": "ready", "videoUrl": f"https://n8n.example/{uuid.uuid4().hex}.mp4", **body}
    answer = await world.post_webhook("video-complete", said)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["receiptId"])


async def judge(world: World, admin: httpx.AsyncClient, receipt_id: str, outcome: str, key: str | None = None) -> None:
    """Say as the generator what came of it, in order with others of `key`; return once the gateway knows."""
    told = {"id": f"{receipt_id}:{outcome}", "receiptId": receipt_id, "purpose": "complete", "outcome": outcome}
    await world.publish(CallbackJudged.model_validate({**told, "videoId": key}))

    async def known() -> bool:
        return bool((await shown(admin, receipt_id))["outcome"] == outcome)

    await eventually(known, f"{receipt_id} {outcome}")


async def shown(admin: httpx.AsyncClient, receipt_id: str) -> Json:
    answer = await admin.get(f"/admin/callbacks/{receipt_id}")
    assert answer.status_code == 200, answer.text
    data: Json = answer.json()["data"]
    return data


async def listed(admin: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await admin.get("/admin/callbacks", params=query)
    assert answer.status_code == 200, answer.text
    return [one["receiptId"] for one in answer.json()["data"]["callbacks"]]


async def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


async def test_what_found_no_video_is_listed_and_shown_with_its_body(world: World, admin: httpx.AsyncClient) -> None:
    receipt_id = await received(world, unknown_video())
    await judge(world, admin, receipt_id, "held")
    assert receipt_id in await listed(admin)
    assert receipt_id not in await listed(admin, state="quarantined")
    await judge(world, admin, receipt_id, "quarantined")
    assert receipt_id in await listed(admin, state="quarantined")
    whole = await shown(admin, receipt_id)
    assert '"status":"ready"' in whole["body"]
    assert not {"job", "passedOn", "outbox", "bodyHash"} & whole.keys()
    kept = await world.database["receipts"].find_one({"_id": receipt_id})
    assert kept is not None
    assert (kept["expiresAt"] - kept["receivedAt"]).days >= 89


async def test_attached_to_a_video_it_is_judged_as_one_about_it(world: World, admin: httpx.AsyncClient) -> None:
    await world.watch()
    person = await world.person()
    video_id, stray = await person.ask(), unknown_video()
    receipt_id = await received(world, stray)
    await judge(world, admin, receipt_id, "quarantined")
    answer = await admin.post(f"/admin/callbacks/{receipt_id}/attach", json={"videoId": video_id})
    assert answer.status_code == 202, answer.text
    first, again = (
        await world.told(CompletionReported, video_id=stray),
        await world.told(CompletionReported, video_id=video_id),
    )
    assert (again.receipt_id, again.attempt, again.video_url) == (receipt_id, 1, first.video_url)
    assert again.id != again.replaces == first.id
    assert (await shown(admin, receipt_id))["outcome"] is None, "it waits to be judged anew"
    for action, body in (("replay", None), ("attach", {"videoId": await person.ask()})):
        answer = await admin.post(f"/admin/callbacks/{receipt_id}/{action}", json=body)
        await refused(answer, 409, "CALLBACK_SETTLED")
    await judge(world, admin, receipt_id, "applied")
    assert receipt_id not in await listed(admin)
    for action, body in (("replay", None), ("attach", {"videoId": video_id})):
        answer = await admin.post(f"/admin/callbacks/{receipt_id}/{action}", json=body)
        await refused(answer, 409, "CALLBACK_SETTLED")
    at_last = await shown(admin, receipt_id)
    assert (at_last["outcome"], at_last["matched"]) == ("applied", True)


async def test_attached_while_a_file_is_only_fetched_again_it_is_about_the_attempt_that_was_rendered(
    world: World, admin: httpx.AsyncClient
) -> None:
    """Of the attempt that fetches the generator knows nothing: it would hold the webhook, and put it aside again."""
    await world.watch()
    person = await world.person()
    video_id = await person.ask()
    await world.publish(events.completed(video_id), events.video_failed(video_id))
    await person.sees(video_id, status="failed")
    assert (await person.client.post(f"/api/video/retry/{video_id}")).json()["data"]["attempt"] == 2
    receipt_id = await received(world, unknown_video())
    await judge(world, admin, receipt_id, "quarantined")
    await admin.post(f"/admin/callbacks/{receipt_id}/attach", json={"videoId": video_id})
    assert (await world.told(CompletionReported, video_id=video_id)).attempt == 1


async def test_replayed_it_is_passed_on_as_it_was(world: World, admin: httpx.AsyncClient) -> None:
    await world.watch()
    stray = unknown_video()
    receipt_id = await received(world, stray)
    await judge(world, admin, receipt_id, "quarantined")
    assert (await admin.post(f"/admin/callbacks/{receipt_id}/replay")).status_code == 202

    async def twice() -> bool:
        return len(world.all_told(CompletionReported, video_id=stray)) == 2

    await eventually(twice, "passed on twice, as two events")


ODD = [{"size": 2**63}, {"bytes": [-(2**70)]}, {"a\0b": 1}, {"$set": {"a.b": 1}}]


@pytest.mark.parametrize("metadata", ODD, ids=repr)
async def test_whatever_a_workflow_says_of_its_file_is_kept_and_passed_on(
    world: World, admin: httpx.AsyncClient, metadata: Json
) -> None:
    await world.watch()
    stray = unknown_video()
    receipt_id = await received(world, stray, metadata=metadata)
    assert (await world.told(CompletionReported, video_id=stray)).metadata == metadata
    await judge(world, admin, receipt_id, "quarantined")
    assert (await admin.post(f"/admin/callbacks/{receipt_id}/replay")).status_code == 202

    async def twice() -> bool:
        return [told.metadata for told in world.all_told(CompletionReported, video_id=stray)] == [metadata] * 2

    await eventually(twice, "passed on again as it was")


async def test_discarded_it_is_closed(world: World, admin: httpx.AsyncClient) -> None:
    receipt_id = await received(world, unknown_video())
    await refused(await admin.post(f"/admin/callbacks/{receipt_id}/discard"), 409, "CALLBACK_SETTLED")
    await judge(world, admin, receipt_id, "quarantined")
    assert (await admin.post(f"/admin/callbacks/{receipt_id}/discard")).status_code == 200
    assert receipt_id in await listed(admin, state="discarded")
    assert receipt_id not in await listed(admin)
    await refused(await admin.post(f"/admin/callbacks/{receipt_id}/discard"), 409, "CALLBACK_SETTLED")


async def test_what_can_not_be_done_says_why(world: World, admin: httpx.AsyncClient) -> None:
    person = await world.person()
    video_id = await person.ask()
    receipt_id = await received(world, unknown_video())
    attach = f"/admin/callbacks/{receipt_id}/attach"
    await refused(await admin.get("/admin/callbacks/none"), 404, "CALLBACK_NOT_FOUND")
    neither = await admin.post("/admin/callbacks/none/attach", json={"videoId": unknown_video()})
    await refused(neither, 404, "CALLBACK_NOT_FOUND")
    await refused(await admin.post(attach, json={"videoId": unknown_video()}), 404, "VIDEO_NOT_FOUND")
    await refused(await admin.post(attach, json={"videoId": video_id, "attempt": 2}), 404, "VIDEO_NOT_FOUND")
    await refused(await admin.post(attach, json={"videoId": video_id, "atempt": 1}), 422, "VALIDATION_FAILED")
    await refused(await admin.post(attach, json={"videoId": video_id, "attempt": True}), 422, "VALIDATION_FAILED")
    await refused(await admin.get("/admin/callbacks?state=lost"), 422, "VALIDATION_FAILED")
    progress = {"videoId": video_id, "attempt": 1, "executionId": "1", "progress": 5}
    report = (await world.post_webhook("workflow-progress", progress)).json()["data"]["receiptId"]
    await refused(await admin.post(f"/admin/callbacks/{report}/replay"), 409, "CALLBACK_NOT_KEPT")


async def test_to_an_imported_video_nothing_can_be_attached(world: World, admin: httpx.AsyncClient) -> None:
    """It was taken with 202, and came back as held: no workflow ever runs for an import."""
    person = await world.person()
    wanted = {"videoUrl": "https://videos.example.com/a.mp4", "title": "From elsewhere"}
    imported = (await person.client.post("/api/video/download-video", json=wanted)).json()["data"]["videoId"]
    receipt_id = await received(world, unknown_video())
    attaching = await admin.post(f"/admin/callbacks/{receipt_id}/attach", json={"videoId": imported})
    await refused(attaching, 409, "VIDEO_NOT_RENDERED")


async def test_nobody_else_gets_in(world: World) -> None:
    person = await world.person()
    for client in (world.client(), person.client):
        await refused(await client.get("/admin/callbacks"), 401, "ADMIN_TOKEN_REQUIRED")


@pytest.mark.parametrize(("did", "then"), [("applied", "repeat"), ("applied", "held"), ("quarantined", "held")])
async def test_that_it_came_again_does_not_hide_what_it_did(
    world: World, admin: httpx.AsyncClient, did: str, then: str
) -> None:
    receipt_id = await received(world, unknown_video())
    await judge(world, admin, receipt_id, did)
    told = {"id": f"{receipt_id}:again", "receiptId": receipt_id, "purpose": "complete", "outcome": then}
    await world.publish(CallbackJudged.model_validate(told))
    other = await received(world, unknown_video())
    await judge(world, admin, other, "held", key=receipt_id)  # what was said before it has been heard, too
    assert (await shown(admin, receipt_id))["outcome"] == did

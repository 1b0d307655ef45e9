"""Webhooks in the timelines of their videos, with what came of them, also where an operator has one judged again."""

import uuid

import pytest

from deploy.local.site import admin_token
from shared.contracts.events import CallbackJudged
from tests.driving import eventually
from tests.integration.gateway.timelines import TRACE, entries, mark
from tests.integration.gateway.world import World


async def test_a_webhook_and_what_came_of_it_are_one_entry(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    link = "https://user:pass@files.example.com/out/a.mp4?token=geheim"
    await world.post_webhook("video-complete", {"videoId": video_id, "status": "ready", "videoUrl": link})
    (entry,) = [e for e in await entries(person, video_id, "webhook.complete") if e["code"] == "webhook.complete"]
    assert entry["message"] == "The workflow reported a finished video at https://files.example.com."
    assert "outcome" not in entry
    receipt_id = entry["id"].removeprefix("webhook:")
    await world.publish(judged(receipt_id, "held", video_id))
    await entries(person, video_id, "webhook.complete", outcome="held")
    await world.publish(judged(receipt_id, "contradiction", video_id), judged(receipt_id, "repeat", video_id))
    await world.publish(mark(video_id))
    found = await entries(person, video_id, "mark", "webhook.complete", outcome="contradiction")
    (entry,) = [e for e in found if e["code"] == "webhook.complete"]
    assert entry["level"] == "warning"
    assert entry["message"].endswith("which contradicts what was known and changed nothing.")
    assert "geheim" not in str(found)
    assert "pass" not in str(found)


@pytest.mark.parametrize("held_first", [False, True])
async def test_a_webhook_that_names_no_video_is_told_once_its_video_is_known(world: World, held_first: bool) -> None:
    person = await world.person()
    video_id = await person.ask()
    body = {"errorMessage": "Avatar generation failed", "executionId": uuid.uuid4().hex}
    answer = await world.post_webhook("workflow-error", body)
    receipt_id = answer.json()["data"]["receiptId"]
    if held_first:
        await world.publish(judged(receipt_id, "held", None))

        async def settled() -> bool:
            receipt = await world.database["receipts"].find_one({"_id": receipt_id})
            return receipt is not None and receipt.get("outcome") == "held"

        await eventually(settled, "held")
    await world.publish(judged(receipt_id, "applied", video_id))
    found = await entries(person, video_id, "webhook.error", outcome="applied")
    (entry,) = [e for e in found if e["code"] == "webhook.error"]
    assert entry["message"] == "The workflow reported an error (“Avatar generation failed”), which counted."
    assert entry["traceId"] == "ab" * 16


async def test_a_webhook_that_an_operator_attaches_has_an_entry_of_its_own_in_each_video(world: World) -> None:
    """What counted for the second must not be missing there, nor change what is said of it in the first."""
    person = await world.person()
    first, second = await person.ask(), await person.ask("Another")
    answer = await world.post_webhook("workflow-error", {"errorMessage": "No avatar", "executionId": first})
    receipt_id = answer.json()["data"]["receiptId"]
    await world.publish(judged(receipt_id, "contradiction", first))
    await entries(person, first, "webhook.error", outcome="contradiction")
    await attach(world, receipt_id, second)
    (waiting,) = [e for e in await entries(person, second, "webhook.error") if e["code"] == "webhook.error"]
    again = waiting["id"].removeprefix(f"webhook:{receipt_id}")
    await world.publish(judged(receipt_id, "applied", second).model_copy(update={"report_id": f"report{again}"}))
    found = await entries(person, second, "webhook.error", outcome="applied")
    (entry,) = [e for e in found if e["code"] == "webhook.error"]
    said = "An operator had this judged again: the workflow reported an error (“No avatar”), which counted."
    assert (entry["id"], entry["message"]) == (waiting["id"], said)
    (before,) = [e for e in await entries(person, first, "webhook.error") if e["code"] == "webhook.error"]
    assert before["outcome"] == "contradiction"


async def test_a_held_webhook_that_an_operator_attaches_is_told_of_by_the_new_entry_alone(world: World) -> None:
    person = await world.person()
    video_id, other = await person.ask(), await person.ask("Another")
    answer = await world.post_webhook("video-complete", {"videoId": video_id, "status": "failed", "error": "No"})
    receipt_id = answer.json()["data"]["receiptId"]
    await world.publish(judged(receipt_id, "held", video_id))
    await entries(person, video_id, "webhook.complete", outcome="held")
    await attach(world, receipt_id, other)
    (before,) = [e for e in await entries(person, video_id, "webhook.complete", outcome="replaced") if "outcome" in e]
    assert before["message"].endswith("which an operator had judged again.")
    (waiting,) = [e for e in await entries(person, other, "webhook.complete") if e["code"] == "webhook.complete"]
    again = waiting["id"].removeprefix(f"webhook:{receipt_id}")
    # It had had its effect on the first video before it was attached to the second.
    await world.publish(judged(receipt_id, "applied", video_id).model_copy(update={"report_id": f"report{again}"}))
    await world.publish(judged(receipt_id, "applied", video_id), judged(receipt_id, "held", video_id))
    await entries(person, video_id, "webhook.complete", outcome="applied")
    found = await entries(person, other, "webhook.complete", outcome="repeat")
    assert [e["id"] for e in found if e["code"] == "webhook.complete"] == [waiting["id"]]


def judged(receipt_id: str, outcome: str, video_id: str | None) -> CallbackJudged:
    return CallbackJudged(
        id=f"{receipt_id}:judged:{outcome}",
        traceparent=TRACE,
        receipt_id=receipt_id,
        purpose="error",
        outcome=outcome,
        video_id=video_id,
        attempt=1 if video_id else None,
    )


async def attach(world: World, receipt_id: str, video_id: str) -> None:
    """Attach a webhook as an operator, once the gateway has noted what became of it."""
    admin = world.client(headers={"Authorization": f"Bearer {admin_token(world.stack.site)}"})

    async def attached() -> bool:
        answer = await admin.post(f"/admin/callbacks/{receipt_id}/attach", json={"videoId": video_id})
        return answer.status_code == 202

    await eventually(attached, f"{receipt_id} attached")

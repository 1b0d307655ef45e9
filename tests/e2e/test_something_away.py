"""Something is away: what was accepted waits, and goes on when it is back."""

import pytest

from deploy.local.stack import LocalStack
from tests.conftest import User
from tests.driving import (
    GENERATE,
    ask,
    away,
    eventually,
    listening,
    status_of,
    timeline_with,
    wait_for_stage,
    wait_for_status,
    webhook,
)
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)


async def test_kafka_away_requests_and_webhooks_are_accepted_and_flow_later(
    user: User, stack: LocalStack, engine: Engine
) -> None:
    await engine.fault("Reported while Kafka was away", {"kind": "callback-never"})
    waiting = await ask(user.client, "Reported while Kafka was away")
    await wait_for_stage(user.client, waiting, "rendering")
    async with away(stack, "kafka"):
        asked = await ask(user.client, "Asked while Kafka was away")
        body = {"videoId": waiting, "status": "failed", "error": "no more"}
        answer = await webhook(stack, "video-complete", body, **{"X-Webhook-Secret": stack.webhook_secret})
        assert (answer.status_code, answer.json()["data"]["matched"]) == (202, True)
        assert (await status_of(user.client, asked))["status"] == "pending"
    await wait_for_status(user.client, asked, "ready", 90)
    await wait_for_status(user.client, waiting, "failed", 90)


async def test_database_away_is_a_503_that_says_when_to_come_back(user: User, stack: LocalStack) -> None:
    async with away(stack, "gateway-db"):
        answer = await user.client.post("/api/video/generate-video", json=GENERATE)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]["code"] == "UNAVAILABLE"
    await wait_for_status(user.client, await ask(user.client, "Back again"), "ready", 90)


@pytest.mark.parametrize("name", ["generator-db", "media-db", "notifier-db"])
async def test_a_service_without_its_database_goes_on_when_it_is_back(user: User, stack: LocalStack, name: str) -> None:
    async with listening(user.client) as stream:
        async with away(stack, name):
            video_id = await ask(user.client, f"Without {name}")
        await stream.wait_for(video_id, "complete", 90)


async def test_workflow_engine_away_the_video_stays_pending_and_is_tried_again(
    user: User, stack: LocalStack, engine: Engine
) -> None:
    async with away(stack, "workflow"):
        video_id = await ask(user.client, "Engine away")
        assert (await status_of(user.client, video_id))["status"] == "pending"
    await wait_for_status(user.client, video_id, "ready", 90)
    assert len(await engine.executions(video_id)) == 1


async def test_storage_away_the_transfer_is_repeated(user: User, stack: LocalStack, engine: Engine) -> None:
    async with away(stack, "s3"):
        video_id = await ask(user.client, "Storage away")

        async def delivered() -> bool:
            return any(run["status"] == "success" for run in await engine.executions(video_id))

        await eventually(delivered, "the workflow is done while the storage is away")
    await wait_for_status(user.client, video_id, "ready", 120)


async def test_who_waits_while_nobody_answers_is_told_so_and_of_the_end_after_all(
    user: User, stack: LocalStack, engine: Engine
) -> None:
    before = {"ANSWER_DEADLINE": "P1D", "REANNOUNCE_AFTER": stack.settings("gateway")["REANNOUNCE_AFTER"]}
    await stack.restart("gateway", {"ANSWER_DEADLINE": "PT1S", "REANNOUNCE_AFTER": "PT1S"})
    try:
        async with listening(user.client) as stream:
            async with away(stack, "generator"):
                video_id = await ask(user.client, "Nobody is there")
                told = await stream.wait_for(video_id, "error")
            assert (told["code"], told["retryable"]) == ("UNANSWERED", True)
            await stream.wait_for(video_id, "complete", 90)
            assert [news["type"] for news in stream.about(video_id, "error", "complete")] == ["error", "complete"]
        assert len(await engine.executions(video_id)) == 1
        timeline = await timeline_with(user.client, video_id, (1, "unanswered"), (1, "ready"))
        codes = [entry["code"] for entry in timeline["entries"]]
        assert codes.index("unanswered") < codes.index("ready")
    finally:
        await stack.restart("gateway", before)


async def test_a_deadline_ends_a_job_that_nobody_reports_on(user: User, stack: LocalStack, engine: Engine) -> None:
    await engine.fault("Never heard of again", {"kind": "callback-never"})
    settings = stack.settings("generator")
    before = {"WORKFLOW_DEADLINE": settings.get("WORKFLOW_DEADLINE", "PT45M"), "N8N_API_KEY": settings["N8N_API_KEY"]}
    # Without a key for the engine's API nobody can be asked what became of the run.
    await stack.restart("generator", {"WORKFLOW_DEADLINE": "PT8S", "N8N_API_KEY": ""})
    try:
        video_id = await ask(user.client, "Never heard of again")
        failed = await wait_for_status(user.client, video_id, "failed")
        assert failed["error"]["code"] == "WORKFLOW_TIMEOUT"
        assert failed["error"]["retryable"] is True
    finally:
        await stack.restart("generator", before)

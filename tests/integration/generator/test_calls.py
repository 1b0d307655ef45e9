"""The call to the workflow engine and every class of answer: what is called again, what never."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from services.generator.messages import NOT_SAID
from shared.access.callback_urls import read_token
from shared.access.webhook_signatures import verify
from shared.contracts.events import WorkflowCompleted, WorkflowFailed, WorkflowNoted, WorkflowStarted
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import (
    DEFAULT,
    MIGRATING,
    NO_DATABASE,
    NOT_REGISTERED,
    Answer,
    answering,
    cut,
    cut_in_the_middle,
    endless,
    one_after_another,
    silence,
    started,
)
from tests.integration.generator.world import FIELDS, World

pytestmark = pytest.mark.asyncio(loop_scope="module")


world = world_with(
    {"N8N_AUTH_HEADER": "X-Inbound", "N8N_AUTH_VALUE": "let me in", "WEBHOOK_SECRETS": "first-secret,second"}
)


async def test_the_call_carries_all_a_workflow_needs(world: World) -> None:
    event = await world.request(started("17"), traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    (call,) = await world.called(event.video_id)
    assert call.path == "/webhook/generate"
    callbacks = call.body.pop("callbacks")
    voice = call.body.pop("voice_id")
    assert call.body == {**FIELDS, "videoId": event.video_id, "requestId": event.request_id, "attempt": 1}
    assert voice in {"voice-aria", "voice-beatrix", "voice-clara", "voice-dalia"}
    assert call.headers["idempotency-key"] == f"{event.request_id}:1"
    assert call.headers["x-inbound"] == "let me in"
    assert call.headers["traceparent"].startswith(f"00-{'a' * 32}-")
    verify(["first-secret"], call.headers, call.raw, datetime.now(UTC).timestamp())
    later = event.time + timedelta(minutes=45, hours=75)
    for purpose in ("complete", "error", "progress"):
        grant = read_token(["first-secret"], callbacks[purpose].partition("token=")[2], purpose, later)
        assert (grant.video_id, grant.attempt) == (event.video_id, 1)


async def test_how_long_it_takes_is_what_the_gateway_learned(world: World) -> None:
    """Else the live stream promised another time than the status."""
    event = await world.request(started("19"), expected_seconds=90)
    told = await world.event(WorkflowStarted, event.video_id)
    assert timedelta(seconds=89) < told.estimated_completion - event.time < timedelta(seconds=110)


async def test_started_is_told_with_the_execution_id(world: World) -> None:
    event = await world.request(started("18"))
    told = await world.event(WorkflowStarted, event.video_id)
    assert (told.certain, told.execution_id, told.kind, told.title) == (True, "18", "generate", "Rates")
    assert timedelta(minutes=14) < told.estimated_completion - event.time < timedelta(minutes=16)
    document = await world.document(event.video_id)
    history = {name: document.get(name) for name in ("executionId", "userId", "email", "status")}
    assert history == {"executionId": "18", "userId": "ann", "email": "ann@example.com", "status": "pending"}


async def test_create_goes_to_its_own_address_without_a_voice(world: World) -> None:
    fields = {"prompt": "A tour", "avatar": ["amara-okafor"], "email": "ann@example.com"}
    event = await world.request(started(19), kind="create", fields=fields)
    (call,) = await world.called(event.video_id)
    assert call.path == "/webhook/create"
    assert "voice_id" not in call.body
    assert call.body["avatar"] == ["amara-okafor"]
    assert (await world.event(WorkflowStarted, event.video_id)).execution_id == "19"


async def test_an_unknown_avatar_goes_without_a_voice(world: World) -> None:
    event = await world.request(started("20"), fields={**FIELDS, "avatar_title": "nobody"})
    (call,) = await world.called(event.video_id)
    assert "voice_id" not in call.body


async def test_an_avatar_always_has_the_same_voice(world: World) -> None:
    events = [await world.request(started(f"v{number}")) for number in range(3)]
    voices = {(await world.called(event.video_id))[0].body["voice_id"] for event in events}
    assert len(voices) == 1


@pytest.mark.parametrize(
    "answer",
    [
        DEFAULT,
        answering(200, "not json"),
        answering(200, json.dumps({"executionId": "x" * 5000})),
        answering(200, json.dumps({"executionId": {"$gt": ""}})),
        answering(200, "[" * 50_000),
        answering(204, b""),
        endless,
    ],
    ids=["default", "no-json", "long-id", "object-id", "deep", "empty", "endless"],
)
async def test_any_2xx_answer_means_started(world: World, answer: Answer) -> None:
    event = await world.request(answer)
    told = await world.event(WorkflowStarted, event.video_id)
    assert (told.certain, told.execution_id) == (True, None)
    assert len(world.n8n.calls[event.video_id]) == 1


@pytest.mark.parametrize(
    "refusal",
    [NOT_REGISTERED, MIGRATING, NO_DATABASE],
    ids=["404-not-registered", "migrating", "no-database"],
)
async def test_a_certain_refusal_is_called_again_until_taken(world: World, refusal: Answer) -> None:
    event = await world.request(one_after_another(refusal, refusal, started("77")))
    told = await world.event(WorkflowStarted, event.video_id)
    calls = world.n8n.calls[event.video_id]
    assert (told.certain, len(calls)) == (True, 3)
    assert len({call.headers["idempotency-key"] for call in calls}) == 1
    assert world.told(event.video_id) == ["WorkflowStarted"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
async def test_a_refusal_that_will_not_change_fails_at_once(world: World, status: int) -> None:
    event = await world.request(answering(status, "Authorization data is wrong!"))
    told = await world.event(WorkflowFailed, event.video_id)
    assert (told.code, told.retryable) == ("WORKFLOW_REFUSED", True)
    assert str(status) in told.message
    assert len(world.n8n.calls[event.video_id]) == 1
    await world.complete(event.video_id)  # whoever said no did not know: it had got through
    assert (await world.event(WorkflowCompleted, event.video_id)).adopted is True
    assert len(world.n8n.calls[event.video_id]) == 1


@pytest.mark.parametrize(
    "answer",
    [
        answering(500),
        answering(502),
        answering(504),
        answering(302, location="/elsewhere"),
        answering(408),
        answering(409),
        cut,
        cut_in_the_middle,
        silence,
        answering(429, retry_after="0"),
        answering(503),
    ],
    ids=["500", "502", "504", "redirect", "408", "409", "cut", "cut-in-the-middle", "silence", "429", "503"],
)
async def test_what_may_have_started_is_never_called_again(world: World, answer: Answer) -> None:
    """There is no key to ask n8n with."""
    event = await world.request(answer)
    told = await world.event(WorkflowStarted, event.video_id)
    assert (told.certain, told.message) == (False, NOT_SAID)
    assert len(world.n8n.calls[event.video_id]) == 1
    await world.complete(event.video_id)
    completed = await world.event(WorkflowCompleted, event.video_id)
    assert (completed.adopted, completed.title, completed.email) == (False, "Rates", "ann@example.com")
    assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowCompleted"]
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_an_engine_that_is_away_is_called_when_it_is_back(world: World) -> None:
    await world.n8n.stop()
    try:
        event = await world.request(started("80"))
        document = await world.state(event.video_id, "requested")
        assert document["status"] == "pending"
    finally:
        await world.n8n.start()
    assert (await world.event(WorkflowStarted, event.video_id)).execution_id == "80"
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_a_request_delivered_twice_is_called_once(world: World) -> None:
    event = await world.request(started("81"))
    await world.publish(event)
    await world.event(WorkflowStarted, event.video_id)
    await world.publish(event)
    await world.requests_handled(event.video_id)
    assert len(world.n8n.calls[event.video_id]) == 1
    ids = {e.id for e in world.published if e.id.startswith(event.video_id) and not isinstance(e, WorkflowNoted)}
    assert ids == {f"{event.video_id}:1:started"}

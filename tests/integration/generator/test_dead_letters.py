"""Dead letters of a real generator, over the command line and over /admin: what was paid for is not paid for again."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from shared.contracts.cloudevents import Record, encode
from shared.contracts.events import VideoRequested, WorkflowStarted, event_id
from shared.contracts.topics import VIDEO_REQUESTS, dead_letters
from tests.integration.generator.conftest import world_with
from tests.integration.generator.world import FIELDS, World
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]


world = world_with()


@pytest_asyncio.fixture(loop_scope="module")
async def admin(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to /admin/dead-letters of the generator as its admin."""
    base = f"{world.stack.url('generator')}/admin"
    bearer = {"Authorization": f"Bearer {world.stack.admin_token}"}
    async with httpx.AsyncClient(base_url=base, headers=bearer, timeout=30, trust_env=False) as client:
        yield client


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def letters(self) -> list[Json]:
        found: list[Json] = json.loads(self.out)["deadLetters"]
        return found


async def dlq(world: World, *arguments: str) -> Run:
    """Run `reelway dlq ... ` as an operator would."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "dlq", *arguments),
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": world.stack.url("kafka")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Run(process.returncode or 0, out.decode(), err.decode())


async def unhandled_request(world: World) -> tuple[str, VideoRequested]:
    """A request that an older version gave up, though nothing is wrong with it; its letter's id, and the request."""
    video_id = f"ann{uuid.uuid4().hex[:8]}_1700000000000"
    event = VideoRequested(
        id=event_id(video_id, 1, "requested"),
        video_id=video_id,
        user_id="ann",
        attempt=1,
        kind="generate",
        request_id=f"video_{video_id}",
        title="Rates",
        email="ann@example.com",
        fields=FIELDS,
    )
    record = encode(event, "gateway")
    about = {"dlq_topic": record.topic, "dlq_partition": "0", "dlq_offset": "7", "dlq_reason": "KeyError"}
    originals = {f"original_{name}": value for name, value in record.headers.items()}
    await put(world, Record(dead_letters("generator").name, record.key, {**about, **originals}, record.value))
    (letter,) = (await dlq(world, "list", "--event", event.id, "--json")).letters
    return letter["id"], event


async def put(world: World, record: Record) -> None:
    await world.producer.send_and_wait(record.topic, record.value, record.key, headers=record.all_headers)


async def test_the_command_line_lists_shows_and_sends_back(world: World) -> None:
    marker = uuid.uuid4().hex
    await put(world, Record(VIDEO_REQUESTS.name, b"k", {"ce_type": "VideoCancelled", "ce_id": marker}, b"{"))

    async def listed() -> list[Json]:
        return (await dlq(world, "list", "--event", marker, "--json")).letters

    (letter,) = await until(listed)
    assert (letter["service"], letter["reason"], letter["state"]) == ("generator", "unreadable_json", "open")
    shown = await dlq(world, "show", letter["id"], "--json")
    assert json.loads(shown.out)["body"] == "{"
    assert {"name": "ce_id", "value": marker} in json.loads(shown.out)["headers"]
    plain = await dlq(world, "list", "--event", marker)
    assert plain.out.splitlines()[1].split("\t")[0] == letter["id"]

    dry = await dlq(world, "redrive", "--event", marker, "--dry-run", "--json")
    assert dry.letters == [{"id": letter["id"], "outcome": "would_be_redriven"}]
    assert [one["state"] for one in await listed()] == ["open"]
    assert (await dlq(world, "redrive", letter["id"], "--json")).letters[0]["outcome"] == "redriven"

    async def redriven_in_vain() -> bool:
        return [one["redrives"] for one in await listed()] == [1]

    await until(redriven_in_vain)
    assert (await dlq(world, "discard", letter["id"])).code == 0
    assert await listed() == []
    again = await dlq(world, "redrive", letter["id"])
    assert (again.code, "closed already" in again.out) == (1, True)


async def test_a_request_is_paid_for_once_and_only_where_that_was_said(world: World) -> None:
    id_, event = await unhandled_request(world)
    refused = await dlq(world, "redrive", id_)
    assert refused.code == 1
    assert "--allow-paid-work" in refused.out
    await world.requests_handled(event.video_id)
    assert await world.document(event.video_id) == {}
    assert world.n8n.calls[event.video_id] == []
    assert (await dlq(world, "redrive", id_, "--allow-paid-work")).code == 0
    await world.event(WorkflowStarted, event.video_id)
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_admins_list_show_send_back_and_discard_over_http(world: World, admin: httpx.AsyncClient) -> None:
    id_, event = await unhandled_request(world)
    listed = (await admin.get("/dead-letters", params={"eventId": event.id})).json()["data"]
    assert [one["id"] for one in listed["deadLetters"]] == [id_]
    assert listed["total"] == 1
    shown = (await admin.get(f"/dead-letters/{id_}")).json()["data"]
    assert json.loads(shown["body"])["videoId"] == event.video_id

    dry = await admin.post("/dead-letters/redrive", json={"eventId": event.id, "dryRun": True})
    assert dry.json()["data"]["deadLetters"] == [{"id": id_, "outcome": "needs_paid_work"}]
    refused = await admin.post("/dead-letters/redrive", json={"ids": [id_]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "PAID_WORK_NOT_ALLOWED")
    assert "allowPaidWork" in refused.json()["message"]
    sent = await admin.post("/dead-letters/redrive", json={"ids": [id_], "allowPaidWork": True})
    assert sent.json()["data"]["deadLetters"] == [{"id": id_, "outcome": "redriven"}]
    await world.called(event.video_id)

    other, _ = await unhandled_request(world)
    thrown_away = await admin.post("/dead-letters/discard", json={"ids": [other]})
    assert thrown_away.json()["data"]["deadLetters"] == [{"id": other, "outcome": "discarded"}]
    closed = (await admin.get("/dead-letters", params={"state": "discarded"})).json()["data"]["deadLetters"]
    assert other in [one["id"] for one in closed]


@pytest.mark.parametrize("path", ["redrive", "discard"])
async def test_what_is_not_said_clearly_is_not_done(admin: httpx.AsyncClient, path: str) -> None:
    nothing = await admin.post(f"/dead-letters/{path}", json={})
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (422, "NOTHING_SELECTED")
    misspelt = await admin.post(f"/dead-letters/{path}", json={"all": True, "raeson": "KeyError"})
    assert (misspelt.status_code, list(misspelt.json()["error"]["fields"])) == (422, ["raeson"])
    unknown = await admin.post(f"/dead-letters/{path}", json={"ids": ["generator:0123456789abcdef"]})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "DEAD_LETTER_NOT_FOUND")
    assert (await admin.get("/dead-letters/generator:nothing")).status_code == 404


async def test_what_fits_nothing_is_said(world: World) -> None:
    run = await dlq(world, "redrive", "--reason", "Nope")
    assert (run.code, run.out) == (0, "")
    assert "No dead letter fits" in run.err


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"all": "yes"}, {"all": "This must be true or false."}),
        ({"ids": "x"}, {"ids": "This must be a list."}),
        ({"since": "2h"}, {"since": "This must be a moment, such as 2025-10-02T13:29:00Z."}),
        ({"state": "bogus"}, {"state": "This must be 'open', 'redriven', 'discarded' or 'all'."}),
    ],
)
async def test_a_wrong_choice_is_refused_in_plain_words(
    admin: httpx.AsyncClient, wrong: dict[str, str], complaint: dict[str, str]
) -> None:
    refused = await admin.post("/dead-letters/redrive", json=wrong)
    assert (refused.status_code, refused.json()["error"]["fields"]) == (422, complaint)


async def test_nobody_else_gets_anything(world: World, admin: httpx.AsyncClient) -> None:
    for bearer in ("", "Bearer", f"Bearer {world.stack.admin_token}x", f"Basic {world.stack.admin_token}"):
        for path in ("/", "/dead-letters", "/dead-letters/redrive", "/nothing/here"):
            answer = await admin.get(path, headers={"Authorization": bearer})
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ADMIN_TOKEN_REQUIRED")
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("redrive",), "Which ones?"),
        (("discard", "--dry-run"), "Which ones?"),
        (("show", "generator:nothing"), "No dead letter fits generator:nothing"),
        (("show", "nobody:0123456789abcdef"), "There is no service nobody"),
        (("list", "--kafka", "127.0.0.1:1"), "Kafka does not answer"),
    ],
)
async def test_the_command_line_says_what_to_do(world: World, arguments: tuple[str, ...], words: str) -> None:
    run = await dlq(world, *arguments)
    assert run.code == 1
    assert words in run.err
    assert "Traceback" not in run.err

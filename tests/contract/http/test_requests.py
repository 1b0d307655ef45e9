"""Requests for videos: `create`, `generate-video`, `download-video`, field for field."""

import json
from datetime import datetime
from typing import Any

import pytest

from shared.contracts.events import VideoImportRequested, VideoRequested
from tests.contract.http.shapes import ACCEPTED, refusal, success
from tests.driving import CREATE, GENERATE
from tests.integration.gateway.world import World

IMPORT = {"videoUrl": "https://videos.example.com/a.mp4?token=1", "title": "From elsewhere"}
ROUTES = {"create": CREATE, "generate-video": GENERATE, "download-video": IMPORT}
EVERY_ROUTE = pytest.mark.parametrize("route", ROUTES)


@EVERY_ROUTE
async def test_the_answer_is_to_the_letter(world: World, route: str) -> None:
    person = await world.person()
    answer = await person.client.post(f"/api/video/{route}", json={**ROUTES[route], "unknown": [1, {}]})
    what = "download" if route == "download-video" else "generation"
    data = success(answer, 202, ACCEPTED, f"Video {what} started successfully")
    assert data["note"] == f"Video {what} is running in the background"
    timestamp, promised = (datetime.fromisoformat(data[name]) for name in ("timestamp", "estimated_completion"))
    assert (promised - timestamp).total_seconds() == 15 * 60
    milliseconds = round(timestamp.timestamp() * 1000)
    assert data["videoId"] == f"{person.user_id}_{milliseconds}"
    assert data["requestId"].startswith(f"video_{milliseconds}_")


@EVERY_ROUTE
async def test_every_field_is_required(world: World, route: str) -> None:
    person = await world.person()
    refusal(await person.client.post(f"/api/video/{route}", json={}), 422, "VALIDATION_FAILED", *ROUTES[route])


@EVERY_ROUTE
@pytest.mark.parametrize("wrong", ["", "   ", None, 7, {"a": 1}], ids=repr)
async def test_each_wrong_field_is_named(world: World, route: str, wrong: Any) -> None:
    person = await world.person()
    body = dict.fromkeys(ROUTES[route], wrong)
    refusal(await person.client.post(f"/api/video/{route}", json=body), 422, "VALIDATION_FAILED", *ROUTES[route])


@pytest.mark.parametrize("avatar", ["anna", [], [7], [" "]], ids=repr)
async def test_avatar_is_a_list_of_strings(world: World, avatar: Any) -> None:
    person = await world.person()
    answer = await person.client.post("/api/video/create", json={**CREATE, "avatar": avatar})
    assert answer.status_code == 422
    assert all(name.startswith("avatar") for name in answer.json()["error"]["fields"])


@pytest.mark.parametrize("email", ["nobody", "a@b", "a b@example.com", "@example.com"])
async def test_the_email_must_be_an_address(world: World, email: str) -> None:
    person = await world.person()
    answer = await person.client.post("/api/video/generate-video", json={**GENERATE, "email": email})
    refusal(answer, 422, "VALIDATION_FAILED", "email")


@pytest.mark.parametrize(
    "link", ["ftp://example.com/a.mp4", "example.com/a.mp4", "https://", "http://a b/", "file:///x"]
)
async def test_a_link_must_be_one(world: World, link: str) -> None:
    person = await world.person()
    answer = await person.client.post("/api/video/download-video", json={"videoUrl": link, "title": "A"})
    refusal(answer, 422, "VALIDATION_FAILED", "videoUrl")


async def test_what_is_no_json_object_is_refused(world: World) -> None:
    person = await world.person()
    headers = {"Content-Type": "application/json"}
    refused = await person.client.post("/api/video/create", content=b'{"prompt":', headers=headers)
    refusal(refused, 422, "INVALID_JSON")
    wide = json.dumps(CREATE).encode("utf-16")
    refusal(await person.client.post("/api/video/create", content=wide, headers=headers), 422, "INVALID_JSON")
    refused = await person.client.post("/api/video/create", content=b"[]", headers=headers)
    assert refused.status_code == 422
    surrogate = await person.client.post("/api/video/create", content=b'{"name": "\\ud800"}', headers=headers)
    assert surrogate.status_code == 422


async def test_a_long_script_is_taken_and_a_longer_one_is_not(world: World) -> None:
    person = await world.person()
    long = {**GENERATE, "body": "x" * (250 * 1024)}
    success(await person.client.post("/api/video/generate-video", json=long), 202, ACCEPTED)
    longer = {**GENERATE, "body": "x" * (256 * 1024)}
    refusal(await person.client.post("/api/video/generate-video", json=longer), 413, "BODY_TOO_LARGE")


@EVERY_ROUTE
async def test_nobody_asks_without_logging_in(world: World, route: str) -> None:
    refusal(await world.client().post(f"/api/video/{route}", json=ROUTES[route]), 401, "UNAUTHENTICATED")
    wrong = {"Authorization": "Bearer wrong"}
    answer = await world.client().post(f"/api/video/{route}", json=ROUTES[route], headers=wrong)
    refusal(answer, 401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("route", "kind", "title"), [("create", "create", "videoTopic"), ("generate-video", "generate", "title")]
)
async def test_the_request_goes_out_whole(world: World, route: str, kind: str, title: str) -> None:
    person = await world.person()
    await world.watch()
    answer = await person.client.post(f"/api/video/{route}", json={**ROUTES[route], "unknown": 1})
    data = answer.json()["data"]
    event = await world.told(VideoRequested, video_id=data["videoId"])
    assert event.fields == ROUTES[route]
    assert (event.kind, event.title, event.email) == (kind, ROUTES[route][title], "contact@example.com")
    assert (event.user_id, event.attempt, event.request_id) == (person.user_id, 1, data["requestId"])
    assert event.id == f"{data['videoId']}:1:requested"
    assert event.expected_seconds == 15 * 60


async def test_an_import_goes_out_with_its_link(world: World) -> None:
    person = await world.person()
    await world.watch()
    data = (await person.client.post("/api/video/download-video", json=IMPORT)).json()["data"]
    event = await world.told(VideoImportRequested, video_id=data["videoId"])
    assert (event.video_url, event.title) == (IMPORT["videoUrl"], IMPORT["title"])


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_an_idempotency_key_has_1_to_255_characters(world: World, key: str) -> None:
    person = await world.person()
    answer = await person.client.post("/api/video/create", json=CREATE, headers={"Idempotency-Key": key})
    refusal(answer, 422, "VALIDATION_FAILED", "Idempotency-Key")


async def test_the_same_key_gets_the_same_answer(world: World) -> None:
    person = await world.person()
    key = {"Idempotency-Key": "k" * 255}
    first = await person.client.post("/api/video/create", json=CREATE, headers=key)
    again = await person.client.post("/api/video/create", json=CREATE, headers=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = await person.client.post("/api/video/create", json={**CREATE, "city": "Lisboa"}, headers=key)
    refusal(other, 422, "IDEMPOTENCY_KEY_REUSED", "Idempotency-Key")
    elsewhere = await person.client.post("/api/video/generate-video", json=GENERATE, headers=key)
    success(elsewhere, 202, ACCEPTED)

"""The page, unknown addresses, and what operators and machines read."""

import pytest

from tests.contract.http.shapes import refusal
from tests.integration.gateway.world import World


async def test_the_page_and_its_files(world: World) -> None:
    client = world.client()
    page = await client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    script = await client.get("/studio/main.js")
    assert script.status_code == 200
    assert "javascript" in script.headers["content-type"]
    for answer in (page, script):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/studio/main.js", "/api/auth/me", "/api/openapi.json", "/api/video/gallery"])
async def test_head_is_get_without_the_body(world: World, path: str) -> None:
    client = (await world.person()).client
    got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


@pytest.mark.parametrize("path", ["/studio/", "/studio/none.js", "/studio/..%2fapp.py", "/studio/%2e%2e/app.py"])
async def test_no_other_files(world: World, path: str) -> None:
    assert (await world.client().get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/", "/api/auth/me", "/api/nothing", "/health/live"])
async def test_every_answer_is_what_it_says(world: World, path: str) -> None:
    answer = await world.client().get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    if path.startswith("/api/"):
        assert answer.headers["cache-control"] == "no-store"


async def test_unknown_addresses_and_methods(world: World) -> None:
    client = world.client()
    refusal(await client.get("/api/nothing"), 404, "NOT_FOUND")
    refusal(await client.get("/api/video/gallery/"), 404, "NOT_FOUND")
    refusal(await client.put("/api/video/create"), 405, "METHOD_NOT_ALLOWED")


async def test_health_and_metrics(world: World) -> None:
    client = world.client()
    assert (await client.get("/health/live")).json() == {"status": "live"}
    health = (await client.get("/health/ready")).json()
    assert set(health["dependencies"]) == {"database", "preparation", "kafka", "handlers", "storage", "notifier"}
    person = await world.person()
    await person.ask()
    metrics = (await client.get("/metrics")).text
    assert 'reelway_videos_accepted_total{kind="generate"}' in metrics
    assert 'route="/api/video/generate-video",status="202"' in metrics


async def test_asyncapi_names_what_is_heard_and_said(world: World) -> None:
    answer = await world.client().get("/asyncapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["asyncapi"].startswith("3.")
    text = answer.text
    for name in ("VideoRequested", "CompletionReported", "WorkflowStarted", "VideoReady", "AvatarChanged"):
        assert name in text
    assert world.stack.url("kafka") not in text


async def test_openapi_lists_the_contract(world: World) -> None:
    answer = await world.client().get("/api/openapi.json")
    assert answer.status_code == 200
    paths = answer.json()["paths"]
    assert {"/api/video/create", "/api/video/status/{video_id}", "/api/webhook/video-complete"} <= set(paths)

"""The envelope, the limits and the ops routes, as every service has them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, field_validator
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError
from starlette.types import Receive, Scope, Send

from shared.wiring.health import Health
from shared.wiring.http import MAX_BODY_BYTES, ApiError, answer, make_app
from shared.wiring.metrics import Metrics


class Script(BaseModel):
    hook: str
    avatar: list[str]

    @field_validator("hook")
    @classmethod
    def _not_blank(cls, hook: str) -> str:
        if not hook.strip():
            raise ValueError("Write something")
        return hook


@contextlib.asynccontextmanager
async def no_lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield


class Service:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.health = Health(self.metrics)
        self.app = make_app("test", self.metrics, self.health, no_lifespan)
        self.app.post("/script")(script)
        self.app.post("/size/{name}")(size)
        self.app.api_route("/fails/{how}", methods=["GET", "POST"])(fails)


async def script(script: Script) -> Response:
    data = {"at": datetime(2025, 10, 2, 13, 29, 0, 638123, UTC), "hook": script.hook}
    return answer(data, "Video generation started successfully", status=202)


async def size(name: str, request: Request) -> Response:
    return answer({"size": len(await request.body())})


async def fails(how: str) -> Response:
    raise {
        "api": ApiError(409, "NOT_READY", "Wait.", headers={"Retry-After": "9"}),
        "away": ServerSelectionTimeoutError("no server"),
        "refused": OperationFailure("bad query"),
        "bug": ZeroDivisionError(),
    }[how]


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=service.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_an_answer_has_the_envelope_and_times_to_the_millisecond(client: httpx.AsyncClient) -> None:
    response = await client.post("/script", json={"hook": "Hi", "avatar": []})
    assert response.status_code == 202
    assert response.json() == {
        "success": True,
        "message": "Video generation started successfully",
        "data": {"at": "2025-10-02T13:29:00.638Z", "hook": "Hi"},
    }


async def test_every_wrong_field_is_named(client: httpx.AsyncClient) -> None:
    response = await client.post("/script", json={"avatar": ["a", 7]})
    assert response.status_code == 422
    body = response.json()
    assert body["success"] is False
    assert body["error"]["code"] == "VALIDATION_FAILED"
    assert set(body["error"]["fields"]) == {"hook", "avatar.1"}
    assert body["error"]["fields"]["hook"] == "This field is required."
    assert "avatar.1, hook" in body["message"]
    blank = await client.post("/script", json={"hook": " ", "avatar": []})
    assert blank.json()["error"]["fields"] == {"hook": "Write something."}


async def test_a_body_that_is_no_json_or_no_object_is_422(client: httpx.AsyncClient) -> None:
    broken = await client.post("/script", content=b"{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["error"]["code"]) == (422, "INVALID_JSON")
    for content in (b"[]", b"null", b'"x"', b""):
        response = await client.post("/script", content=content, headers={"content-type": "application/json"})
        assert response.status_code == 422, content
        assert response.json()["error"]["code"] == "INVALID_BODY", content
        assert response.json()["success"] is False
    form = await client.post("/script", content=b'{"hook": "Hi"}', headers={"content-type": "text/plain"})
    assert (form.status_code, form.json()["error"]["code"]) == (422, "INVALID_BODY")
    assert "Content-Type: application/json" in form.json()["message"]
    deep = await client.post("/script", content=b"[" * 100_000, headers={"content-type": "application/json"})
    assert (deep.status_code, deep.json()["error"]["code"]) == (422, "INVALID_JSON")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
async def test_json_in_anything_but_utf_8_is_no_json(client: httpx.AsyncClient, encoding: str) -> None:
    content = '{"hook": "Hi", "avatar": []}'.encode(encoding)
    refused = await client.post("/script", content=content, headers={"content-type": "application/json"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "INVALID_JSON")
    raw = await client.post("/size/x", content=content)
    assert raw.json()["data"] == {"size": len(content)}, "what is not read as JSON may be anything"


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [("api", 409, "NOT_READY"), ("away", 503, "UNAVAILABLE"), ("refused", 500, "INTERNAL"), ("bug", 500, "INTERNAL")],
)
async def test_failures_have_the_envelope(client: httpx.AsyncClient, how: str, status: int, code: str) -> None:
    response = await client.get(f"/fails/{how}")
    assert response.status_code == status
    body = response.json()
    assert body["success"] is False
    assert body["error"] == {"code": code}
    assert "bad query" not in response.text
    assert response.headers.get("retry-after") == {"api": "9", "away": "5"}.get(how)


async def test_a_write_that_lost_its_database_is_not_called_undone(client: httpx.AsyncClient) -> None:
    """A database that fell silent had the write, and carried it out: who believed the answer paid twice."""
    read, written = await client.get("/fails/away"), await client.post("/fails/away")
    assert "Nothing was stored" in read.json()["message"]
    assert "may have been stored all the same" in written.json()["message"]


async def test_unknown_paths_and_methods_have_the_envelope(client: httpx.AsyncClient) -> None:
    missing, wrong = await client.get("/nowhere"), await client.get("/script")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert wrong.json()["message"] == f"This address takes {wrong.headers['Allow']} only."
    assert wrong.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/nowhere", "/script", "/fails/api"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    got, head = await client.get(path), await client.head(path)
    assert head.content == b""
    assert head.status_code == got.status_code
    sizes = {"content-length"} if path == "/metrics" else set()  # it counts the request before
    assert {**head.headers, **dict.fromkeys(sizes)} == {**got.headers, **dict.fromkeys(sizes)}


async def test_head_of_a_stream_is_its_beginning(service: Service, client: httpx.AsyncClient) -> None:
    left = asyncio.Event()

    class Endless(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/x")]})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            left.set()

    @service.app.get("/stream")
    async def stream() -> Response:
        return Endless()

    head = await client.head("/stream")
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/x", b"")
    assert left.is_set()


async def test_head_is_counted_as_what_it_is(client: httpx.AsyncClient) -> None:
    await client.head("/fails/api")
    exposition = (await client.get("/metrics")).text
    assert 'reelway_http_requests_total{method="HEAD",route="/fails/{how}",status="409"} 1.0' in exposition


async def test_a_body_up_to_the_limit_passes(client: httpx.AsyncClient) -> None:
    response = await client.post("/size/x", content=b"x" * MAX_BODY_BYTES)
    assert response.json()["data"] == {"size": MAX_BODY_BYTES}


async def test_a_body_beyond_the_limit_is_413_announced_or_not(client: httpx.AsyncClient) -> None:
    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * (MAX_BODY_BYTES // 4)

    for content in (b"x" * (MAX_BODY_BYTES + 1), unannounced()):
        response = await client.post("/size/x", content=content)
        assert (response.status_code, response.json()["error"]["code"]) == (413, "BODY_TOO_LARGE")
    lied = await client.post("/size/x", content=b"x", headers={"content-length": "many"})
    assert lied.status_code == 413


async def test_metrics_name_the_route_and_never_the_path(client: httpx.AsyncClient, service: Service) -> None:
    await client.post("/size/secret-name", content=b"x")
    await client.get("/nowhere/secret-name")
    exposition = (await client.get("/metrics")).text
    assert 'reelway_http_requests_total{method="POST",route="/size/{name}",status="200"} 1.0' in exposition
    assert 'route="unmatched",status="404"' in exposition
    assert "secret-name" not in exposition


async def test_a_live_stream_was_answered_when_it_began(client: httpx.AsyncClient, service: Service) -> None:
    open_seconds = 0.2

    @service.app.get("/stream")
    async def stream() -> Response:
        async def slowly() -> AsyncIterator[bytes]:
            yield b"ready"
            await asyncio.sleep(open_seconds)

        return StreamingResponse(slowly())

    assert (await client.get("/stream")).content == b"ready"
    labels = {"method": "GET", "route": "/stream"}
    waited = service.metrics.registry.get_sample_value("reelway_http_request_seconds_sum", labels)
    assert waited is not None
    assert waited < open_seconds


async def test_ready_follows_what_is_required_and_says_what_is_degraded(
    client: httpx.AsyncClient, service: Service
) -> None:
    problems: set[str] = set()

    def probe(name: str) -> None:
        async def ask() -> None:
            if name in problems:
                raise ConnectionError("with an address in it: 10.0.0.7")

        service.health.watch(name, ask, required=name == "database")

    probe("database")
    probe("kafka")

    async def ready() -> tuple[int, str]:
        await service.health.probe()
        response = await client.get("/health/ready")
        assert "10.0.0.7" not in response.text
        return response.status_code, response.json()["status"]

    assert (await client.get("/health/ready")).status_code == 503, "nothing was probed yet"
    assert await ready() == (200, "ready")
    problems.add("kafka")
    assert await ready() == (200, "degraded")
    problems.add("database")
    assert await ready() == (503, "unready")
    assert (await client.get("/health/live")).status_code == 200
    problems.clear()
    assert await ready() == (200, "ready")
    service.health.stopping = True
    assert await ready() == (503, "unready")

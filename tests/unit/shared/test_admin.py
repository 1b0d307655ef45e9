"""/admin: nothing without the secret, and nothing of what is there for browsers."""

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import SecretStr, ValidationError
from starlette.middleware.cors import CORSMiddleware

from shared.access.admin import AdminSecret
from shared.wiring.admin import serve_admin
from shared.wiring.http import answer, make_app
from shared.wiring.runtime import Runtime
from shared.wiring.settings import CommonSettings

SECRET = "correct-horse-battery"
ORIGIN = "https://app.example.com"


def test_only_the_whole_secret_as_a_bearer_token_admits() -> None:
    secret = AdminSecret(SecretStr(SECRET))
    assert secret.admits(f"Bearer {SECRET}")
    assert secret.admits(f"bearer  {SECRET} ")
    for brought in (None, "", SECRET, "Bearer", "Bearer ", f"Basic {SECRET}", f"Bearer {SECRET[:-1]}", "Bearer \xe9"):
        assert not secret.admits(brought)


def test_without_a_secret_nobody_is_admitted() -> None:
    nothing = AdminSecret(SecretStr(""))
    assert not nothing.is_set
    for brought in (None, "", "Bearer", "Bearer "):
        assert not nothing.admits(brought)


def test_a_secret_that_can_be_guessed_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="16 characters or more") as refused:
        CommonSettings(admin_token=SecretStr("hunter2"))
    assert "hunter2" not in str(refused.value)


@contextlib.asynccontextmanager
async def serving(token: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = CommonSettings(admin_token=SecretStr(token), kafka_bootstrap_servers="127.0.0.1:1")
    runtime = Runtime("media", settings, "mongodb://127.0.0.1:1")
    router = APIRouter()

    @router.post("/admin/echo")
    async def echo(request: Request) -> Response:
        return answer({"size": len(await request.body())})

    app = make_app("test", runtime.metrics, runtime.health, lambda app: contextlib.nullcontext())
    app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN], allow_credentials=True)
    serve_admin(app, settings, runtime, router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client
    await runtime.mongo.close()


async def test_it_is_off_where_no_secret_is_set() -> None:
    async with serving("") as client:
        answered = await client.post("/admin/echo", headers={"Authorization": "Bearer"})
        assert answered.status_code == 404
        assert answered.json()["error"]["code"] == "ADMIN_OFF"
        assert "ADMIN_TOKEN" in answered.json()["message"]


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/echo", "/admin/dead-letters", "/admin/not/there"])
async def test_whatever_the_path_the_secret_is_asked_for_first(path: str) -> None:
    async with serving(SECRET) as client:
        for content in (b"", b"{{{", b"x" * 300_000):
            answered = await client.post(path, headers={"Cookie": f"reelway_access={SECRET}"}, content=content)
            assert (answered.status_code, answered.json()["error"]["code"]) == (401, "ADMIN_TOKEN_REQUIRED")


async def test_with_the_secret_it_is_as_everywhere_else() -> None:
    async with serving(SECRET) as client:
        client.headers["Authorization"] = f"Bearer {SECRET}"
        assert (await client.post("/admin/echo", content=b"abc")).json()["data"] == {"size": 3}
        assert (await client.post("/admin/echo", content=b"x" * 300_000)).status_code == 413
        assert (await client.get("/admin/echo")).json()["error"]["code"] == "METHOD_NOT_ALLOWED"
        assert (await client.get("/admin/no")).json()["error"]["code"] == "NOT_FOUND"
        assert (await client.get("/administrator")).status_code == 404
        away = await client.get("/admin/dead-letters")
        assert (away.status_code, away.json()["error"]["code"]) == (503, "UNAVAILABLE")
        assert 'route="/admin/echo"' in (await client.get("/metrics")).text


async def test_no_page_of_another_origin_gets_at_it() -> None:
    async with serving(SECRET) as client:
        asking = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        assert (await client.options("/health/live", headers=asking)).headers["access-control-allow-origin"] == ORIGIN
        preflight = await client.options("/admin/echo", headers=asking)
        assert preflight.status_code == 401
        sent = await client.post("/admin/echo", headers={"Origin": ORIGIN, "Authorization": f"Bearer {SECRET}"})
        for answered in (preflight, sent):
            assert not [name for name in answered.headers if name.startswith("access-control")]

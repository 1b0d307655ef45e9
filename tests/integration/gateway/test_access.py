"""Who gets in: throttled log-ins, foreign pages, rotating sessions, settings that close doors, replicas."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial

import httpx
import pytest
import pytest_asyncio

from deploy.local import ready
from deploy.local.ports import free_port
from deploy.local.processes import Child
from deploy.local.services import service
from deploy.local.stack import LocalStack
from services.gateway.signing import new_key_pem
from shared.access.access_tokens import COOKIE
from shared.contracts.wire import utc_now
from tests.driving import GENERATE
from tests.integration.gateway.world import ENGINES, NO_TLS, STORAGE, Person, World, world_of

REFRESH = "reelway_refresh"
FRONTEND = "https://app.example.com"
ASK = "/api/video/generate-video"

OpenReplica = Callable[[dict[str, str]], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closed_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    settings = {
        **STORAGE,
        "LOGINS_PER_ACCOUNT": "3",
        "LOGINS_PER_ADDRESS": "8",
        "LOGIN_WINDOW": "P1D",
        "CORS_ORIGINS": FRONTEND,
        "PUBLIC_URL": "https://reelway.example.com",
    }
    folder = tmp_path_factory.mktemp("closed")
    async with LocalStack(folder, services=("gateway",), engines=ENGINES, overrides={"gateway": settings}) as stack:
        yield stack


@pytest.fixture
async def closed(closed_stack: LocalStack) -> AsyncIterator[World]:
    async with world_of(closed_stack) as world:
        await world.database["throttle"].delete_many({})
        yield world


@pytest.fixture
def open_replica(closed_stack: LocalStack) -> OpenReplica:
    """Starts another gateway on the same database, and returns a client of it."""

    @asynccontextmanager
    async def open_(settings: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        env = {**closed_stack.settings("gateway"), **settings, "GATEWAY_PORT": str(port)}
        check = partial(ready.http, f"{url}/health/ready")
        program = dataclasses.replace(service(closed_stack.site, "gateway"), env=env, url=url, check=check)
        child = Child(program, closed_stack.site.log(f"gateway-{port}"))
        child.start()
        try:
            await child.wait_ready(60)
            async with httpx.AsyncClient(base_url=url, timeout=30, verify=NO_TLS) as client:
                yield client
        finally:
            await child.stop()

    return open_


async def log_in(client: httpx.AsyncClient, person: Person, password: str | None = None) -> httpx.Response:
    body = {"email": person.email, "password": password or person.password}
    return await client.post("/api/auth/login", json=body)


async def test_log_ins_to_one_account_are_throttled(closed: World) -> None:
    ann, ben = await closed.person(), await closed.person()
    client = closed.client()
    codes = [answer.status_code for answer in await asyncio.gather(*(log_in(client, ann, "wrong") for _ in range(5)))]
    assert sorted(codes) == [401, 401, 401, 429, 429]
    refused = await log_in(client, ann)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "TOO_MANY_ATTEMPTS")
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert (await log_in(client, ben)).status_code == 200


async def test_a_log_in_that_succeeds_clears_the_count(closed: World) -> None:
    person, client = await closed.person(), closed.client()
    for _ in range(3):
        assert (await log_in(client, person, "wrong")).status_code == 401
        assert (await log_in(client, person)).status_code == 200


async def test_log_ins_from_one_address_are_throttled(closed: World) -> None:
    client, person = closed.client(), await closed.person()
    for number in range(8):
        body = {"email": f"nobody-{number}@example.com", "password": "wrong"}
        assert (await client.post("/api/auth/login", json=body)).status_code == 401
    assert (await log_in(client, person)).status_code == 429


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "https://reelway.example.com.evil.com"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_foreign_pages_can_not_write_with_a_cookie(closed: World, headers: dict[str, str]) -> None:
    person = await closed.person()
    with_cookie = {"Cookie": f"{COOKIE}={person.token}", **headers}
    client = closed.client()
    for method, path in (
        ("POST", ASK),
        ("DELETE", "/api/video/delete/x_1"),
        ("POST", "/api/auth/logout"),
        ("POST", "/api/auth/refresh"),
    ):
        answer = await client.request(method, path, headers=with_cookie, json=GENERATE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FOREIGN_ORIGIN"), path
    assert (await client.get("/api/video/gallery", headers=with_cookie)).status_code == 200
    with_bearer = {"Authorization": f"Bearer {person.token}", **headers}
    assert (await client.post(ASK, json=GENERATE, headers=with_bearer)).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://reelway.example.com"},
        {"Origin": FRONTEND},
        {"Origin": "http://studio.test:81", "Host": "studio.test:81"},
        {"Sec-Fetch-Site": "same-origin"},
        {},
    ],
    ids=str,
)
async def test_our_own_pages_can(closed: World, headers: dict[str, str]) -> None:
    person = await closed.person()
    with_cookie = {"Cookie": f"{COOKIE}={person.token}", **headers}
    assert (await closed.client().post(ASK, json=GENERATE, headers=with_cookie)).status_code == 202


async def test_a_bad_bearer_token_is_not_saved_by_a_cookie(closed: World) -> None:
    person = await closed.person()
    for wrong in ("Bearer x", "Bearer", "Basic YTpi", f"Bearer {person.token}x"):
        headers = {"Cookie": f"{COOKIE}={person.token}", "Authorization": wrong}
        assert (await closed.client().get("/api/auth/me", headers=headers)).status_code == 401


async def test_cookies_are_secure_where_the_public_address_is(closed: World) -> None:
    person = await closed.person()
    cookies = (await log_in(closed.client(), person)).headers.get_list("set-cookie")
    assert all("Secure" in cookie for cookie in cookies)


async def test_cors_is_for_those_who_may(closed: World) -> None:
    client = closed.client()
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    allowed = await client.options(ASK, headers={"Origin": FRONTEND, **ask})
    assert allowed.headers["access-control-allow-origin"] == FRONTEND
    foreign = await client.options(ASK, headers={"Origin": "https://evil.example.com", **ask})
    assert "access-control-allow-origin" not in foreign.headers
    refused = await client.post(ASK, json=GENERATE, headers={"Origin": FRONTEND})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, FRONTEND)


async def test_a_refresh_token_works_once(world: World) -> None:
    person = await world.person()
    browser = world.client()
    await log_in(browser, person)
    old = browser.cookies[REFRESH]
    session_id = old.partition(".")[0]
    tabs = await asyncio.gather(*(browser.post("/api/auth/refresh") for _ in range(3)))
    assert [tab.status_code for tab in tabs] == [200, 200, 200], "tabs that refresh at once all stay logged in"
    new = browser.cookies[REFRESH]
    assert new != old
    long_ago = utc_now() - timedelta(minutes=5)
    await world.database["sessions"].update_one({"_id": session_id}, {"$set": {"rotatedAt": long_ago}})
    thief = world.client(headers={"Cookie": f"{REFRESH}={old}"})
    assert (await thief.post("/api/auth/refresh")).status_code == 401
    refused = await browser.post("/api/auth/refresh")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "SESSION_OVER")


@pytest.mark.parametrize("token", ["x", ".", "a.b", "a" * 5000, "%00.%00"])
async def test_hostile_refresh_tokens(world: World, token: str) -> None:
    answer = await world.client(headers={"Cookie": f"{REFRESH}={token}"}).post("/api/auth/refresh")
    assert answer.status_code == 401


async def test_secrets_are_kept_as_hashes(world: World) -> None:
    person = await world.person()
    browser = world.client()
    await log_in(browser, person)
    session_id, _, secret = browser.cookies[REFRESH].partition(".")
    session = await world.database["sessions"].find_one({"_id": session_id})
    account = await world.database["users"].find_one({"_id": person.user_id})
    assert secret not in str(session)
    assert account is not None
    assert account["passwordHash"].startswith("$argon2id$")


async def test_replicas_agree_on_the_signing_key(closed: World, open_replica: OpenReplica) -> None:
    person = await closed.person()
    async with open_replica({}) as replica:
        keys = (await replica.get("/.well-known/jwks.json")).json()
        assert keys == (await closed.client().get("/.well-known/jwks.json")).json()
        bearer = {"Authorization": f"Bearer {person.token}"}
        assert (await replica.get("/api/auth/me", headers=bearer)).json()["data"]["userId"] == person.user_id


async def test_registration_off_another_key_and_another_demo_password(
    closed: World, closed_stack: LocalStack, open_replica: OpenReplica
) -> None:
    person = await closed.person()
    settings = {
        "REGISTRATION_ENABLED": "false",
        "JWT_PRIVATE_KEY": new_key_pem().replace("\n", "\\n"),
        "DEMO_PASSWORD": "another password",
    }
    async with open_replica(settings) as replica:
        body = {"email": "late@example.com", "password": "long enough", "name": "Late"}
        refused = await replica.post("/api/auth/register", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "REGISTRATION_DISABLED")
        bearer = {"Authorization": f"Bearer {person.token}"}
        assert (await replica.get("/api/auth/me", headers=bearer)).status_code == 401
        demo = {"email": closed_stack.credentials.demo_email, "password": "another password"}
        assert (await replica.post("/api/auth/login", json=demo)).status_code == 200


async def test_the_log_holds_no_secrets(closed: World) -> None:
    person = await closed.person()
    await person.ask("Title nobody should read")
    log = closed.stack.children["gateway"].log.read_text()
    for secret in (person.password, person.token, "Title nobody should read", GENERATE["hook"], person.email):
        assert secret not in log

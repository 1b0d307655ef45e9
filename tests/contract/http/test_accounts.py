"""`/api/auth` and the key set, as the contract says."""

import uuid

import jwt

from shared.access.access_tokens import COOKIE, verify
from tests.contract.http.shapes import refusal, success
from tests.integration.gateway.world import World

TOKEN = {"accessToken": str, "tokenType": str, "expiresIn": int}
WHO = {"userId": str, "email": str, "name": str}


def somebody() -> dict[str, str]:
    return {"email": f"Ann.{uuid.uuid4().hex[:10]}@Example.com", "password": "correct horse", "name": "Ann"}


async def test_register_login_me_logout(world: World) -> None:
    client, who = world.client(), somebody()
    made = success(await client.post("/api/auth/register", json=who), 201, WHO)
    assert "_" not in made["userId"]
    assert "/" not in made["userId"]
    login = {"email": who["email"].lower(), "password": who["password"]}
    granted = success(await client.post("/api/auth/login", json=login), 200, TOKEN)
    assert granted["tokenType"] == "Bearer"
    assert client.cookies[COOKIE] == granted["accessToken"]
    assert success(await client.get("/api/auth/me"), 200, WHO) == made
    success(await client.post("/api/auth/logout"), 200, {})
    refusal(await client.get("/api/auth/me"), 401, "UNAUTHENTICATED")
    # The session is over for the bearer token, too: it can't be traded for another.
    bearer = {"Authorization": f"Bearer {granted['accessToken']}"}
    refusal(await client.post("/api/auth/refresh", headers=bearer), 401, "SESSION_OVER")


async def test_cookies_are_for_http_only_and_same_site(world: World) -> None:
    person = await world.person()
    login = {"email": person.email, "password": person.password}
    answer = await world.client().post("/api/auth/login", json=login)
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie


async def test_refresh_by_cookie_and_by_bearer(world: World) -> None:
    person = await world.person()
    client = world.client()
    login = {"email": person.email, "password": person.password}
    await client.post("/api/auth/login", json=login)
    before = client.cookies["reelway_refresh"]
    success(await client.post("/api/auth/refresh"), 200, TOKEN)
    assert client.cookies["reelway_refresh"] != before
    success(await person.client.post("/api/auth/refresh"), 200, TOKEN)


async def test_who_has_nothing_to_renew_is_told_to_log_in_again(world: World) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        told = refusal(await world.client().post("/api/auth/refresh", headers=headers), 401, "UNAUTHENTICATED")
        assert "Log in again" in told
        assert "cookie" in told


async def test_a_token_outlives_its_session_and_the_answer_says_so(world: World) -> None:
    person = await world.person()
    answer = await person.client.post("/api/auth/logout")
    success(answer, 200, {})
    assert "works until it expires" in answer.json()["message"]
    success(await person.client.get("/api/auth/me"), 200, WHO)
    refusal(await person.client.post("/api/auth/refresh"), 401, "SESSION_OVER")


async def test_wrong_password_and_unknown_address_look_the_same(world: World) -> None:
    person = await world.person()
    client = world.client()
    wrong = await client.post("/api/auth/login", json={"email": person.email, "password": "wrong"})
    unknown = await client.post("/api/auth/login", json={"email": "no@example.com", "password": "wrong"})
    refusal(wrong, 401, "WRONG_CREDENTIALS")
    assert wrong.json() == unknown.json()


async def test_an_address_has_one_account(world: World) -> None:
    client, who = world.client(), somebody()
    await client.post("/api/auth/register", json=who)
    again = {**who, "email": who["email"].upper()}
    refusal(await client.post("/api/auth/register", json=again), 409, "EMAIL_TAKEN", "email")


async def test_wrong_fields_are_named(world: World) -> None:
    client = world.client()
    body = {"email": "nobody", "password": "short", "name": "  "}
    refused = await client.post("/api/auth/register", json=body)
    refusal(refused, 422, "VALIDATION_FAILED", "email", "password", "name")
    refused = await client.post("/api/auth/login", json={})
    refusal(refused, 422, "VALIDATION_FAILED", "email", "password")


async def test_the_key_set_verifies_tokens(world: World) -> None:
    person = await world.person()
    answer = await world.client().get("/.well-known/jwks.json")
    assert answer.status_code == 200
    (key,) = answer.json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    identity = verify(person.token, {key["kid"]: jwt.PyJWK(key).key})
    assert identity.user_id == person.user_id


async def test_the_demo_account_can_log_in(world: World) -> None:
    demo = world.stack.credentials
    login = {"email": demo.demo_email, "password": demo.demo_password}
    success(await world.client().post("/api/auth/login", json=login), 200, TOKEN)

"""Who is let in, and what happens while the gateway with its keys is away."""

import time

import httpx
import pytest

from deploy.local.stack import LocalStack
from tests.integration.notifier.conftest import QUICK, Connect
from tests.integration.notifier.partners import Gateway, listening
from tests.waiting import until

PATHS = ["/api/notifications", "/api/notifications/stream"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer abc", "Bearer a.b.c", "Basic dTpw", "expired"])
async def test_without_a_good_token_nothing_is_told(
    connect: Connect, gateway: Gateway, path: str, authorization: str | None
) -> None:
    if authorization == "expired":
        authorization = f"Bearer {gateway.token('u', seconds=-60)}"
    headers = {} if authorization is None else {"Authorization": authorization}
    response = await connect().get(path, headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body["success"] is False
    assert body["error"]["code"] == "UNAUTHENTICATED"
    assert "Log in" in body["message"]


async def test_the_cookie_is_as_good_as_the_header(connect: Connect, gateway: Gateway, user_id: str) -> None:
    client = connect()
    client.cookies.set("reelway_access", gateway.token(user_id))
    assert (await client.get("/api/notifications")).status_code == 200
    async with listening(client) as heard:
        assert heard.named("ready")


async def test_a_new_key_is_fetched_and_unknown_ones_do_not_flood_the_gateway(
    connect: Connect, gateway: Gateway, user_id: str
) -> None:
    gateway.add_key("k2")
    assert (await connect(user_id, key_id="k2").get("/api/notifications")).status_code == 200
    gateway.add_key("never published")
    forged = connect(user_id, key_id="never published")
    del gateway.keys["never published"]
    before, begun = gateway.fetches, time.monotonic()
    for _ in range(20):
        assert (await forged.get("/api/notifications")).status_code == 401
    assert gateway.fetches - before <= 2 + (time.monotonic() - begun) / float(QUICK["JWKS_AGAIN_AFTER"])


async def test_known_keys_go_on_while_the_gateway_is_away(
    notifier: LocalStack, connect: Connect, gateway: Gateway, user_id: str
) -> None:
    known = connect(user_id)
    assert (await known.get("/api/notifications")).status_code == 200
    gateway.add_key("k3")
    newcomer = connect(user_id, key_id="k3")
    gateway.away = True
    try:
        assert (await known.get("/api/notifications")).status_code == 200
        await until(lambda: _answers(newcomer, 503))  # nobody can say whether that key is good: not "log in again"
        refused = await newcomer.get("/api/notifications")
        assert refused.headers["retry-after"]
        await notifier.restart("notifier")
        assert (await known.get("/api/notifications")).status_code == 503
    finally:
        gateway.away = False
    await until(lambda: _answers(known, 200))
    await until(lambda: _answers(newcomer, 200))


async def _answers(client: httpx.AsyncClient, status: int) -> bool:
    return (await client.get("/api/notifications")).status_code == status

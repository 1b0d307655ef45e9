"""The gateway's keys: fetched once, kept, fetched again when a token names an unknown one, but not too often."""

import asyncio
from datetime import timedelta

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.notifier.jwks import KeysAwayError, PublishedKeys
from tests.waiting import until


class Gateway:
    def __init__(self, *key_ids: str) -> None:
        self.fetches = 0
        self.answer: httpx.Response | None = None
        self.key_ids = list(key_ids)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.fetches += 1
        await asyncio.sleep(0)
        return self.answer or httpx.Response(200, json={"keys": [self._key(key_id) for key_id in self.key_ids]})

    def _key(self, key_id: str) -> dict[str, str]:
        public = Ed25519PrivateKey.generate().public_key()
        return {**jwt.algorithms.OKPAlgorithm.to_jwk(public, as_dict=True), "kid": key_id, "alg": "EdDSA"}


def keys(gateway: Gateway, again_after: float = 3600) -> PublishedKeys:
    client = httpx.AsyncClient(transport=httpx.MockTransport(gateway))
    hour, again = timedelta(hours=1), timedelta(seconds=again_after)
    return PublishedKeys("http://gateway/jwks", client, refresh=hour, again_after=again)


async def test_many_at_once_fetch_once_and_known_keys_fetch_nothing() -> None:
    gateway = Gateway("k1")
    published = keys(gateway)
    found = await asyncio.gather(*(published.holding("k1") for _ in range(20)))
    assert all("k1" in some for some in found)
    assert gateway.fetches == 1


async def test_an_unknown_key_is_looked_for_but_not_again_and_again() -> None:
    gateway = Gateway("k1")
    published = keys(gateway)
    await published.holding("k1")
    for _ in range(10):
        assert "k2" not in await published.holding("k2")
    assert gateway.fetches == 1
    eager = keys(gateway, again_after=0)
    await eager.holding("k1")
    gateway.key_ids.append("k2")
    assert "k2" in await eager.holding("k2")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": []}),
        httpx.Response(200, json={"keys": [{"kty": "weird"}]}),
    ],
)
async def test_a_gateway_that_is_away_or_confused_takes_no_key_from_us(answer: httpx.Response) -> None:
    gateway = Gateway("k1")
    published = keys(gateway, again_after=0)
    await published.holding("k1")
    gateway.answer = answer
    with pytest.raises(KeysAwayError):
        await published.holding("k2")
    assert "k1" in await published.holding("k1")


async def test_a_key_that_is_no_longer_published_is_forgotten() -> None:
    gateway = Gateway("k1")
    published = keys(gateway, again_after=0)
    await published.holding("k1")
    gateway.key_ids = ["k2"]
    assert "k1" not in await published.holding("k2")


async def test_it_can_do_its_duty_only_once_it_has_seen_keys() -> None:
    gateway = Gateway("k1")
    gateway.answer = httpx.Response(503)
    published = keys(gateway)
    running = asyncio.create_task(published.run())
    await until(lambda: gateway.fetches)
    with pytest.raises(KeysAwayError):
        await published.probe()
    gateway.answer = None
    await until(lambda: _knows_keys(published), within_seconds=5)
    assert gateway.fetches > 1
    running.cancel()


async def _knows_keys(published: PublishedKeys) -> bool:
    try:
        await published.probe()
    except KeysAwayError:
        return False
    return True

"""The gateway's public keys: fetched, kept, and used on while the gateway is away."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import jwt
import structlog

FETCH_SECONDS = 5.0
FIRST_KEYS_SECONDS = 0.3
"""Between fetches while no key has ever been seen: both services may just be starting."""

log = structlog.get_logger(__name__)


class KeysAwayError(Exception):
    """Nobody can say now whether the token's key is one of ours."""


class PublishedKeys:
    """The keys of a JWKS address. Keys that are no longer published are forgotten at the next fetch that succeeds."""

    def __init__(self, url: str, client: httpx.AsyncClient, *, refresh: timedelta, again_after: timedelta) -> None:
        self._url = url
        self._client = client
        self._refresh_seconds = refresh.total_seconds()
        self._again_after_seconds = again_after.total_seconds()
        self._keys: dict[str, Any] = {}
        self._tried_at: float | None = None
        self._away = True
        self._fetching = asyncio.Lock()

    async def holding(self, key_id: str) -> Mapping[str, Any]:
        """Return all keys by id, fetched anew (at most once in a while) where `key_id` is not among them.

        Raises KeysAwayError where the key is unknown and the keys could not be fetched.
        """
        if key_id not in self._keys:
            async with self._fetching:
                if key_id not in self._keys and self._may_fetch():
                    await self._fetch()
            if key_id not in self._keys and self._away:
                raise KeysAwayError
        return self._keys

    async def probe(self) -> None:
        """Return while any keys are known: without them nobody can be let in. Raises KeysAwayError."""
        if not self._keys:
            raise KeysAwayError

    async def run(self) -> None:
        """Fetch again and again until cancelled, sooner while the gateway is away."""
        while True:
            async with self._fetching:
                await self._fetch()
            await asyncio.sleep(self._pause_seconds)

    @property
    def _pause_seconds(self) -> float:
        if not self._keys:
            return min(FIRST_KEYS_SECONDS, self._again_after_seconds)
        return self._again_after_seconds if self._away else self._refresh_seconds

    def _may_fetch(self) -> bool:
        pause = self._again_after_seconds if self._keys else self._pause_seconds
        return self._tried_at is None or time.monotonic() - self._tried_at >= pause

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            answer = await self._client.get(self._url, timeout=FETCH_SECONDS)
            answer.raise_for_status()
            published = jwt.PyJWKSet.from_dict(answer.json())
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, AttributeError) as error:
            self._away = True
            log.warning("jwks.away", error=repr(error), keys_kept=len(self._keys))
        else:
            self._keys = {key.key_id: key.key for key in published.keys if key.key_id}
            self._away = False

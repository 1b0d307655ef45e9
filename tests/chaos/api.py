"""One user's way to Reelway over HTTP: every answer, and every answer that did not come, goes into the history."""

import asyncio
from typing import Any

import httpx

from tests.chaos.history import History

Json = dict[str, Any]

LATER = frozenset({429, 500, 502, 503, 504})
"""Answers after which a client tries again; what answers 500 is complained of by the checker all the same."""
NO_ANSWER = (httpx.HTTPError, httpx.StreamError, OSError, AttributeError)
"""AttributeError is anyio's way to say that a connection was reset as soon as it was made."""
_TIMEOUT = httpx.Timeout(8, connect=3)
_LONGEST_PAUSE_SECONDS = 3.0
_AT_ONCE = 6
"""As many connections to one address as browsers open. With no limit, what nobody answered piled up until the client
did nothing but look through them, and the proxies, which run beside it, let nothing through any more."""


class Api:
    """A logged-in client of the gateway."""

    def __init__(self, url: str, history: History, name: str) -> None:
        self.name = name
        self._history = history
        self.client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, trust_env=False)
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def log_in(self) -> None:
        """Make an account and log in. Raises httpx.HTTPError."""
        who = {"email": f"{self.name}@example.com", "password": f"password-of-{self.name}"}
        (await self.client.post("/api/auth/register", json={**who, "name": self.name})).raise_for_status()
        answer = (await self.client.post("/api/auth/login", json=who)).raise_for_status()
        self.client.cookies.clear()
        self.client.headers["Authorization"] = f"Bearer {answer.json()['data']['accessToken']}"

    async def once(
        self, action: str, method: str, path: str, *, about: Json, headers: Json | None = None, **how: Any
    ) -> httpx.Response | None:
        """Return the answer, None where there was none; either way it is written down with `about`."""
        answer, error = None, None
        async with self._free:
            began = self._history.now()
            try:
                answer = await self.client.request(method, path, headers=headers, **how)
            except NO_ANSWER as problem:
                error = repr(problem)
        body = _body(answer)
        self._history.add(
            "call",
            action=action,
            user=self.name,
            began=began,
            ended=self._history.now(),
            status=answer.status_code if answer is not None else None,
            data=body.get("data"),
            code=(body.get("error") or {}).get("code"),
            error=error,
            **about,
        )
        return answer

    async def patiently(
        self, action: str, method: str, path: str, *, about: Json, headers: Json | None = None, **how: Any
    ) -> httpx.Response:
        """Return the first answer that means something, trying again and again as clients do; needs cancelling."""
        pause = 0.2
        while True:
            answer = await self.once(action, method, path, about=about, headers=headers, **how)
            if answer is not None and answer.status_code not in LATER:
                return answer
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _body(answer: httpx.Response | None) -> Json:
    if answer is None:
        return {}
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

"""The question to n8n's public API whether a run is over."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from services.generator.attempt import Kind
from services.generator.n8n import bounded_body

# `new`, `running`, `waiting` and whatever later versions invent are not over.
OVER = frozenset({"success", "error", "crashed", "canceled"})

log = structlog.get_logger(__name__)


class _Execution(BaseModel):
    id: str | int
    status: str


class Runs:
    """A client of the API of each engine, by the kind of video it makes. Use it as an async context manager."""

    def __init__(self, apis: Mapping[Kind, str], key: str, timeout: timedelta) -> None:
        self._apis = apis
        self._seconds = timeout.total_seconds()
        self._client = httpx.AsyncClient(
            headers={"X-N8N-API-KEY": key, "Accept-Encoding": "identity"},
            timeout=self._seconds,
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def is_over(self, kind: Kind, execution_id: str) -> bool:
        """Return whether the engine says for certain that the run has ended; no clear answer means no."""
        url = f"{self._apis[kind]}/executions/{quote(execution_id, safe='')}"
        try:
            async with asyncio.timeout(self._seconds), self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    log.info("run.not_told", status=response.status_code)
                    return False
                execution = _Execution.model_validate_json(await bounded_body(response))
        except (httpx.HTTPError, TimeoutError, ValidationError) as error:
            log.info("run.not_told", error=type(error).__name__)
            return False
        return str(execution.id) == execution_id and execution.status in OVER


def api_beside(webhook_url: str) -> str:
    """Return the API of the engine that has this webhook: executions of another engine may have the same ids."""
    before, found, _ = webhook_url.partition("/webhook/")
    parts = urlsplit(webhook_url)
    return f"{before if found else f'{parts.scheme}://{parts.netloc}'}/api/v1"

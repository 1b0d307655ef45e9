"""A real Prometheus that scrapes a running stack, and what can be asked of it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml  # type: ignore[import-untyped]

from deploy.local.ports import free_port
from deploy.local.site import SERVICES
from deploy.local.stack import LocalStack
from tests.driving import eventually


class Prometheus:
    """The API of a Prometheus that runs."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def samples(self, question: str) -> list[float]:
        """Return the values that are the answer; none where there is none yet."""
        result = await self._ask("query", query=question)
        return [float(sample["value"][1]) for sample in result["result"]]

    async def described(self) -> set[str]:
        """Return the names of all series whose kind and meaning some service has told."""
        return set(await self._ask("metadata"))

    async def series(self) -> list[dict[str, str]]:
        """Return every series of the services, as its labels."""
        series: list[dict[str, str]] = await self._ask("series", **{"match[]": '{job="reelway"}'})
        return series

    async def _ask(self, what: str, **parameters: str) -> Any:
        answer = (await self._client.get(f"/api/v1/{what}", params=parameters)).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]


@asynccontextmanager
async def scraping(stack: LocalStack, folder: Path) -> AsyncIterator[Prometheus]:
    """Run a Prometheus that looks at the four services every two seconds; its data lies under `folder`."""
    targets = [{"targets": [stack.url(name).removeprefix("http://")], "labels": {"service": name}} for name in SERVICES]
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s"},
        "scrape_configs": [{"job_name": "reelway", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        *("--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}"),
        cwd=folder,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
            await eventually(lambda: _ready(client), "Prometheus is ready")
            yield Prometheus(client)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 20)


async def _ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/-/ready")).is_success
    except httpx.TransportError:
        return False

"""A real Prometheus scrapes the running stack: every series of the catalogue is known there, and what ran is seen."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local.ports import free_port
from deploy.local.site import SERVICES
from deploy.local.stack import LocalStack
from shared.wiring.metrics import Metrics
from tests.conftest import User
from tests.driving import ask, eventually, listening, wait_for_status
from tests.e2e.conftest import Engine

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="Prometheus is not here: install the package prometheus"
    ),
]

# After one video that became ready and one whose workflow failed, watched live: a question, and what it must exceed.
SEEN = {
    'count(up{job="reelway"} == 1)': 3,
    'sum(reelway_http_requests_total{service="gateway", method="POST", status="202"})': 1,
    'sum(reelway_http_request_seconds_count{service="gateway"})': 1,
    "count(reelway_dependency_up == 1)": 7,
    'sum by (service) (reelway_events_handled_total{service="media"})': 0,
    'sum(reelway_event_handling_seconds_count{service="notifier"})': 0,
    'sum(reelway_events_published_total{service="gateway"})': 1,
    'sum(reelway_jobs_total{service="media", kind="transfer", outcome="done"})': 0,
    'sum(reelway_videos_accepted_total{kind="generate"})': 1,
    'sum(reelway_videos_ended_total{status="ready"})': 0,
    'sum(reelway_videos_ended_total{status="failed", code="WORKFLOW_FAILED"})': 0,
    'sum(reelway_video_seconds_count{kind="generate"})': 0,
    'sum(reelway_webhooks_total{purpose="complete"})': 0,
    'sum(reelway_callback_judged_seconds_count{purpose="complete"})': 0,
    'sum(reelway_logins_total{outcome="ok"})': 0,
    'sum(reelway_dispatches_total{workflow="generate", outcome="taken"})': 1,
    "sum(reelway_dispatch_seconds_sum)": 0,
    'sum(reelway_callbacks_total{purpose="complete", outcome="applied"})': 0,
    'sum(reelway_callbacks_total{purpose="error", outcome="applied"})': 0,
    'sum(reelway_transfers_total{outcome="ready"})': 0,
    "sum(reelway_transfer_bytes_total)": 10_000,
    "sum(reelway_transfer_seconds_count)": 0,
    'sum(reelway_notifications_stored_total{type="complete"})': 0,
    "sum(reelway_streams)": 0,
    "sum(reelway_stream_events_total)": 0,
    'max(process_resident_memory_bytes{job="reelway"})': 10_000_000,
}
QUIET = (
    "sum(reelway_consuming_stopped)",
    "sum(reelway_dead_letters_total) or vector(0)",
    "max(reelway_outbox_oldest_seconds)",
    "sum(reelway_unknown_events_total) or vector(0)",
    'sum(reelway_jobs_total{outcome="failed"}) or vector(0)',
)


class Prometheus:
    """The API of a Prometheus that runs."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def value(self, question: str) -> float | None:
        """Return the one number that is the answer; None where there is none yet."""
        answer = (await self._client.get("/api/v1/query", params={"query": question})).json()
        assert answer["status"] == "success", answer
        return float(answer["data"]["result"][0]["value"][1]) if answer["data"]["result"] else None

    async def known(self) -> set[str]:
        """Return the names of all series whose kind and meaning some service has told."""
        answer = (await self._client.get("/api/v1/metadata")).json()
        return set(answer["data"])


@asynccontextmanager
async def scraping(stack: LocalStack, folder: Path) -> AsyncIterator[Prometheus]:
    targets = [{"targets": [stack.url(name).removeprefix("http://")], "labels": {"service": name}} for name in SERVICES]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
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


async def test_what_ran_is_seen(user: User, stack: LocalStack, engine: Engine, tmp_path: Path) -> None:
    await engine.fault("Will fail", {"kind": "fail", "message": "No"})
    async with scraping(stack, tmp_path) as prometheus, listening(user.client):
        ready, failed = await ask(user.client, "Will be ready"), await ask(user.client, "Will fail")
        await wait_for_status(user.client, ready, "ready")
        await wait_for_status(user.client, failed, "failed")

        for question, exceeded in SEEN.items():

            async def enough(question: str = question, exceeded: float = exceeded) -> bool:
                value = await prometheus.value(question)
                return value is not None and value > exceeded

            await eventually(enough, f"{question} above {exceeded}", 20)
        for question in QUIET:

            async def quiet(question: str = question) -> bool:
                return await prometheus.value(question) == 0

            await eventually(quiet, f"{question} is 0", 20)
        assert {series.name for series in Metrics().catalogue} <= await prometheus.known()

"""What it costs that the gateway asks again, while a video renders, whether it was heard (REANNOUNCE_AFTER).

A workflow engine that is never heard of again keeps the videos rendering. All services run; what they use while
nothing happens is not taken off: they are asked often here.
"""

import asyncio
import contextlib
import re
from typing import Any

import httpx

from deploy.local.site import SERVICES
from deploy.local.stack import LocalStack
from shared.contracts.topics import ALL, VIDEO_WORKFLOWS
from tests.bench.arena import UNLIMITED_VIDEOS, Options, pid_of, stack
from tests.bench.figures import BrokenRun, Section, figure
from tests.bench.kafka_client import Kafka
from tests.bench.load import run as send_load
from tests.bench.people import GENERATE_BODY, GENERATE_PATH, log_in
from tests.bench.proc import Meter
from tests.bench.stand_in import SilentWorkflow

VIDEOS = 40
AGAIN_SECONDS = "2"
STARTED_SECONDS = 240.0
ROUND_SECONDS = 20.0
_ASKED = re.compile(r'^reelway_reannounced_total\{type="VideoRequested"\} (\S+)', re.MULTILINE)


async def measure(options: Options) -> Section:
    """Take the figures. Raises BrokenRun where nothing is asked again."""
    async with contextlib.AsyncExitStack() as opened:
        workflow = opened.enter_context(SilentWorkflow())
        running = await opened.enter_async_context(
            stack(
                options.folder,
                services=SERVICES,
                engines=("kafka", "gateway-db", "generator-db", "media-db", "notifier-db", "s3"),
                environ=workflow.settings,
                overrides={
                    "gateway": {
                        "VIDEO_QUOTA": UNLIMITED_VIDEOS,
                        "REANNOUNCE_AFTER": AGAIN_SECONDS,
                        "REANNOUNCE_MOST": AGAIN_SECONDS,
                    }
                },
            )
        )
        kafka = await opened.enter_async_context(Kafka(running.url("kafka")))
        await kafka.listen(VIDEO_WORKFLOWS)
        task = {"url": running.url("gateway"), "path": GENERATE_PATH, "requests": VIDEOS, "connections": 4}
        tokens = await log_in(running.url("gateway"), 4)
        asked = await send_load({**task, "tokens": tokens, "body": GENERATE_BODY})
        await kafka.until_heard(asked["video_ids"], STARTED_SECONDS)
        rounds = [await _round(running, kafka) for _ in range(options.rounds(3, quick=1))]
    figures = [
        figure("records on Kafka per asking", "", [taken["records_per_asking"] for taken in rounds]),
        *(
            figure(f"{name}: CPU per asking", "ms", [taken["cpu_ms_per_asking"][name] for taken in rounds])
            for name in SERVICES
        ),
    ]
    return Section("again", {"videos": VIDEOS}, rounds, figures)


async def _round(running: LocalStack, kafka: Kafka) -> dict[str, Any]:
    meter = Meter(**{name: pid_of(running.children[name]) for name in SERVICES})
    before, records_before = await _times_asked(running), await _records(kafka)
    await asyncio.sleep(ROUND_SECONDS)
    asked, records = await _times_asked(running) - before, await _records(kafka) - records_before
    if not asked:
        raise BrokenRun("nothing was asked again")
    used = meter.read()
    return {
        "asked": asked,
        "records_per_asking": round(records / asked, 2),
        "cpu_ms_per_asking": {name: round(used[name] / asked * 1000, 2) for name in SERVICES},
    }


async def _records(kafka: Kafka) -> int:
    return sum(volume.records for volume in (await kafka.volumes(ALL)).values())


async def _times_asked(running: LocalStack) -> float:
    async with httpx.AsyncClient(base_url=running.url("gateway"), trust_env=False, timeout=30) as client:
        metrics = (await client.get("/metrics")).raise_for_status().text
    found = _ASKED.search(metrics)
    return float(found[1]) if found else 0.0

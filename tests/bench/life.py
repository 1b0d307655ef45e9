"""What one video costs each service from its request to its end, and what it puts on Kafka: for docs/scaling.md.

Everything runs: the four services and the embedded workflow engine, which renders at once and reports as n8n does. What
the services use while nothing happens is measured first and taken off, since a burst lasts only seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from deploy.local.site import ENGINE_VARIABLES, SERVICES
from deploy.local.stack import LocalStack
from shared.contracts.topics import ALL, VIDEO_ASSETS
from tests.bench.accept import NEVER_ASKED_AGAIN
from tests.bench.arena import UNLIMITED_VIDEOS, Options, pid_of, stack
from tests.bench.figures import Figure, Section, figure
from tests.bench.kafka_client import Kafka, Volume
from tests.bench.partner import Partner
from tests.bench.people import GENERATE_BODY, GENERATE_PATH, log_in
from tests.bench.proc import Meter, until_quiet

VIDEOS, QUICK_VIDEOS, WARM_UP_VIDEOS = 60, 16, 6
CONNECTIONS, PEOPLE = 4, 12
IDLE_SECONDS = 10.0
KB = 1000
END_SECONDS = 400.0


class _Studio:
    """The stack, its people, and what is read of both."""

    def __init__(self, running: LocalStack, kafka: Kafka, load: Partner, tokens: list[str]) -> None:
        self._running = running
        self._kafka = kafka
        self._load = load
        self._tokens = tokens
        self._pids = {name: pid_of(running.children[name]) for name in SERVICES}

    async def idle(self) -> dict[str, float]:
        """Return the CPU seconds that each service uses in a second in which nothing happens."""
        await until_quiet(*self._pids.values())
        meter = Meter(**self._pids)
        await asyncio.sleep(IDLE_SECONDS)
        return {name: used / IDLE_SECONDS for name, used in meter.read().items()}

    async def round(self, videos: int, idle: dict[str, float]) -> dict[str, Any]:
        """Return what so many videos cost, until the last of them is stored and everybody has come to rest."""
        before = await self._volumes()
        await until_quiet(*self._pids.values())
        meter, began = Meter(**self._pids), time.perf_counter()
        await self._kafka.listen(VIDEO_ASSETS)
        asked = await self._load.ask(self._task(videos))
        await self._kafka.until_ready(asked["video_ids"], END_SECONDS)
        await until_quiet(*self._pids.values())
        used, seconds = meter.read(), time.perf_counter() - began
        after = await self._volumes()
        return {
            "videos": videos,
            "wall_seconds": round(seconds, 2),
            "cpu_ms_per_video": {
                name: round(max(0.0, used[name] - idle[name] * seconds) / videos * 1000, 2) for name in SERVICES
            },
            "records_per_video": {name: (after[name].records - before[name].records) / videos for name in after},
            "kb_per_video": {name: (after[name].size - before[name].size) / videos / KB for name in after},
        }

    async def _volumes(self) -> dict[str, Volume]:
        return await self._kafka.volumes(ALL)

    def _task(self, videos: int) -> dict[str, Any]:
        return {
            "url": self._running.url("gateway"),
            "path": GENERATE_PATH,
            "requests": videos,
            "connections": CONNECTIONS,
            "tokens": self._tokens,
            "body": GENERATE_BODY,
        }


async def measure(options: Options) -> Section:
    """Take the figures. Raises BrokenRun where a video does not become ready."""
    async with contextlib.AsyncExitStack() as opened:
        running = await opened.enter_async_context(
            stack(
                options.folder,
                services=SERVICES,
                engines=ENGINE_VARIABLES,
                overrides={
                    "gateway": {"VIDEO_QUOTA": UNLIMITED_VIDEOS, "REANNOUNCE_AFTER": NEVER_ASKED_AGAIN},
                    "workflow": {"WORKFLOW_PACE": "0", "WORKFLOW_FRAME_SIZE": "320x180", "WORKFLOW_FRAME_RATE": "4"},
                },
            )
        )
        kafka = await opened.enter_async_context(Kafka(running.url("kafka")))
        load = await opened.enter_async_context(Partner("tests.bench.load"))
        studio = _Studio(running, kafka, load, await log_in(running.url("gateway"), PEOPLE))
        await studio.round(WARM_UP_VIDEOS, dict.fromkeys(SERVICES, 0.0))
        idle = await studio.idle()
        videos = options.rounds(VIDEOS, quick=QUICK_VIDEOS)
        rounds = [await studio.round(videos, idle) for _ in range(options.rounds(3, quick=1))]
    setup = {"videos_per_round": videos, "idle_cpu_seconds_per_second": idle}
    return Section("life", setup, rounds, _figures(rounds, idle))


def _figures(rounds: Sequence[dict[str, Any]], idle: dict[str, float]) -> list[Figure]:
    def per_video(name: str) -> list[float]:
        return [taken["cpu_ms_per_video"][name] for taken in rounds]

    def summed(name: str) -> list[float]:
        return [sum(taken[name].values()) for taken in rounds]

    return [
        *(figure(f"{name}: CPU per video", "ms", per_video(name)) for name in SERVICES),
        *(figure(f"{name}: CPU while nothing happens", "ms/s", [idle[name] * 1000]) for name in SERVICES),
        figure("records on Kafka per video", "", summed("records_per_video")),
        figure("bytes on Kafka per video", "KB", summed("kb_per_video")),
    ]

"""Calls of the generator to a workflow engine per CPU-second: VideoRequested on Kafka → the call → WorkflowStarted.

The workflow engine takes every call and says nothing more, so what a callback costs is not in here (see life).
"""

import contextlib
import uuid
from typing import Any

from deploy.local.stack import LocalStack
from shared.contracts.events import VideoRequested, event_id
from shared.contracts.topics import VIDEO_WORKFLOWS
from tests.bench.arena import Options, pid_of, stack
from tests.bench.figures import Section, figure
from tests.bench.kafka_client import Kafka
from tests.bench.people import GENERATE_BODY
from tests.bench.proc import Meter, until_quiet
from tests.bench.stand_in import SilentWorkflow

REQUESTS, QUICK_REQUESTS, WARM_UP_REQUESTS = 300, 120, 30
STARTED_SECONDS = 240.0


async def measure(options: Options) -> Section:
    """Take the figures. Raises BrokenRun where any request is never reported as started."""
    async with contextlib.AsyncExitStack() as opened:
        workflow = opened.enter_context(SilentWorkflow())
        running = await opened.enter_async_context(
            stack(
                options.folder,
                services=("generator",),
                engines=("kafka", "generator-db"),
                environ=workflow.settings,
            )
        )
        kafka = await opened.enter_async_context(Kafka(running.url("kafka")))
        await kafka.listen(VIDEO_WORKFLOWS)
        await _round(running, kafka, WARM_UP_REQUESTS)
        requests = options.rounds(REQUESTS, quick=QUICK_REQUESTS)
        rounds = [await _round(running, kafka, requests) for _ in range(options.rounds(3, quick=1))]
    return Section(
        "dispatch",
        {"requests_per_round": requests},
        rounds,
        [
            figure("calls per generator CPU-second", "/CPU s", [taken["per_cpu_second"] for taken in rounds]),
            figure("calls per second", "/s", [taken["per_second"] for taken in rounds]),
        ],
    )


async def _round(running: LocalStack, kafka: Kafka, requests: int) -> dict[str, Any]:
    pid = pid_of(running.children["generator"])
    await until_quiet(pid)
    meter = Meter(generator=pid, database=pid_of(running.children["generator-db"]))
    events = [_request() for _ in range(requests)]
    await kafka.publish(*events, source="gateway")
    wall_seconds = await kafka.until_heard((event.video_id for event in events), STARTED_SECONDS)
    await until_quiet(pid)
    used = meter.read()
    return {
        "requests": requests,
        "wall_seconds": round(wall_seconds, 3),
        "generator_cpu_seconds": used["generator"],
        "database_cpu_seconds": used["database"],
        "per_cpu_second": round(requests / used["generator"], 1),
        "per_second": round(requests / wall_seconds, 1),
    }


def _request() -> VideoRequested:
    video_id = f"{uuid.uuid4().hex}_1"
    fields = {name: value for name, value in GENERATE_BODY.items() if name not in ("title", "email")}
    return VideoRequested(
        id=event_id(video_id, 1, "requested"),
        video_id=video_id,
        user_id=video_id.partition("_")[0],
        attempt=1,
        kind="generate",
        request_id=f"video_{video_id}",
        title=GENERATE_BODY["title"],
        email=GENERATE_BODY["email"],
        fields=fields,
    )

"""Webhook answered → SSE event received, against one bare Kafka send → receive, in turns in the same run.

The path: a `video-complete` webhook with status "failed" → receipt and CompletionReported (hop 1) → the generator
judges: WorkflowFailed (hop 2) → the notifier stores and tells: SSE event `error`. The stream is opened at the gateway,
as a browser's is. The clock starts with the last byte of the webhook's 202.
"""

import asyncio
import contextlib
import json
import random
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from deploy.local.stack import LocalStack
from shared.contracts.topics import VIDEO_CALLBACKS
from tests.bench.arena import UNLIMITED_VIDEOS, Options, stack
from tests.bench.bare_kafka import BARE_TOPIC, BareKafka
from tests.bench.figures import BrokenRun, Figure, Section, Spread, percentile
from tests.bench.http_client import Connection, EventStream, request_bytes
from tests.bench.kafka_client import Kafka
from tests.bench.load import run as send_load
from tests.bench.people import GENERATE_BODY, GENERATE_PATH, log_in
from tests.bench.stand_in import SilentWorkflow

SAMPLES, QUICK_SAMPLES, WARM_UP = 160, 100, 20
BARE_HOPS = 2
BLOCKS = 4
KAFKA_HOPS = 2
LONGEST_PAUSE_SECONDS = 0.05
EVENT_SECONDS = 20.0
RENDERING_SECONDS = 120.0


Statistic = Callable[[Sequence[float]], float]


class _Ears:
    """What one open stream has said: the moment of the first event of each (video, type), and what came again."""

    def __init__(self) -> None:
        self.heard_at: dict[tuple[str, str], float] = {}
        self.told_again: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def hear(self, event: dict[str, Any], at: float) -> None:
        key = (str(event.get("videoId")), str(event.get("type")))
        if key in self.heard_at:
            self.told_again.append(key)
        self.heard_at.setdefault(key, at)
        self._news.set()

    async def until(self, keys: set[tuple[str, str]], within_seconds: float) -> None:
        """Return when all of `keys` were heard. Raises BrokenRun."""
        try:
            async with asyncio.timeout(within_seconds):
                while not keys <= self.heard_at.keys():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            missing = keys - self.heard_at.keys()
            raise BrokenRun(f"{len(missing)} events never came, one is {next(iter(missing))}") from None


class _Webhooks:
    """Reports renderings as failed, as a workflow engine with the shared secret does."""

    def __init__(self, running: LocalStack, connection: Connection, ears: _Ears) -> None:
        self._url = running.url("gateway")
        self._secret = running.webhook_secret
        self._connection = connection
        self._ears = ears

    async def event_seconds(self, video_id: str) -> float:
        """Return the time from the webhook's 202 to the event on the open stream."""
        body = {"videoId": video_id, "status": "failed", "error": "The renderer ran out of memory."}
        headers = {"X-Webhook-Secret": self._secret}
        request = request_bytes(self._url, "POST", "/api/webhook/video-complete", headers, json.dumps(body).encode())
        answer = await self._connection.send(request)
        if answer.data(202)["matched"] is not True:
            raise BrokenRun(f"the webhook for {video_id} was not matched")
        told = (video_id, "error")
        await self._ears.until({told}, EVENT_SECONDS)
        return self._ears.heard_at[told] - answer.at


async def measure(options: Options) -> Section:
    """Take the figures. Raises BrokenRun where any event is missing, doubled or of another kind."""
    samples = options.rounds(SAMPLES, quick=QUICK_SAMPLES)
    async with contextlib.AsyncExitStack() as opened:
        workflow = opened.enter_context(SilentWorkflow())
        running = await opened.enter_async_context(
            stack(
                options.folder,
                services=("gateway", "generator", "notifier"),
                engines=("kafka", "gateway-db", "generator-db", "notifier-db", "s3"),
                environ=workflow.settings,
                overrides={"gateway": {"VIDEO_QUOTA": UNLIMITED_VIDEOS}},
            )
        )
        kafka = await opened.enter_async_context(Kafka(running.url("kafka")))
        await kafka.make_topic(BARE_TOPIC, VIDEO_CALLBACKS.partitions)
        bare = await opened.enter_async_context(BareKafka(running.url("kafka")))
        (token,) = await log_in(running.url("gateway"), 1)
        ears = _Ears()
        url = running.url("gateway")
        stream = await EventStream.open(url, "/api/notifications/stream", token, "video-download-update", ears.hear)
        opened.callback(stream.close)
        video_ids = await _render(url, token, samples + WARM_UP, ears)
        connection = await Connection.open(url)
        opened.callback(connection.close)
        rounds = await _take_turns(_Webhooks(running, connection, ears), bare, video_ids)
        if ears.told_again:
            raise BrokenRun(f"{len(ears.told_again)} events were told twice, one is {ears.told_again[0]}")
    return _section(rounds[WARM_UP:])


async def _render(url: str, token: str, count: int, ears: _Ears) -> list[str]:
    """Have `count` videos accepted and wait until the workflow engine has them all."""
    task = {
        "url": url, "path": GENERATE_PATH, "requests": count, "connections": 4, "tokens": [token], "body": GENERATE_BODY
    }  # fmt: skip
    video_ids: list[str] = (await send_load(task))["video_ids"]
    await ears.until({(video_id, "rendering") for video_id in video_ids}, RENDERING_SECONDS)
    return video_ids


async def _take_turns(webhooks: _Webhooks, bare: BareKafka, video_ids: list[str]) -> list[dict[str, Any]]:
    """Measure a webhook, bare hops, a webhook, ...; random pauses keep both out of step with the consumers' polls."""
    chance = random.Random(2)  # noqa: S311 - the same pauses in every run
    rounds = []
    for video_id in video_ids:
        await asyncio.sleep(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        taken: dict[str, Any] = {
            "event_ms": round(await webhooks.event_seconds(video_id) * 1000, 3),
            "kafka_hop_ms": [],
        }
        for _ in range(BARE_HOPS):
            await asyncio.sleep(chance.uniform(0, LONGEST_PAUSE_SECONDS))
            taken["kafka_hop_ms"].append(round(await bare.hop_seconds(b"x" * 512) * 1000, 3))
        rounds.append(taken)
    return rounds


def _section(rounds: list[dict[str, Any]]) -> Section:
    setup = {
        "samples": len(rounds),
        "bare_hops_each": BARE_HOPS,
        "kafka_hops_on_the_path": KAFKA_HOPS,
        "base": "bare Kafka send → receive",
    }
    median, worst = partial(percentile, share=0.5), partial(percentile, share=0.99)
    figures = [
        _latency("webhook answered → SSE event, p50", rounds, median),
        _latency("webhook answered → SSE event, p99", rounds, worst),
        _latency("webhook answered → SSE event, mean", rounds, statistics.fmean),
        _latency(f"    mean per Kafka hop ({KAFKA_HOPS} on the path)", rounds, statistics.fmean, hops=KAFKA_HOPS),
    ]
    return Section("latency", setup, rounds, figures)


def _latency(title: str, rounds: list[dict[str, Any]], statistic: Statistic, hops: int = 1) -> Figure:
    """Return the statistic of all samples; the spread is that of BLOCKS consecutive parts of them."""
    size = len(rounds) // BLOCKS
    blocks = [rounds[start : start + size] for start in range(0, size * BLOCKS, size)]

    def over(part: list[dict[str, Any]]) -> tuple[float, float]:
        ours = statistic([taken["event_ms"] for taken in part]) / hops
        return ours, statistic([hop for taken in part for hop in taken["kafka_hop_ms"]])

    ours, base = over(rounds)
    parts = [over(block) for block in blocks]
    return Figure(
        title,
        "ms",
        _around(ours, [mine for mine, _ in parts]),
        _around(base, [other for _, other in parts]),
        _around(ours / base, [mine / other for mine, other in parts]),
    )


def _around(value: float, parts: list[float]) -> Spread:
    return Spread(value, min(value, *parts), max(value, *parts))

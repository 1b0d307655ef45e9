"""A real Prometheus scrapes the running stack: every series of the catalogue is there and says what really happened."""

import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from deploy.local.ports import free_port
from deploy.local.site import ENGINE_VARIABLES
from deploy.local.stack import LocalStack
from shared.contracts import topics
from shared.wiring.metrics import Metrics
from tests.conftest import QUICK, User
from tests.driving import CREATE, Json, ask, eventually, listening, wait_for_stage, wait_for_status
from tests.e2e.conftest import Engine
from tests.e2e.prometheus import Prometheus, scraping
from tests.e2e.promises_of_metrics import ENDED, RENDERED_ON

pytestmark = pytest.mark.timeout(600)

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Prometheus is not here: install the package prometheus"
)
CATALOGUE = {series.name: series for series in Metrics().catalogue}
DASHBOARDS = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
IMPATIENT = {  # but no callback is so late that it is taken for lost, also where a machine is busy
    **QUICK,
    "gateway": {**QUICK["gateway"], "ACCESS_TOKEN_LIFE": "8"},
    "generator": {
        "WORKFLOW_ASK_EVERY": "0.5",
        "WORKFLOW_LOST_AFTER": "30",
        "WORKFLOW_DEADLINE": "90",
        "JOB_LEASE": "6",
    },
    "media": {"TRANSFER_UNREACHABLE_FOR": "2", "SWEEP_EVERY": "0.5"},
}
MAY_BE_EMPTY = {"Answers that are errors", "Jobs that raise"}
COUNTED_SECONDS = 120.0  # gauges of what a database holds are set every 15 s, on a busy machine more rarely

LOST_SECONDS = 180.0  # what nobody reports is concluded WORKFLOW_LOST_AFTER its end

NewUser = Callable[[], Awaitable[User]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack of this file's own: what it counts is this run's alone."""
    folder = tmp_path_factory.mktemp("stack")
    async with LocalStack(folder, engines=ENGINE_VARIABLES, overrides=IMPATIENT) as stack:
        yield stack


def test_every_series_of_the_catalogue_is_asked_for() -> None:
    asked = " ".join([*RENDERED_ON, *ENDED])
    assert [name for name in CATALOGUE if not re.search(rf"\b{name}(_sum|_count|_bucket)?\b[^_]", f"{asked} ")] == []


@needs_prometheus
async def test_what_ran_is_seen(new_user: NewUser, stack: LocalStack, engine: Engine, tmp_path: Path) -> None:
    await listen_until_the_token_ends(await new_user(), stack)
    await stack.restart("gateway", {"ACCESS_TOKEN_LIFE": "PT1H"})
    user = await new_user()
    async with scraping(stack, tmp_path) as prometheus, listening(user.client):
        taken_over = await killed_in_a_call(user, engine, stack)
        await engine.fault("Will fail", {"kind": "fail", "message": "No"})
        await engine.fault("Goes on", {"kind": "slow", "seconds": 300})
        goes_on, fails = await ask(user.client, "Goes on"), await ask(user.client, "Will fail")
        ready = [taken_over, await ask(user.client, "One"), await ask(user.client, "Two"), await create(user)]
        unreachable = await bring_in(user, f"http://127.0.0.1:{free_port()}/a.mp4")
        await log_in_wrongly(user, stack)
        stored_bytes = sum(
            [(await wait_for_status(user.client, one, "ready", LOST_SECONDS))["metadata"]["size"] for one in ready]
        )
        for one in (fails, unreachable):
            await wait_for_status(user.client, one, "failed")
        await dead_letters_sent_back(stack)
        await wait_for_stage(user.client, goes_on, "rendering")

        await all_hold(prometheus, RENDERED_ON)
        assert (await user.client.post(f"/api/video/cancel/{goes_on}")).status_code == 202
        await all_hold(prometheus, {ask: is_.format(stored_bytes=stored_bytes) for ask, is_ in ENDED.items()})

        assert set(CATALOGUE) <= await prometheus.described()
        await labels_are_bounded(prometheus, secrets=(user.email, *ready, goes_on, fails))
        await panels_show_something(prometheus)


async def all_hold(prometheus: Prometheus, promises: Mapping[str, str]) -> None:
    """Return once every question has its answer; what was true stays true in this run."""
    open_ones = dict(promises)

    async def hold() -> bool:
        for question, answer in list(open_ones.items()):
            if await prometheus.samples(f"({question}) {answer}"):
                del open_ones[question]
        return not open_ones

    try:
        await eventually(hold, "", COUNTED_SECONDS)
    except AssertionError:
        said = {question: await prometheus.samples(question) for question in open_ones}
        raise AssertionError(
            [f"{question} {open_ones[question]}, but is {said[question]}" for question in said]
        ) from None


async def labels_are_bounded(prometheus: Prometheus, secrets: tuple[str, ...]) -> None:
    """See that each series has only labels that the catalogue names, and none that grows with users and videos."""
    series = [one for one in await prometheus.series() if one["__name__"].startswith("reelway_")]
    users = {secret.partition("_")[0] for secret in secrets}
    for one in series:
        name = re.sub(r"_(bucket|sum|count)$", "", one["__name__"])
        described = CATALOGUE.get(one["__name__"]) or CATALOGUE[name]
        assert set(one) - {"__name__", "job", "instance", "service", "le"} <= set(described.labels), one
        assert not [value for value in one.values() if any(user in value for user in users)], one
    assert len(series) < 5000


async def panels_show_something(prometheus: Prometheus) -> None:
    """See that every panel of both boards has an answer after such a run, but those of our own mistakes.

    `bool` keeps the NaN that a quantile is where all calls were over before the first scrape; what is absent stays out.
    """
    panels = [panel for file in DASHBOARDS.glob("*.json") for panel in json.loads(file.read_text())["panels"]]
    asked = [target["expr"] for panel in panels if panel["title"] not in MAY_BE_EMPTY for target in panel["targets"]]
    await all_hold(prometheus, dict.fromkeys(asked, ">= bool 0"))


# --- the run ----------------------------------------------------------------------------------------------


async def listen_until_the_token_ends(user: User, stack: LocalStack) -> None:
    url, timeout = f"{stack.url('notifier')}/api/notifications/stream", httpx.Timeout(10, read=60)
    async with user.client.stream("GET", url, timeout=timeout) as answer:
        assert answer.status_code == 200
        async for _ in answer.aiter_bytes():
            """It ends by itself."""


async def killed_in_a_call(user: User, engine: Engine, stack: LocalStack) -> str:
    """Have the generator killed while n8n answers; what n8n made is found by asking, since it reports nothing."""
    await engine.fault("Killed", {"kind": "started-timeout", "seconds": 30}, {"kind": "callback-never"})
    video_id = await ask(user.client, "Killed")

    async def called() -> bool:
        return bool(await engine.executions(video_id))

    await eventually(called, "the engine has started it")
    await stack.kill("generator")
    await stack.start("generator")
    return video_id


async def create(user: User) -> str:
    return await accepted(user, "create", CREATE)


async def bring_in(user: User, url: str) -> str:
    return await accepted(user, "download-video", {"videoUrl": url, "title": "Nobody there"})


async def accepted(user: User, route: str, body: Json) -> str:
    answer = await user.client.post(f"/api/video/{route}", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["videoId"])


async def log_in_wrongly(user: User, stack: LocalStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url("gateway"), trust_env=False) as stranger:
        answer = await stranger.post("/api/auth/login", json={"email": user.email, "password": "not this one"})
    assert answer.status_code == 401


async def dead_letters_sent_back(stack: LocalStack) -> None:
    """Publish an event of a type nobody knows, and have media try it once more."""
    headers = {"ce_id": "1", "ce_type": "VideoDreamt", "ce_source": "test", "ce_time": "2026-01-01T00:00:00Z"}
    async with AIOKafkaProducer(bootstrap_servers=stack.url("kafka"), acks="all") as producer:
        encoded = [(name, value.encode()) for name, value in headers.items()]
        await producer.send_and_wait(topics.VIDEO_REQUESTS.name, b"{}", b"ann_1", headers=encoded)
    authorised = {"Authorization": f"Bearer {stack.admin_token}"}
    async with httpx.AsyncClient(base_url=stack.url("media"), headers=authorised, trust_env=False) as media:

        async def given_up() -> bool:
            return bool((await media.get("/admin/dead-letters")).json()["data"]["total"])

        await eventually(given_up, "the dead letter")
        answer = await media.post("/admin/dead-letters/redrive", json={"all": True})
        assert answer.status_code == 200, answer.text

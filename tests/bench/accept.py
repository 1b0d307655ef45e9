"""Gateway accepts per server CPU-second, against a bare FastAPI app: same validation, one `insert_one`."""

import contextlib
from dataclasses import dataclass
from typing import Any

from deploy.local.engines import engine
from deploy.local.ports import free_ports
from deploy.local.stack import LocalStack
from shared.contracts.topics import VIDEO_REQUESTS
from tests.bench.arena import LOOPBACK, UNLIMITED_VIDEOS, Options, Running, pid_of, python_program, stack
from tests.bench.figures import Section, figure, percentile
from tests.bench.kafka_client import Kafka
from tests.bench.partner import Partner
from tests.bench.people import GENERATE_BODY, GENERATE_PATH, log_in
from tests.bench.proc import Meter, until_quiet

CONNECTIONS = 8
PEOPLE = 24
REQUESTS = 600
WARM_UP_REQUESTS = 150
PUBLISH_SECONDS = 60.0
NEVER_ASKED_AGAIN = "86400"  # no generator runs here that would answer


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two servers: where it is and the processes behind it."""

    name: str
    url: str
    server_pid: int
    database_pid: int


class _Accepting:
    """Sends the same load to either side and reads what it cost."""

    def __init__(self, load: Partner, kafka: Kafka, tokens: list[str]) -> None:
        self._load = load
        self._kafka = kafka
        self._tokens = tokens

    async def round(self, side: _Side, requests: int) -> dict[str, Any]:
        """Return one round: counted until the server has done all that its accepts entail, publishing included."""
        await until_quiet(side.server_pid)
        meter = Meter(server=side.server_pid, database=side.database_pid)
        loaded = await self._load.ask(self._task(side, requests))
        answered = meter.read()
        if side.name == "gateway":
            await self._kafka.until_heard(loaded["video_ids"], PUBLISH_SECONDS)
        await until_quiet(side.server_pid)
        used = meter.read()
        return {
            "side": side.name,
            "requests": requests,
            "wall_seconds": round(loaded["wall_seconds"], 4),
            "server_cpu_seconds": used["server"],
            "server_cpu_seconds_when_answered": answered["server"],
            "database_cpu_seconds": used["database"],
            "accepts_per_cpu_second": round(requests / used["server"], 2),
            "accepts_per_second": round(requests / loaded["wall_seconds"], 2),
            "answer_p50_ms": round(percentile(loaded["seconds"], 0.5) * 1000, 2),
            "answer_p99_ms": round(percentile(loaded["seconds"], 0.99) * 1000, 2),
        }

    def _task(self, side: _Side, requests: int) -> dict[str, Any]:
        return {
            "url": side.url,
            "path": GENERATE_PATH,
            "requests": requests,
            "connections": CONNECTIONS,
            "tokens": self._tokens,
            "body": GENERATE_BODY,
        }


async def measure(options: Options) -> Section:
    """Take the figures. Raises BrokenRun where any request is not accepted or any event is missing."""
    ports = free_ports(("bare", "bare-db"))
    async with contextlib.AsyncExitStack() as opened:
        running = await opened.enter_async_context(
            stack(
                options.folder,
                services=("gateway",),
                engines=("kafka", "gateway-db", "s3"),
                overrides={"gateway": {"VIDEO_QUOTA": UNLIMITED_VIDEOS, "REANNOUNCE_AFTER": NEVER_ASKED_AGAIN}},
                ports=ports,
            )
        )
        gateway = _Side(
            "gateway",
            running.url("gateway"),
            pid_of(running.children["gateway"]),
            pid_of(running.children["gateway-db"]),
        )
        bare = await _start_bare(opened, running, ports["bare"])
        kafka = await opened.enter_async_context(Kafka(running.url("kafka")))
        await kafka.listen(VIDEO_REQUESTS)
        load = await opened.enter_async_context(Partner("tests.bench.load"))
        accepting = _Accepting(load, kafka, await log_in(gateway.url, PEOPLE))
        for side in (gateway, bare):
            await accepting.round(side, WARM_UP_REQUESTS)
        requests = REQUESTS if not options.quick else REQUESTS // 2
        rounds = [
            await accepting.round(side, requests) for _ in range(options.rounds(4, quick=2)) for side in (gateway, bare)
        ]
    return _section(rounds, requests)


async def _start_bare(opened: contextlib.AsyncExitStack, running: LocalStack, port: int) -> _Side:
    """Start the bare app on a database server of the same kind and settings as the gateway's."""
    site = running.site
    database = await opened.enter_async_context(Running(engine(site, "bare-db"), site.log("bare-db")))
    url = f"http://{LOOPBACK}:{port}"
    env = {"BARE_MONGO_URL": site.url("bare-db"), "BARE_PORT": str(port)}
    program = python_program("bare", "tests.bench.bare_app", f"{url}/health/ready", env)
    server = await opened.enter_async_context(Running(program, site.log("bare")))
    return _Side("bare", url, pid_of(server), pid_of(database))


def _section(rounds: list[dict[str, Any]], requests: int) -> Section:
    def of(side: str, name: str) -> list[float]:
        return [taken[name] for taken in rounds if taken["side"] == side]

    def both(title: str, unit: str, name: str) -> Any:
        return figure(title, unit, of("gateway", name), of("bare", name))

    setup = {"connections": CONNECTIONS, "people": PEOPLE, "requests_per_round": requests, "base": "bare FastAPI app"}
    return Section(
        "accept",
        setup,
        rounds,
        [
            both("accepts per server CPU-second", "/CPU s", "accepts_per_cpu_second"),
            both("accepts per second, 8 connections", "/s", "accepts_per_second"),
            both("answer p50", "ms", "answer_p50_ms"),
            both("answer p99", "ms", "answer_p99_ms"),
        ],
    )

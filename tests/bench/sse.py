"""2,000 live streams on one notifier process: messages delivered per CPU-second, and memory per connection.

The streams are opened at the notifier itself, so that only its cost is counted; the tokens are signed with a key
of the bench, whose public half it serves as the JWKS. Messages begin as Kafka events, as in production.
"""

import contextlib
import resource
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from deploy.local.stack import LocalStack
from shared.access.access_tokens import ALGORITHM, Identity, issue
from shared.contracts.events import VideoEvent, VideoReady, WorkflowProgressed
from shared.contracts.videos import VideoMetadata
from tests.bench.arena import Options, pid_of, stack
from tests.bench.figures import BrokenRun, Section, figure
from tests.bench.kafka_client import Kafka
from tests.bench.partner import Partner
from tests.bench.proc import Meter, memory, until_quiet
from tests.bench.stand_in import StandIn

PEOPLE, TABS = 200, 10
WARM_UP_PEOPLE, WARM_UP_TABS, WARM_UP_EVENTS = 10, 5, 5
STORED_EVENTS, PASSING_EVENTS = 2, 6
PATH = "/api/notifications/stream"
OPEN_SECONDS, COLLECT_SECONDS = 120.0, 90.0
DESCRIPTORS = 8192
KB = 1000

Kind = Literal["stored", "passing"]


class _Keys:
    """A signing key of the bench's own and tokens for people nobody registered."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        self._id = secrets.token_hex(4)

    def jwks(self) -> dict[str, Any]:
        public = OKPAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self._id, "alg": ALGORITHM, "use": "sig"}]}

    def token(self, user_id: str) -> str:
        now = datetime.now(UTC)
        return issue(Identity(user_id, secrets.token_hex(8), now + timedelta(hours=1)), self._private, self._id, now)


class _Hall:
    """The notifier, its listeners, and the events that make it speak."""

    def __init__(self, running: LocalStack, kafka: Kafka, clients: Partner, keys: _Keys) -> None:
        self._running = running
        self._kafka = kafka
        self._clients = clients
        self._keys = keys
        self._numbers = count(1)

    @property
    def pid(self) -> int:
        return pid_of(self._running.children["notifier"])

    async def open(self, people: list[str], tabs: int) -> dict[str, Any]:
        task = {
            "do": "open",
            "url": self._running.url("notifier"),
            "path": PATH,
            "tokens": [self._keys.token(user_id) for user_id in people],
            "tabs": tabs,
        }
        return await self._clients.ask(task, OPEN_SECONDS)

    async def close(self) -> None:
        await self._clients.ask({"do": "close"})
        await until_quiet(self.pid)

    async def tell(self, people: list[str], kind: Kind, per_person: int) -> dict[str, Any]:
        """Return one wave: `per_person` events for everyone, told to all of their streams."""
        await until_quiet(self.pid)
        events = [[self._event(user_id, kind) for _ in range(per_person)] for user_id in people]
        expected = [[event.video_id for event in own] for own in events]
        meter = Meter(notifier=self.pid, database=pid_of(self._running.children["notifier-db"]))
        in_turns = [event for together in zip(*events, strict=True) for event in together]
        await self._kafka.publish(*in_turns, source="media")
        task = {"do": "collect", "expected": expected, "within_seconds": COLLECT_SECONDS}
        collected = await self._clients.ask(task, COLLECT_SECONDS + 30)
        await until_quiet(self.pid)
        used = meter.read()
        return {
            "kind": kind,
            "events": len(in_turns),
            "messages": collected["messages"],
            "wall_seconds": round(collected["wall_seconds"], 3),
            "notifier_cpu_seconds": used["notifier"],
            "database_cpu_seconds": used["database"],
            "messages_per_cpu_second": round(collected["messages"] / used["notifier"], 1),
            "events_per_cpu_second": round(len(in_turns) / used["notifier"], 1),
        }

    def _event(self, user_id: str, kind: Kind) -> VideoEvent:
        video_id = f"{user_id}_{next(self._numbers)}"
        about = {"video_id": video_id, "user_id": user_id, "attempt": 1, "title": "First home"}
        if kind == "passing":
            return WorkflowProgressed.model_validate({**about, "id": f"{video_id}:1:progress", "progress": 40})
        metadata = VideoMetadata(size=12_345_678)
        ready = {**about, "id": f"{video_id}:1:ready", "s3_key": f"videos/{user_id}/1.mp4", "metadata": metadata}
        return VideoReady.model_validate(ready)


async def measure(options: Options) -> Section:
    """Take the figures. Raises BrokenRun where any stream misses a message or gets one too many."""
    keys = _Keys()
    rounds = []
    with _descriptors(DESCRIPTORS), StandIn(200, keys.jwks) as jwks:
        for number in range(options.rounds(3, quick=1)):
            # A stack of its own: memory is compared with a process that never held more.
            running = stack(
                options.folder / f"round-{number}",
                services=("notifier",),
                engines=("kafka", "notifier-db"),
                overrides={"notifier": {"JWKS_URL": f"{jwks.url}/.well-known/jwks.json"}},
            )
            async with running, Kafka(running.url("kafka")) as kafka, Partner("tests.bench.sse_clients") as clients:
                rounds.append(await _round(_Hall(running, kafka, clients, keys)))
    return _section(rounds)


async def _round(hall: _Hall) -> dict[str, Any]:
    """Return one round: a warm-up, 2,000 streams, a wave of either kind."""
    few = [f"warm{person}" for person in range(WARM_UP_PEOPLE)]
    await hall.open(few, WARM_UP_TABS)
    for kind in ("stored", "passing"):
        await hall.tell(few, kind, WARM_UP_EVENTS)
    await hall.close()
    without = memory(hall.pid).rss_bytes
    people = [f"person{person}" for person in range(PEOPLE)]
    meter = Meter(notifier=hall.pid)
    opened = await hall.open(people, TABS)
    await until_quiet(hall.pid)
    opening_cpu_seconds = meter.read()["notifier"]
    held = memory(hall.pid).rss_bytes
    if opened["open"] != PEOPLE * TABS:
        raise BrokenRun(f"{opened['open']} streams are open, not {PEOPLE * TABS}")
    waves = [await hall.tell(people, "stored", STORED_EVENTS), await hall.tell(people, "passing", PASSING_EVENTS)]
    used = memory(hall.pid).rss_bytes
    await hall.close()
    return {
        "connections": opened["open"],
        "memory_without_mb": round(without / KB / KB, 2),
        "memory_with_mb": round(held / KB / KB, 2),
        "kb_per_connection": round((held - without) / KB / opened["open"], 2),
        "kb_per_connection_after_messages": round((used - without) / KB / opened["open"], 2),
        "open_wall_seconds": round(opened["wall_seconds"], 3),
        "opens_per_cpu_second": round(opened["open"] / opening_cpu_seconds, 1),
        "waves": waves,
    }


@contextlib.contextmanager
def _descriptors(wanted: int) -> Iterator[None]:
    """Raise the limit of open files, which all processes started from here inherit. Raises BrokenRun."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise BrokenRun(f"2,000 streams need {wanted} open files, at most {hard} are allowed: raise `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _section(rounds: list[dict[str, Any]]) -> Section:
    def waves(kind: Kind) -> list[float]:
        return [wave["messages_per_cpu_second"] for taken in rounds for wave in taken["waves"] if wave["kind"] == kind]

    def each(name: str) -> list[float]:
        return [taken[name] for taken in rounds]

    setup = {"people": PEOPLE, "tabs": TABS, "stored_events": STORED_EVENTS, "passing_events": PASSING_EVENTS}
    return Section(
        "sse",
        setup,
        rounds,
        [
            figure("stored news: messages per CPU-second", "/CPU s", waves("stored")),
            figure("live progress: messages per CPU-second", "/CPU s", waves("passing")),
            figure("memory per connection", "KB", each("kb_per_connection")),
            figure("memory per connection, after messages", "KB", each("kb_per_connection_after_messages")),
            figure("streams opened per CPU-second", "/CPU s", each("opens_per_cpu_second")),
        ],
    )

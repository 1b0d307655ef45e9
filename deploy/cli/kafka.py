"""Which Kafka is meant, and how a command writes to it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.contracts.cloudevents import Record
from shared.contracts.topics import LARGEST_RECORD_BYTES
from shared.delivery.outbox import PublishError

REPOSITORY = Path(__file__).resolve().parents[2]
STACK = Path(".reelway") / "stack.json"
REQUEST_MS = 8_000


class NoKafkaNamed(Exception):
    """Nothing says which Kafka is meant; the text says how to."""


def brokers(named: str | None, environ: Mapping[str, str] = os.environ, repository: Path = REPOSITORY) -> str:
    """Return the brokers that are meant: those named, those of the environment, or the running stack's."""
    found = named or environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if found:
        return found
    for folder in (Path.cwd(), repository):
        record = folder / STACK
        if record.exists():
            return str(json.loads(record.read_text())["engines"]["kafka"]["url"])
    raise NoKafkaNamed(
        "Which Kafka? Set KAFKA_BOOTSTRAP_SERVERS, or give --kafka HOST:PORT; no local stack runs (make up)."
    )


class Publisher:
    """Writes records and waits until all in-sync replicas have them; connects at the first one."""

    def __init__(self, servers: str) -> None:
        self._servers = servers.split(",")
        self._producer: AIOKafkaProducer | None = None

    async def publish(self, record: Record) -> None:
        """Write one record. Raises PublishError."""
        try:
            producer = await self._connected()
            await producer.send_and_wait(record.topic, record.value, record.key, headers=record.all_headers)
        except (KafkaError, OSError) as error:
            raise PublishError(repr(error)) from error

    async def aclose(self) -> None:
        """Let go of the connection, if there is one."""
        if self._producer is not None:
            await self._producer.stop()

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._servers,
                acks="all",
                request_timeout_ms=REQUEST_MS,
                max_request_size=LARGEST_RECORD_BYTES,
                client_id="reelway-operator",
            )
            await self._producer.start()
        return self._producer

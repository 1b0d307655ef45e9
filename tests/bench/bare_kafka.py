"""The base line of latency: one aiokafka send and receive with the services' own settings, and nothing else."""

import asyncio
import time
import uuid
from datetime import timedelta

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.local.services import EMBEDDED_FETCH_SECONDS
from shared.delivery.inbox import consumer_options
from shared.wiring.settings import CommonSettings
from tests.bench.figures import BrokenRun

BARE_TOPIC = "bench.bare"
RECEIVE_SECONDS = 20.0


class BareKafka:
    """One producer and one consumer, connected while it is entered."""

    def __init__(self, servers: str) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=False)
        self._consumer = AIOKafkaConsumer(
            BARE_TOPIC,
            bootstrap_servers=servers,
            group_id="bench.bare",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **consumer_options(CommonSettings(kafka_fetch_wait=timedelta(seconds=EMBEDDED_FETCH_SECONDS))),
        )

    async def __aenter__(self) -> "BareKafka":
        await self._producer.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._producer.stop()

    async def hop_seconds(self, payload: bytes) -> float:
        """Return the time from a send to the moment the consumer hands the record out."""
        key = uuid.uuid4().bytes
        received = asyncio.ensure_future(self._receive())
        began = time.perf_counter()
        await self._producer.send_and_wait(BARE_TOPIC, payload, key)
        received_key, at = await asyncio.wait_for(received, RECEIVE_SECONDS)
        if received_key != key:
            raise BrokenRun("the bare consumer received another record than the one sent")
        return at - began

    async def _receive(self) -> tuple[bytes | None, float]:
        record = await self._consumer.getone()
        return record.key, time.perf_counter()

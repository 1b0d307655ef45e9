"""Everybody a notifier deals with: the gateway's keys, the generator and media as publishers, people who listen."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import jwt
from aiokafka import AIOKafkaProducer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.access.access_tokens import Identity, issue
from shared.contracts.cloudevents import encode
from shared.contracts.events import (
    Event,
    TransferStarted,
    VideoFailed,
    VideoReady,
    VideoRemoved,
    WorkflowFailed,
    WorkflowStarted,
)
from shared.contracts.videos import VideoMetadata
from tests.waiting import until

UPDATE = "video-download-update"


class Gateway:
    """Publishes keys and issues tokens; can be away."""

    def __init__(self) -> None:
        self.keys: dict[str, Ed25519PrivateKey] = {}
        self.away = False
        self.fetches = 0
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.fetches += 1
                body = b"" if gateway.away else json.dumps(gateway.jwks()).encode()
                self.send_response(503 if gateway.away else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.add_key("k1")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/.well-known/jwks.json"

    def add_key(self, key_id: str) -> None:
        self.keys[key_id] = Ed25519PrivateKey.generate()

    def jwks(self) -> dict[str, Any]:
        def public(key_id: str, key: Ed25519PrivateKey) -> dict[str, Any]:
            told: dict[str, Any] = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
            return {**told, "kid": key_id, "alg": "EdDSA", "use": "sig"}

        return {"keys": [public(key_id, key) for key_id, key in self.keys.items()]}

    def token(self, user_id: str, seconds: float = 3600, key_id: str = "k1") -> str:
        now = datetime.now(UTC)
        return issue(Identity(user_id, "s", now + timedelta(seconds=seconds)), self.keys[key_id], key_id, now)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass
class Video:
    """One video of one user, and the events that others publish about it."""

    user_id: str
    video_id: str = field(default="")
    attempt: int = 1
    title: str = "Three things"

    def __post_init__(self) -> None:
        self.video_id = self.video_id or f"{self.user_id}_{uuid4().int % 10**13}"

    def _about(self, transition: str) -> dict[str, Any]:
        return {
            "id": f"{self.video_id}:{self.attempt}:{transition}",
            "video_id": self.video_id,
            "user_id": self.user_id,
            "attempt": self.attempt,
        }

    def started(self, *, certain: bool = True) -> WorkflowStarted:
        about = self._about("started" if certain else "unknown")
        due = datetime(2025, 10, 2, 13, 44, 0, 638000, UTC)
        return WorkflowStarted(
            **about, kind="generate", title=self.title, email="a@example.com", certain=certain, estimated_completion=due
        )

    def workflow_failed(self, code: str = "WORKFLOW_TIMEOUT") -> WorkflowFailed:
        about = self._about("failed")
        return WorkflowFailed(
            **about, title=self.title, email="a@example.com", code=code, message="No answer.", retryable=True
        )

    def transferring(self, *, adopted: bool = False) -> TransferStarted:
        return TransferStarted(**self._about("started"), title=self.title, adopted=adopted)

    def ready(self) -> VideoReady:
        return VideoReady(**self._about("ready"), title=self.title, s3_key="k", metadata=VideoMetadata(size=7340032))

    def failed(self, code: str = "NOT_A_VIDEO") -> VideoFailed:
        return VideoFailed(**self._about("failed"), title=self.title, code=code, message="Not so.", retryable=True)

    def removed(self) -> VideoRemoved:
        return VideoRemoved(**self._about("removed"))

    def story(self) -> list[Event]:
        return [self.started(), self.transferring(), self.ready()]


class Publisher:
    """The generator and media in one."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, *events: Event) -> None:
        for event in events:
            record = encode(event, "test")
            headers = [(name, value.encode()) for name, value in record.headers.items()]
            await self._producer.send_and_wait(record.topic, record.value, record.key, headers=headers)


@dataclass(frozen=True)
class Sent:
    """One server-sent event; `data` is parsed."""

    event: str
    id: str | None
    data: Any


class Listener:
    """Reads a live stream in the background, as a browser does."""

    def __init__(self) -> None:
        self.events: list[Sent] = []
        self.comments = 0
        self.retry_ms: int | None = None
        self.last_id: str | None = None
        self.ended = False

    async def read(self, response: httpx.Response) -> None:
        try:
            fields: dict[str, str] = {}
            async for line in response.aiter_lines():
                self._take(line, fields)
        except httpx.RemoteProtocolError:
            fields = {}
        finally:
            self.ended = True

    def _take(self, line: str, fields: dict[str, str]) -> None:
        name, _, value = line.partition(":")
        if line.startswith(":"):
            self.comments += 1
        elif line:
            fields[name] = value.removeprefix(" ")
            self.retry_ms = int(fields["retry"]) if name == "retry" else self.retry_ms
        else:
            self._dispatch(fields)
            fields.clear()

    def _dispatch(self, fields: dict[str, str]) -> None:
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            self.events.append(Sent(fields.get("event", "message"), fields.get("id"), json.loads(fields["data"])))

    def named(self, event: str) -> list[Sent]:
        return [sent for sent in self.events if sent.event == event]

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [sent.data for sent in self.named(UPDATE)]

    @property
    def stored(self) -> list[dict[str, Any]]:
        return [sent.data for sent in self.named(UPDATE) if sent.id is not None]

    @property
    def types(self) -> list[str]:
        return [update["type"] for update in self.stored]


@contextlib.asynccontextmanager
async def listening(
    client: httpx.AsyncClient, last_event_id: str | int | None = None, **params: str
) -> AsyncIterator[Listener]:
    """Open a stream and wait until it is live (or over)."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    timeout = httpx.Timeout(10, read=60)
    stream = client.stream("GET", "/api/notifications/stream", headers=headers, params=params, timeout=timeout)
    async with stream as response:
        if response.status_code != httpx.codes.OK:
            await response.aread()
            response.raise_for_status()
        assert response.headers["content-type"].startswith("text/event-stream")
        listener = Listener()
        reading = asyncio.create_task(listener.read(response))
        try:
            await until(lambda: listener.named("ready") or listener.ended)
            yield listener
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

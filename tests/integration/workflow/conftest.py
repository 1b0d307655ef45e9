"""The workflow engine as a real process, and somebody who is called back."""

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SECRET = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cw=="
Json = dict[str, Any]


@dataclass(frozen=True)
class Post:
    """One callback as it arrived."""

    purpose: str
    token: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Json:
        parsed: Json = json.loads(self.raw)
        return parsed


@dataclass
class Receiver:
    """Takes callbacks and answers with the next of `answers`, or 202."""

    port: int
    posts: list[Post] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)

    def url(self, job: str, purpose: str) -> str:
        return f"http://127.0.0.1:{self.port}/{job}/{purpose}?token={job}-token"

    def of(self, job: str, *purposes: str) -> list[Post]:
        wanted = {f"{job}/{purpose}" for purpose in purposes or ("complete", "error", "progress")}
        return [post for post in list(self.posts) if post.purpose in wanted]


@dataclass
class Job:
    """One call of the workflow: everything in it is named after `name`."""

    name: str
    engine: "EngineProcess"
    receiver: Receiver

    def body(self, **changes: Any) -> Json:
        purposes = ("complete", "error", "progress")
        return {
            "title": self.name,
            "hook": "Look up.",
            "body": "",
            "conclusion": "",
            "company_name": "Rosewood Homes",
            "videoId": f"user_{self.name}",
            "requestId": f"video_{self.name}",
            "attempt": 1,
            "voice_id": "voice-7",
            "callbacks": {purpose: self.receiver.url(self.name, purpose) for purpose in purposes},
            **changes,
        }

    async def fault(self, *faults: Json) -> None:
        answer = await self.engine.http.put("/control/faults", params={"job": self.name}, json={"faults": faults})
        assert answer.status_code == 200, answer.text

    async def call(self, **changes: Any) -> httpx.Response:
        headers = {"idempotency-key": f"video_{self.name}:1"}
        return await self.engine.http.post("/webhook/generate-video", json=self.body(**changes), headers=headers)

    async def runs(self) -> list[Json]:
        answer = await self.engine.http.get("/control/executions", params={"videoId": f"user_{self.name}"})
        runs: list[Json] = answer.json()["executions"]
        return runs

    async def run(self) -> Json:
        runs = await self.runs()
        assert len(runs) == 1
        return runs[0]

    async def ended(self) -> Json | None:
        runs = await self.runs()
        return runs[0] if runs and runs[0]["status"] != "running" and runs[0]["owes"] is None else None

    def posts(self, *purposes: str) -> list[Post]:
        return self.receiver.of(self.name, *purposes)


@dataclass
class EngineProcess:
    """The engine, started on a free port."""

    process: subprocess.Popen[str]
    url: str

    @property
    def http(self) -> httpx.AsyncClient:
        """A client per call: the process outlives the event loop of a test."""
        return _OneShot(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


class _OneShot(httpx.AsyncClient):
    """Closes itself after its only request."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, timeout=20, trust_env=False)

    async def request(self, *args: Any, **kwargs: Any) -> httpx.Response:
        async with self:
            return await super().request(*args, **kwargs)


@contextmanager
def running_engine(data_dir: Path, **variables: str) -> Iterator[EngineProcess]:
    """Start the engine; it is stopped at the end if it still runs."""
    environment = {
        **os.environ,
        "WORKFLOW_PORT": "0",
        "WORKFLOW_PACE": "0",
        "WORKFLOW_FRAME_SIZE": "128x72",
        "WORKFLOW_FRAME_RATE": "4",
        "WORKFLOW_DATA_DIR": str(data_dir),
        "WORKFLOW_WEBHOOK_SECRET": SECRET,
        "LOG_LEVEL": "WARNING",
        **variables,
    }
    command = [sys.executable, "-m", "deploy.local.workflow"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield EngineProcess(process, process.stdout.readline().split()[-1])
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=10)


def nested(levels: int) -> str:
    """Return lists in lists, as JSON."""
    return "[" * levels + "]" * levels


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(port=0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            path, _, query = self.path.strip("/").partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.posts.append(Post(path, query.removeprefix("token="), headers, raw))
            answers = receiver.answers.get(path)
            self.send_response(answers.pop(0) if answers else 202)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[EngineProcess]:
    error_url = f"http://127.0.0.1:{receiver.port}/nobody/error"
    folder = tmp_path_factory.mktemp("engine data")
    with running_engine(folder, WORKFLOW_ERROR_URL=error_url) as running:
        yield running


@pytest.fixture
def new_job(receiver: Receiver) -> Callable[[EngineProcess], Job]:
    return lambda engine: Job(uuid.uuid4().hex[:10], engine, receiver)


@pytest.fixture
def job(engine: EngineProcess, new_job: Callable[[EngineProcess], Job]) -> Job:
    return new_job(engine)

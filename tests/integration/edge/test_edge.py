"""What the edge lets through, and to whom: a real Caddy with the Caddyfile of docker-compose.yml."""

import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.local.ports import free_port
from tests.waiting import until

CADDYFILE = Path(__file__).parents[3] / "deploy" / "edge" / "Caddyfile"
UPSTREAMS = {"gateway": "gateway:8080", "notifier": "notifier:8083", "storage": "storage:8333"}

pytestmark = pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not here: install the package caddy")


@dataclass(frozen=True)
class Edge:
    """Where the edge listens: for the API and for stored files."""

    site: str
    storage: str


class Named(BaseHTTPRequestHandler):
    """Answers with its name, the method, the path and the Host it was asked for; a stream stays open."""

    name: str

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(f"{self.name} {self.command} {self.path} {self.headers['Host']}\n".encode())
        if self.path.endswith("/stream"):
            self.wfile.flush()
            self.rfile.read(1)  # until the reader goes

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def upstream(name: str) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Named,), {"name": name}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    site, storage = free_port(), free_port()
    text = CADDYFILE.read_text().replace("\n:8080 {", f"\n:{site} {{").replace("\n:9000 {", f"\n:{storage} {{")
    text = text.replace("admin off", "admin off\n\tdefault_bind 127.0.0.1")
    folder = tmp_path_factory.mktemp("edge")
    with ExitStack() as opened:
        for name, address in UPSTREAMS.items():
            assert address in text
            text = text.replace(address, f"127.0.0.1:{opened.enter_context(upstream(name))}")
        (folder / "Caddyfile").write_text(text)
        log = opened.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(  # noqa: ASYNC220 - it is only begun here
            ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"],  # noqa: S607
            cwd=folder,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        opened.callback(process.wait, 10)
        opened.callback(process.terminate)
        await until(lambda: listens(site) and listens(storage), "the edge listens")
        yield Edge(f"http://127.0.0.1:{site}", f"http://127.0.0.1:{storage}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/metrics",
            "/metrics/",
            "/health/live",
            "/health/ready",
            "/admin",
            "/admin/callbacks",
            "/admin/dead-letters",
        ),
        *("//metrics", "/%6detrics", "/admin%2Fcallbacks", "/ADMIN/callbacks", "/api/../admin/callbacks", "/./metrics"),
    ],
)
def test_what_is_for_inside_stays_inside(edge: Edge, path: str) -> None:
    host, _, port = edge.site.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:  # a client of ours would tidy the path up
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    status = answer.split(b" ", 2)[1]
    assert status in (b"404", b"308"), answer


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "gateway"),
        ("/api/video/gallery", "gateway"),
        ("/api/webhook/video-complete", "gateway"),
        ("/api/notificationsx", "gateway"),
        ("/api/notifications", "notifier"),
        ("/api/notifications?limit=3", "notifier"),
    ],
)
def test_who_answers(edge: Edge, path: str, name: str) -> None:
    answer = httpx.get(edge.site + path, trust_env=False)
    assert answer.text.split()[:3] == [name, "GET", path]


def test_a_stream_is_passed_on_as_it_comes(edge: Edge) -> None:
    with httpx.stream("GET", f"{edge.site}/api/notifications/stream", timeout=5, trust_env=False) as answer:
        assert next(answer.iter_text()).startswith("notifier GET /api/notifications/stream")


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("PUT", 405), ("POST", 405), ("DELETE", 405)])
def test_the_storage_is_only_read(edge: Edge, method: str, status: int) -> None:
    assert httpx.request(method, f"{edge.storage}/reelway/a.mp4", trust_env=False).status_code == status


def test_the_storage_sees_the_host_that_was_signed(edge: Edge) -> None:
    answer = httpx.get(f"{edge.storage}/reelway/a.mp4", headers={"Host": "files.example.com"}, trust_env=False)
    assert answer.text.split()[3] == "files.example.com"

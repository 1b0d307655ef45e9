"""A rendering service for the nodes marked "(yours)": takes an order, says how far it is, serves the file.

It counts what a customer would be billed for, and does for each title what a test told it to. For a try by hand:

    python -m tests.n8n.renderer 5680
"""

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from tests.media_files import video

LONGEST_HOLD_SECONDS = 60.0

Json = dict[str, Any]
Moment = Literal["ordering", "asking"]


class BrokenError(Exception):
    """The service can't answer, and says why with status 500."""


@dataclass
class Plan:
    """What happens to orders of one title: they are answered once `taken`, and over once `done`.

    What is answered at the moment `breaks` is no answer to go by, but status 500.
    """

    taken: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    fails: str = ""
    breaks: Moment | None = None
    asked: int = 0

    def may_break(self, moment: Moment) -> None:
        """Raise BrokenError if this is the moment."""
        if self.breaks == moment:
            raise BrokenError(self.fails)


@dataclass(frozen=True)
class Order:
    """One paid render, as it was ordered."""

    id: str
    body: Json
    key: str | None

    @property
    def title(self) -> str:
        """Return the title, of a `create` its topic."""
        return str(self.body.get("title") or self.body.get("videoTopic"))


class Renderer:
    """The service, and what became of it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.orders: list[Order] = []
        self._plans: dict[str, Plan] = {}

    def plan(
        self, title: str, *, taken: bool = True, done: bool = True, fails: str = "", breaks: Moment | None = None
    ) -> Plan:
        """Say what happens to orders of this title; what is not `taken` or `done` waits for the test."""
        plan = self._plans[title] = Plan(fails=fails, breaks=breaks)
        for event, now in ((plan.taken, taken), (plan.done, done)):
            if now:
                event.set()
        return plan

    def paid_for(self, video_id: str) -> list[Order]:
        """Return every render of a video."""
        return [order for order in self.orders if order.body["videoId"] == video_id]

    def plan_of(self, order: Order) -> Plan:
        """Return what happens to the order."""
        return self._plans.get(order.title) or self.plan(order.title)

    def take(self, body: Json, key: str | None) -> Json:
        """Take an order and answer when the plan says so."""
        order = Order(str(len(self.orders) + 1), body, key)
        self.orders.append(order)
        plan = self.plan_of(order)
        plan.taken.wait(LONGEST_HOLD_SECONDS)
        plan.may_break("ordering")
        return {"id": order.id}

    def look(self, number: str) -> Json:
        """Say how far an order is."""
        plan = self.plan_of(self.orders[int(number) - 1])
        plan.asked += 1
        plan.may_break("asking")
        if not plan.done.is_set():
            return {"status": "rendering", "progress": min(90, 10 * plan.asked)}
        if plan.fails:
            return {"status": "failed", "error": plan.fails}
        return {"status": "ready", "videoUrl": f"{self.url}/files/{number}.mp4"}


@contextlib.contextmanager
def renderer_on(port: int) -> Iterator[Renderer]:
    """Serve in threads of its own, so that it answers whatever loop a test runs in."""
    renderer = Renderer(port)
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(renderer))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield renderer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(work: Callable[[], Json]) -> tuple[int, Json]:
    try:
        return 200, work()
    except BrokenError as broken:
        return 500, {"error": str(broken)}


def _handler(renderer: Renderer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            self._json(lambda: renderer.take(json.loads(raw), self.headers.get("idempotency-key")))

        def do_GET(self) -> None:
            _, kind, name = self.path.split("/")
            if kind == "renders":
                self._json(lambda: renderer.look(name))
            else:
                self._send(video(), "video/mp4")

        def do_HEAD(self) -> None:
            self._send(video(), "video/mp4", with_body=False)

        def _json(self, work: Callable[[], Json]) -> None:
            status, body = _answer(work)
            self._send(json.dumps(body).encode(), "application/json", status=status)

        def _send(self, body: bytes, kind: str, with_body: bool = True, status: int = 200) -> None:
            try:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if with_body:
                    self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # who asked was killed meanwhile

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


if __name__ == "__main__":
    with renderer_on(int(sys.argv[1])) as renderer, contextlib.suppress(KeyboardInterrupt):
        print(f"Renders at {renderer.url}; Ctrl-C stops it", flush=True)  # noqa: T201
        threading.Event().wait()

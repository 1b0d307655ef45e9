"""A proxy before n8n that turns calls away, as those in front of real ones do: before n8n has them, or behind it."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

PASSED_ON_SECONDS = 60.0
_PASSED_BACK = ("content-type", "date")


class LosingProxy:
    """Passes everything on but so many calls to webhooks: first it `refuses` some, then `loses` the answers to others.

    Both are answered 503 instead. `calls` is what came of each, in order.
    """

    def __init__(self, port: int, before: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.before = before
        self.refuses = self.loses = 0
        self.calls: list[str] = []


@contextlib.contextmanager
def losing_proxy(port: int, before: str) -> Iterator[LosingProxy]:
    """Serve the proxy on this port, before the server of that URL, until the end."""
    proxy = LosingProxy(port, before)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield proxy
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    proxy: LosingProxy

    def do_GET(self) -> None:
        self._answer(self._passed_on())

    def do_POST(self) -> None:
        self._answer(self._called() if self.path.startswith("/webhook/") else self._passed_on())

    def _called(self) -> httpx.Response:
        if self.proxy.refuses:
            self.proxy.refuses -= 1
            self.proxy.calls.append("refused")
            return httpx.Response(503)
        answer = self._passed_on()
        if self.proxy.loses:
            self.proxy.loses -= 1
            self.proxy.calls.append("lost")
            return httpx.Response(503)
        self.proxy.calls.append("passed on")
        return answer

    def _passed_on(self) -> httpx.Response:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        url = f"{self.proxy.before}{self.path}"
        return httpx.request(self.command, url, headers=headers, content=body, timeout=PASSED_ON_SECONDS)

    def _answer(self, answer: httpx.Response) -> None:
        self.send_response_only(answer.status_code)
        for name in _PASSED_BACK:
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: Any) -> None:
        """Say nothing: `calls` says it."""

"""An HTTP server in a thread of the bench that always says the same: a silent workflow engine, a JWKS."""

import json
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.bench.arena import LOOPBACK


class StandIn:
    """Answers every GET and POST with `status` and what `body` returns, while it is entered."""

    def __init__(self, status: int, body: Callable[[], dict[str, Any]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._answer()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

            def _answer(self) -> None:
                content = json.dumps(body()).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class SilentWorkflow(StandIn):
    """A workflow engine that takes every call, gives it an executionId and is never heard of again."""

    def __init__(self) -> None:
        super().__init__(202, lambda: {"message": "Workflow was started", "executionId": uuid.uuid4().hex})

    @property
    def settings(self) -> dict[str, str]:
        """The generator's settings that make it call here."""
        return {
            "VIDEO_CREATION_WEBHOOK_URL": f"{self.url}/webhook/create",
            "GENERATE_VIDEO_WEBHOOK_URL": f"{self.url}/webhook/generate",
        }

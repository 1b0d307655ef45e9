"""`python -m tests.bench.file_server PORT FOLDER`: serves files with lengths and ranges at what sendfile can do."""

import re
import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.bench.arena import LOOPBACK

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class FileHandler(BaseHTTPRequestHandler):
    """Serves the files of one folder; / answers 200 so that readiness can be asked."""

    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, *connection: Any) -> None:
        self._folder = folder
        super().__init__(*connection)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        file = self._folder / Path(self.path.partition("?")[0]).name
        if self.path == "/" or not file.is_file():
            self._head(200 if self.path == "/" else 404, 0)
            return
        size = file.stat().st_size
        start, end = wanted_range(self.headers.get("Range") or "", size)
        whole = end - start == size
        self._head(200 if whole else 206, end - start, "" if whole else f"bytes {start}-{end - 1}/{size}")
        if with_body:
            self.wfile.flush()
            with file.open("rb") as content:
                self.connection.sendfile(content, start, end - start)

    def _head(self, status: int, length: int, content_range: str = "") -> None:
        self.send_response(status)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()


def wanted_range(header: str, size: int) -> tuple[int, int]:
    """Return the first byte and the one after the last that a Range header asks for; the whole where it asks none."""
    asked = _RANGE.fullmatch(header)
    if asked is None:
        return 0, size
    return int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size


def main() -> None:
    """Serve until ended."""
    server = ThreadingHTTPServer((LOOPBACK, int(sys.argv[1])), partial(FileHandler, Path(sys.argv[2])))
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()

"""A web server that gives files away, and misbehaves on demand."""

import re
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BLOCK = 32 * 1024

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class File:
    """One file and how it is served."""

    body: bytes
    content_type: str = "video/mp4"
    etag: str | None = '"v1"'
    ranges: bool = True
    length: bool = True
    """False: chunked, its length not told."""
    ends_at: int | None = None
    """Every answer ends here, whatever length it announced."""
    cuts: list[int] = field(default_factory=list)
    """The next answers end after so many bytes, one cut for each."""
    rudely: bool = False
    """Cuts reset the connection instead of closing it."""
    statuses: list[int] = field(default_factory=list)
    """The next answers have these statuses and no file."""
    location: str | None = None
    pause_seconds: float = 0.0
    """Before every block."""


class FileServer:
    """Serves `files` by name; `asked` holds the Range header of every request for each."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.asked: dict[str, list[str | None]] = defaultdict(list)
        self.sent_bytes: dict[str, int] = defaultdict(int)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"files": self}))
        self._server.daemon_threads = True

    @contextmanager
    def running(self) -> Iterator["FileServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def serve(self, name: str, file: File) -> str:
        """Return the URL under which `file` is from now on."""
        self.files[name] = file
        return f"http://127.0.0.1:{self.port}/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    files: FileServer

    def do_GET(self) -> None:
        name = self.path.strip("/").partition("?")[0]
        wanted = self.headers.get("Range")
        self.files.asked[name].append(wanted)
        file = self.files.files.get(name)
        self.close_connection = True
        if file is None:
            self.send_error(404)
        elif file.location:
            self._answer(302, {"Location": file.location, "Content-Length": "0"})
        elif file.statuses:
            self._answer(file.statuses.pop(0), {"Content-Length": "0"})
        else:
            self._give(name, file, wanted)

    def _give(self, name: str, file: File, wanted: str | None) -> None:
        vouched = self.headers.get("If-Range") in (None, file.etag)
        partial = file.ranges and vouched and _RANGE.fullmatch(wanted or "")
        start = int(partial[1]) if partial else 0
        stop = min(len(file.body), int(partial[2]) + 1) if partial and partial[2] else len(file.body)
        headers = {"Content-Type": file.content_type, **({"ETag": file.etag} if file.etag else {})}
        if file.length:
            headers["Content-Length"] = str(stop - start)
        else:
            headers["Transfer-Encoding"] = "chunked"
        if partial:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(file.body)}"
        self._answer(206 if partial else 200, headers)
        cut = file.cuts.pop(0) if file.cuts else None
        end = min(x for x in (stop, file.ends_at, cut and start + cut) if x is not None)
        try:
            self._send(name, file, start, end)
        except OSError:
            return  # the reader went away
        if end < stop and file.rudely:
            self._reset()

    def _send(self, name: str, file: File, start: int, end: int) -> None:
        for at in range(start, end, BLOCK):
            time.sleep(file.pause_seconds)
            block = file.body[at : min(at + BLOCK, end)]
            self.wfile.write(block if file.length else b"%x\r\n%b\r\n" % (len(block), block))
            self.files.sent_bytes[name] += len(block)
        if not file.length and end == len(file.body):
            self.wfile.write(b"0\r\n\r\n")

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

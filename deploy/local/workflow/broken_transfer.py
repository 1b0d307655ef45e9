"""Serves a file in all the ways a bad day does: cut, without a length, slowly, endlessly, or something else."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deploy.local.workflow.faults import (
    FileChunked,
    FileCut,
    FileFault,
    FileNoRange,
    FileNotVideo,
    FileSlow,
    FileTooLarge,
    FileTruncated,
)
from deploy.local.workflow.webhooks import ConnectionCut

_CHUNK_BYTES = 65_536
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PAGE = b"<!doctype html><html><body><h1>This is not a video</h1></body></html>\n" * 40


@dataclass(frozen=True)
class Transfer:
    """How a file is delivered: `length` bytes in all, of which those from `stops_at` on never arrive."""

    length: int
    stops_at: int | None = None
    announced: bool = True
    ranges: bool = True
    bytes_per_second: int | None = None


def transfer_for(fault: FileFault, size: int) -> Transfer:
    """Translate a fault into the delivery of a file of `size` bytes."""
    match fault:
        case FileTruncated() | FileCut():
            return Transfer(size, stops_at=max(1, int(size * fault.share)))
        case FileChunked():
            return Transfer(size, announced=False, ranges=False)
        case FileNoRange():
            return Transfer(size, ranges=False)
        case FileTooLarge():
            return Transfer(max(size, fault.bytes), announced=fault.announced, ranges=False)
        case FileSlow():
            return Transfer(size, bytes_per_second=fault.bytes_per_second)
        case FileNotVideo():
            return Transfer(len(_PAGE))
    raise TypeError(f"{type(fault).__name__} is not about the delivery of bytes")


class BrokenTransfer(Response):
    """A response that delivers `content`, with zeros after its end, the way `transfer` says."""

    def __init__(self, content: BinaryIO, transfer: Transfer, etag: str) -> None:
        super().__init__()
        self._content, self._transfer, self._etag = content, transfer, etag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that goes away ends it."""
        start, end, partial = self._asked(Headers(scope=scope))
        await send(
            {
                "type": "http.response.start",
                "status": 206 if partial else 200,
                "headers": self._headers_for(start, end, partial),
            }
        )
        gone = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            if scope["method"] != "HEAD":
                async for chunk in self._chunks(start, end):
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._content.close()

    def _asked(self, headers: Headers) -> tuple[int, int, bool]:
        match = _RANGE.fullmatch(headers.get("range", ""))
        fresh = headers.get("if-range", self._etag) == self._etag
        if match is None or not fresh or not self._transfer.ranges or int(match[1]) >= self._transfer.length:
            return 0, self._transfer.length, False
        end = min(int(match[2]) + 1, self._transfer.length) if match[2] else self._transfer.length
        return int(match[1]), end, True

    def _headers_for(self, start: int, end: int, partial: bool) -> list[tuple[bytes, bytes]]:
        headers = {"content-type": "video/mp4", "etag": self._etag}
        if self._transfer.ranges:
            headers["accept-ranges"] = "bytes"
        if self._transfer.announced:
            headers["content-length"] = str(end - start)
        if partial:
            headers["content-range"] = f"bytes {start}-{end - 1}/{self._transfer.length}"
        return [(name.encode(), value.encode()) for name, value in headers.items()]

    async def _chunks(self, start: int, end: int) -> AsyncIterator[bytes]:
        rate, stops_at = self._transfer.bytes_per_second, self._transfer.stops_at
        step = min(_CHUNK_BYTES, max(1, rate // 10)) if rate else _CHUNK_BYTES
        last = end if stops_at is None else min(end, stops_at)
        await asyncio.to_thread(self._content.seek, start)
        while start < last:
            wanted = min(step, last - start)
            chunk = await asyncio.to_thread(self._content.read, wanted)
            yield chunk.ljust(wanted, b"\0")
            start += wanted
            if rate:
                await asyncio.sleep(wanted / rate)
        if last < end:
            raise ConnectionCut


def not_a_video() -> BinaryIO:
    """Return the page that FileNotVideo serves."""
    return io.BytesIO(_PAGE)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""Looks into one stored file, in a process of its own: what hostile media breaks here harms nobody else.

Run by path, without the service's environment: it gets a signed URL, the object's size and the demuxer on standard
input, and writes one line of JSON and the poster's bytes to standard output. It talks to the storage alone: libav sees
a file-like object and one named demuxer, so that no playlist or reference in the file can make it open anything.
"""

import http.client
import io
import json
import resource
import signal
import sys
import time
from typing import Any, BinaryIO
from urllib.parse import urlsplit

MEMORY_BYTES = 3 * 1024**3
CPU_SECONDS = 20
WINDOW_BYTES = 1024 * 1024
ANSWER_SECONDS = 20.0
BOXES_SECONDS = 10.0
POSTER_WIDTH = 1280
POSTER_AT = 0.1
MOST_FRAMES_TRIED = 60
MOST_BOXES = 10_000
BOXES = frozenset(b"ftyp moov mdat free skip wide moof mfra sidx ssix styp meta uuid pdin udta".split())


class StorageError(Exception):
    """The storage did not give what was asked for; the file is not to blame."""


class NotAVideoError(Exception):
    """The file can't be watched; the text says why."""


class EndsEarlyError(Exception):
    """The file's own structure reaches beyond its end."""


class RangeFile(io.RawIOBase):
    """A stored object as a file to read and seek in, fetched a window at a time over one connection."""

    def __init__(self, url: str, size_bytes: int) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=ANSWER_SECONDS)
        self._target = f"{parts.path}?{parts.query}"
        self._size = size_bytes
        self._position = 0
        self._window_at = 0
        self._window = b""
        self.problem: Exception | None = None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        super().close()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; nothing is fetched."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes from the position on. Raises StorageError."""
        size = self._size if size < 0 else size
        if self._position >= self._size or size == 0:
            return b""
        if not self._window_at <= self._position < self._window_at + len(self._window):
            self._fetch()
        begin = self._position - self._window_at
        block = self._window[begin : begin + size]
        self._position += len(block)
        return block

    def _fetch(self) -> None:
        last = min(self._position + WINDOW_BYTES, self._size) - 1
        try:
            try:
                status, window = self._ask(last)
            except ConnectionError:  # the storage had ended it while the file was being decoded
                self._connection.close()
                status, window = self._ask(last)
        except (OSError, http.client.HTTPException) as error:
            raise self._storage_error(repr(error)) from error
        if status != 206 or len(window) != last - self._position + 1:
            raise self._storage_error(f"answered {status} with {len(window)} bytes")
        self._window_at, self._window = self._position, window

    def _ask(self, last: int) -> tuple[int, bytes]:
        self._connection.request("GET", self._target, headers={"Range": f"bytes={self._position}-{last}"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def _storage_error(self, text: str) -> StorageError:
        # libav turns what a read raises into an error of its own: remembered here, it is not blamed on the file.
        self.problem = StorageError(text)
        return self.problem


def check_boxes(file: RangeFile, size_bytes: int) -> None:
    """Walk the top-level boxes of an MP4. Raises EndsEarlyError where one reaches beyond the end of the file.

    Stops after BOXES_SECONDS: a file may be made of thousands of them, and that alone is nothing wrong.
    """
    at = 0
    until = time.monotonic() + BOXES_SECONDS
    for _ in range(MOST_BOXES):
        if at + 8 > size_bytes or time.monotonic() > until:
            return
        file.seek(at)
        header = file.read(8)
        length = int.from_bytes(header[:4])
        if length == 0 or header[4:8] not in BOXES:
            return  # the last box, or something players pass over
        if length == 1:
            length = int.from_bytes(file.read(8))
        if length < 8:
            return
        at += length
        if at > size_bytes:
            raise EndsEarlyError


def examine(file: RangeFile, demuxer: str) -> tuple[dict[str, Any], bytes | None]:
    """Return what the file holds and a JPEG of it. Raises NotAVideoError."""
    import av

    try:
        with av.open(file, "r", format=demuxer, buffer_size=256 * 1024) as container:
            stream = _video_stream(container)
            picture = _picture(container, stream)
            if picture is None:
                raise NotAVideoError("No picture of the video can be decoded.")
            duration = container.duration / av.time_base if container.duration else None
            if duration is None and stream.duration and stream.time_base:
                duration = float(stream.duration * stream.time_base)
            facts = {
                "duration": round(duration, 3) if duration and duration > 0 else None,
                "width": picture.width,
                "height": picture.height,
                "codec": stream.codec_context.codec.canonical_name,
            }
            return facts, _jpeg(picture)
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise NotAVideoError("The file can't be read as a video.") from error


def _video_stream(container: Any) -> Any:
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise NotAVideoError("The file holds no moving picture.")


def _picture(container: Any, stream: Any) -> Any:
    """Return a picture from a tenth of the video's length, or from its beginning, as people see it."""
    import av

    stream.codec_context.thread_count = 1
    if container.duration:
        try:
            container.seek(int(container.duration * POSTER_AT))
            if (picture := _first_picture(container, stream)) is not None:
                return picture
        except av.FFmpegError:
            stream.codec_context.flush_buffers()
        container.seek(0)
    return _first_picture(container, stream)


def _first_picture(container: Any, stream: Any) -> Any:
    import av

    for tried, packet in enumerate(container.demux(stream)):
        try:
            for frame in packet.decode():
                return frame.to_image().rotate(frame.rotation, expand=True)
        except av.FFmpegError:
            if tried >= MOST_FRAMES_TRIED:
                raise
    return None


def _jpeg(picture: Any) -> bytes:
    if picture.width > POSTER_WIDTH:
        picture = picture.resize((POSTER_WIDTH, max(1, round(picture.height * POSTER_WIDTH / picture.width))))
    written = io.BytesIO()
    picture.convert("RGB").save(written, "JPEG", quality=82, optimize=True)
    return written.getvalue()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(CPU_SECONDS * 10)  # outlives no parent that was killed


def look(task: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """Return the answer to `task` as it is written out: facts and poster, or the problem."""
    with RangeFile(task["url"], task["size"]) as file:
        try:
            if task["demuxer"] == "mov":
                check_boxes(file, task["size"])
            return examine(file, task["demuxer"])
        except EndsEarlyError:
            return {"problem": "ends_early"}, None
        except (StorageError, NotAVideoError) as error:
            if file.problem is not None:
                return {"problem": "storage", "detail": str(file.problem)}, None
            return {"problem": "not_a_video", "detail": str(error)}, None


def main(given: BinaryIO, answer: BinaryIO) -> None:
    """Answer the one task on `given`."""
    _limit()
    facts, poster = look(json.load(given))
    answer.write(json.dumps(facts).encode() + b"\n" + (poster or b""))
    answer.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)

"""Streams into the bucket: a presigned PUT where the length is known, presigned parts where it is not.

Pushed block by block from the thread that reads the source, so nothing is kept but the block in hand (one part,
where the length is unknown). The minio SDK's own streaming costs more and hides upload ids:
docs/decisions/0020-files-are-pushed-through-presigned-urls.md.
"""

import contextlib
import html
import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol
from urllib.parse import urlsplit

from services.media.objects import Objects, StorageAwayError
from services.media.stopping import Stop

CONNECT_SECONDS, SEND_SECONDS = 5.0, 60.0
PART_BYTES = 8 * 1024 * 1024
SINGLE_PUT_MOST_BYTES = 5 * 1024**3
PART_PAUSES_SECONDS = (0.5, 1.0, 2.0)

_UPLOAD_ID = re.compile(r"<UploadId>([^<]+)</UploadId>")


class Upload(Protocol):
    """One object being written; it exists for others only after `finish`."""

    def send(self, block: bytes) -> None:
        """Write `block`. Raises StorageAwayError or StoppedError."""

    def finish(self) -> None:
        """Make the object exist. Raises StorageAwayError or StoppedError."""

    def abort(self) -> None:
        """Drop what was written, as far as the storage can be reached. Never raises."""


def open_upload(
    objects: Objects,
    key: str,
    *,
    size_bytes: int | None,
    content_type: str,
    stop: Stop,
    remember: Callable[[str], None],
) -> Upload:
    """Return an upload to `key`. `remember` is called with the id of a multipart upload before it has parts."""
    if size_bytes is not None and size_bytes <= SINGLE_PUT_MOST_BYTES:
        return SinglePut(objects.signed("PUT", key), size_bytes, content_type, stop)
    return PartedUpload(objects, key, content_type, stop, remember)


class Exchange:
    """One request to a presigned URL, its body pushed."""

    def __init__(self, method: str, url: str, size_bytes: int, content_type: str, stop: Stop) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._stop = stop
        self._held = ExitStack()
        try:
            with _translated(stop):
                self._connection = kind(parts.netloc, timeout=CONNECT_SECONDS)
                self._held.callback(self._connection.close)
                self._connection.connect()
                self._held.enter_context(stop.waking(self._connection.sock))
                self._connection.sock.settimeout(SEND_SECONDS)
                self._connection.putrequest(method, f"{parts.path}?{parts.query}")
                self._connection.putheader("Content-Length", str(size_bytes))
                self._connection.putheader("Content-Type", content_type)
                self._connection.endheaders()
        except BaseException:
            self.close()
            raise

    def send(self, block: bytes | memoryview) -> None:
        """Write a part of the body. Raises StorageAwayError or StoppedError."""
        with _translated(self._stop):
            self._connection.send(block)

    def answer(self) -> tuple[http.client.HTTPMessage, bytes]:
        """Return headers and body of the answer. Raises StorageAwayError (any status but 2xx too) or StoppedError."""
        with _translated(self._stop):
            response = self._connection.getresponse()
            body = response.read()
        if not 200 <= response.status < 300:
            raise StorageAwayError(f"storage answered {response.status}")
        return response.headers, body

    def close(self) -> None:
        """Close the connection; an unfinished body makes the storage drop what it has."""
        self._held.close()


class SinglePut:
    """One PUT of known length."""

    def __init__(self, url: str, size_bytes: int, content_type: str, stop: Stop) -> None:
        self._exchange = Exchange("PUT", url, size_bytes, content_type, stop)

    def send(self, block: bytes) -> None:
        """Write `block`."""
        self._exchange.send(block)

    def finish(self) -> None:
        """Wait until the object exists."""
        try:
            self._exchange.answer()
        finally:
            self._exchange.close()

    def abort(self) -> None:
        """Break the request off: an object shorter than announced is never made."""
        self._exchange.close()


class PartedUpload:
    """Parts of PART_BYTES, each kept until the storage has it, so that one that fails can be sent again."""

    def __init__(
        self, objects: Objects, key: str, content_type: str, stop: Stop, remember: Callable[[str], None]
    ) -> None:
        self._objects = objects
        self._key = key
        self._stop = stop
        self._part = bytearray()
        self._etags: list[str] = []
        _, body = self._ask("POST", {"uploads": ""}, b"", content_type)
        found = _UPLOAD_ID.search(body.decode(errors="replace"))
        if found is None:
            raise StorageAwayError("no upload id")
        self._upload_id = html.unescape(found[1])
        try:
            remember(self._upload_id)
        except BaseException:
            self.abort()
            raise

    def send(self, block: bytes) -> None:
        """Collect `block`; send a part when it is full."""
        self._part += block
        while len(self._part) >= PART_BYTES:
            with memoryview(self._part) as whole:
                self._send_part(whole[:PART_BYTES])
            del self._part[:PART_BYTES]

    def finish(self) -> None:
        """Send what is left and join the parts."""
        if self._part or not self._etags:
            with memoryview(self._part) as rest:
                self._send_part(rest)
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(etag)}</ETag></Part>"
            for number, etag in enumerate(self._etags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        _, answer = self._ask("POST", {"uploadId": self._upload_id}, body, "application/xml")
        if b"CompleteMultipartUploadResult" not in answer:  # S3 may answer 200 and an error
            raise StorageAwayError("parts were not joined")

    def abort(self) -> None:
        """Drop the parts; what can't be dropped now is left to the sweeper, which knows the upload's id."""
        with contextlib.suppress(StorageAwayError):
            self._objects.abort_upload(self._key, self._upload_id)

    def _send_part(self, part: memoryview) -> None:
        query = {"partNumber": str(len(self._etags) + 1), "uploadId": self._upload_id}
        for pause_seconds in PART_PAUSES_SECONDS:
            try:
                headers, _ = self._ask("PUT", query, part, "application/octet-stream")
                break
            except StorageAwayError:
                self._stop.pause(pause_seconds)
        else:
            headers, _ = self._ask("PUT", query, part, "application/octet-stream")
        self._etags.append(headers.get("ETag", ""))

    def _ask(
        self, method: str, query: dict[str, str], body: bytes | memoryview, content_type: str
    ) -> tuple[http.client.HTTPMessage, bytes]:
        url = self._objects.signed(method, self._key, query)
        exchange = Exchange(method, url, len(body), content_type, self._stop)
        try:
            exchange.send(body)
            return exchange.answer()
        finally:
            exchange.close()


@contextlib.contextmanager
def _translated(stop: Stop) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        stop.check()
        raise StorageAwayError(type(error).__name__) from error

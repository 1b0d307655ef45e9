"""A video at its source: read as one stream of bytes, although its connection may break in the middle."""

import http.client
import re
import time

from services.media.domain import EndsEarlyError, HopelessError, TransferError, TroubleError, UnreachableError
from services.media.fetch import Fetcher, Response, next_to_nothing
from services.media.stopping import Stop
from shared.contracts.videos import FailureCode

OVERLAP_BYTES = 16 * 1024
RESUME_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0)
MOST_FRUITLESS_RESUMES = 3

_NO_FILE = frozenset({404, 410})
_PASSING = frozenset({408, 421, 425, 429})
_NO_VIDEO_TYPES = ("text/html", "application/xhtml", "application/json", "application/xml", "text/xml")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class VideoSource:
    """The bytes at a URL, in order. `size_bytes` is None where the server does not say; `resumes` counts the breaks.

    A connection that breaks is resumed by Range where the server vouches that the file is still the same one
    (strong ETag or Last-Modified) and the last bytes that were read come again just so: no two versions are joined
    unawares. Blocks: for threads only.
    """

    def __init__(self, fetcher: Fetcher, url: str, *, most_bytes: int, stop: Stop) -> None:
        self._fetcher = fetcher
        self._url = url
        self._most_bytes = most_bytes
        self._stop = stop
        self._offset = 0
        self._last = b""
        self._fruitless = 0
        self._waited_seconds = 0.0
        self.resumes = 0
        self._response = fetcher.get(url, {}, stop)
        try:
            self._check_answer()
        except BaseException:
            self.close()
            raise
        self.size_bytes = self._response.size_bytes
        self._validator = _validator(self._response)

    def close(self) -> None:
        """Close the connection."""
        self._response.close()

    def read(self, most_bytes: int) -> bytes:
        """Return the next bytes, b"" at the end of the whole file.

        Raises EndsEarlyError, TroubleError, HopelessError (too large) or StoppedError.
        """
        while True:
            self._stop.check()
            if self._offset == self.size_bytes:
                return b""
            try:
                block = self._next(self._at_most(most_bytes))
            except (OSError, http.client.HTTPException) as error:
                self._resume(error)
                continue
            if block or self.size_bytes is None:
                return self._counted(block)
            self._resume(None)

    def _next(self, most_bytes: int) -> bytes:
        began = time.monotonic()
        try:
            return self._response.read(most_bytes)
        finally:
            self._waited_seconds += time.monotonic() - began

    def _at_most(self, most_bytes: int) -> int:
        """Never more than was announced: what a resumed answer adds to it must not reach the storage's connection."""
        return most_bytes if self.size_bytes is None else min(most_bytes, self.size_bytes - self._offset)

    def _counted(self, block: bytes) -> bytes:
        self._offset += len(block)
        self._last = (self._last + block)[-OVERLAP_BYTES:]
        self._fruitless = 0
        if self._offset > self._most_bytes:
            raise too_large(self._most_bytes)
        return block

    def _check_answer(self) -> None:
        problem = _problem_of_status(self._response.status)
        if problem:
            raise problem
        content_type = self._response.headers.get("Content-Type", "").lower()
        if content_type.startswith(_NO_VIDEO_TYPES):
            kind = content_type.partition(";")[0]
            raise not_a_video(f"The address leads to {kind}, not to a video.", "Use the address of the file itself.")
        if self._response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise not_a_video("The video's server sends it packed.", "Use an address that gives the plain file.")
        if (self._response.size_bytes or 0) > self._most_bytes:
            raise too_large(self._most_bytes)

    def _resume(self, cause: Exception | None) -> None:
        """Continue at the present offset over a new connection, or raise what ends this try."""
        self._stop.check()
        self._response.close()
        broken = self._broken(cause)
        self._fruitless += 1
        if self._validator is None or self._offset == 0 or self._fruitless > MOST_FRUITLESS_RESUMES:
            raise broken from cause
        wanted = {"Range": f"bytes={self._offset - len(self._last)}-", "If-Range": self._validator}
        for pause_seconds in RESUME_PAUSES_SECONDS:
            self._stop.pause(pause_seconds)
            try:
                response = self._fetcher.get(self._url, wanted, self._stop)
            except TroubleError:
                continue
            if self._is_the_rest(response):
                again = self._read_again(response)
                if again == self._last:
                    self._response = response
                    self.resumes += 1
                    return
                response.close()
                if self._last.startswith(again):
                    continue  # it broke once more
                break
            response.close()
            if not isinstance(_problem_of_status(response.status), TroubleError):
                break
        raise broken from cause

    def _is_the_rest(self, response: Response) -> bool:
        """Return whether `response` says that it is the rest of the same file, from the last bytes on."""
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status != 206 or match is None or int(match[1]) != self._offset - len(self._last):
            return False
        total = None if match[3] == "*" else int(match[3])
        if self.size_bytes is not None:
            return total == self.size_bytes
        self.size_bytes = total
        return total is None or total <= self._most_bytes

    def _read_again(self, response: Response) -> bytes:
        """Return what `response` gives in place of the last bytes that were read; less where it breaks."""
        again = b""
        try:
            while len(again) < len(self._last) and (block := response.read(len(self._last) - len(again))):
                again += block
        except (OSError, http.client.HTTPException, UnreachableError):
            return again
        return again

    def _broken(self, cause: Exception | None) -> TroubleError:
        if cause is None or isinstance(cause, http.client.IncompleteRead):
            return EndsEarlyError()
        if self._offset == 0:
            return UnreachableError("The video's server gives no byte of the file.", "Check the address, then retry.")
        if isinstance(cause, TimeoutError):
            if self._offset < self._fetcher.slowest * self._waited_seconds:
                return next_to_nothing()
            what = "The video's server fell silent in the middle of the file."
            return TroubleError(FailureCode.SOURCE_UNREACHABLE, what, "Retry later.")
        what = "The connection to the video's server broke again and again."
        return TroubleError(FailureCode.SOURCE_UNREACHABLE, what, "Retry later.")


def not_a_video(what: str, advice: str = "") -> HopelessError:
    """Return the end of a transfer whose file is something else."""
    return HopelessError(FailureCode.NOT_A_VIDEO, what, advice)


def too_large(most_bytes: int) -> HopelessError:
    """Return the end of a transfer whose file is above the limit."""
    limit = f"{most_bytes / 1024**3:.1f} GB" if most_bytes >= 1024**3 else f"{most_bytes / 1024**2:.1f} MB"
    return HopelessError(FailureCode.SOURCE_TOO_LARGE, f"The video is larger than {limit}.", "Use a smaller one.")


def _problem_of_status(status: int) -> TransferError | None:
    if status == 200:
        return None
    if status in _NO_FILE:
        what = f"There is no file at the video's address (HTTP {status})."
        return HopelessError(FailureCode.SOURCE_UNREACHABLE, what, "Check the address.")
    if status >= 500 or status in _PASSING:
        what = f"The video's server has trouble of its own (HTTP {status})."
        return TroubleError(FailureCode.SOURCE_UNREACHABLE, what, "Retry later.")
    what = f"The video's server refuses to give the file (HTTP {status})."
    return HopelessError(FailureCode.SOURCE_REFUSED, what, "Use an address open to everyone.")


def _validator(response: Response) -> str | None:
    etag = response.headers.get("ETag", "")
    if etag.startswith('"'):
        return etag
    return response.headers.get("Last-Modified")

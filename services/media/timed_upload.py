"""An upload that knows how long the storage took for it: a slow source is not the storage's fault. For threads."""

import contextlib
import time
from collections.abc import Iterator

from services.media.objects import StorageAwayError
from services.media.storage_time import StorageTime
from services.media.uploads import Upload


class TimedUpload:
    """An upload whose blocks are measured, each for as long as it waits for the storage."""

    def __init__(self, upload: Upload, time_of: StorageTime) -> None:
        self._upload = upload
        self._time = time_of
        self._outcome = "broken_off"
        self._seconds = 0.0
        self._size_bytes = 0

    def send(self, block: bytes) -> None:
        """Write `block`. Raises StorageAwayError or StoppedError."""
        with self._waiting():
            self._upload.send(block)
        self._size_bytes += len(block)

    def finish(self) -> None:
        """Make the object exist. Raises StorageAwayError or StoppedError."""
        with self._waiting():
            self._upload.finish()
        self._time.uploaded(self._seconds, self._size_bytes)

    def abort(self) -> None:
        """Drop what was written, as far as the storage can be reached. Never raises."""
        self._time.took("upload", self._outcome, self._seconds)
        self._upload.abort()

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        except StorageAwayError:
            self._outcome = "failed"
            raise
        finally:
            self._seconds += time.perf_counter() - began

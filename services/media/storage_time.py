"""The time that the storage takes: what a slow source takes in between is not its fault. For threads."""

import contextlib
import time
from collections.abc import Iterator

from shared.wiring.metrics import Metrics


class StorageTime:
    """Measures what the storage is asked."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextlib.contextmanager
    def of(self, operation: str, *answers: type[Exception]) -> Iterator[None]:
        """Measure one request; it failed where something is raised that is none of `answers`."""
        began, outcome = time.perf_counter(), "failed"
        try:
            yield
            outcome = "ok"
        except answers:
            outcome = "ok"
            raise
        finally:
            self.took(operation, outcome, time.perf_counter() - began)

    def took(self, operation: str, outcome: str, seconds: float) -> None:
        """Note what was measured elsewhere."""
        self._metrics.storage_seconds.labels(operation=operation, outcome=outcome).observe(seconds)

    def uploaded(self, seconds: float, size_bytes: int) -> None:
        """Note an upload whose object exists: both together are the storage's speed."""
        self.took("upload", "ok", seconds)
        self._metrics.uploaded_bytes.inc(size_bytes)

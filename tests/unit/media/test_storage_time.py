"""What the storage takes is measured without what its source takes, and a missing object is an answer like another."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from services.media import storage_time, timed_upload
from services.media.objects import ObjectMissingError, StorageAwayError
from services.media.storage_time import StorageTime
from services.media.timed_upload import TimedUpload
from shared.wiring.metrics import Metrics


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class SlowUpload:
    """A block takes two seconds, the end five."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.aborted = False

    def send(self, block: bytes) -> None:
        self._clock.now += 2

    def finish(self) -> None:
        self._clock.now += 5

    def abort(self) -> None:
        self.aborted = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (storage_time, timed_upload):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def measured(metrics: Metrics, operation: str, outcome: str) -> tuple[float | None, float | None]:
    labels = {"operation": operation, "outcome": outcome}
    name = "reelway_storage_request_seconds"
    ask = metrics.registry.get_sample_value
    return ask(f"{name}_count", labels), ask(f"{name}_sum", labels)


def uploaded(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("reelway_storage_uploaded_bytes_total")


def test_an_upload_takes_what_its_blocks_wait_for_the_storage(clock: Clock) -> None:
    metrics = Metrics()
    upload = TimedUpload(SlowUpload(clock), StorageTime(metrics))
    for block in (b"abc", b"de"):
        clock.now += 100  # its source is slow
        upload.send(block)
    upload.finish()
    assert measured(metrics, "upload", "ok") == (1, 9)
    assert uploaded(metrics) == 5


def test_an_upload_that_is_broken_off_stored_nothing(clock: Clock) -> None:
    metrics, slow = Metrics(), SlowUpload(clock)
    upload = TimedUpload(slow, StorageTime(metrics))
    upload.send(b"abc")
    upload.abort()
    assert slow.aborted
    assert measured(metrics, "upload", "broken_off") == (1, 2)
    assert uploaded(metrics) == 0


def test_an_upload_that_the_storage_did_not_take_failed(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, slow = Metrics(), SlowUpload(clock)
    upload = TimedUpload(slow, StorageTime(metrics))
    upload.send(b"abc")
    monkeypatch.setattr(slow, "send", Mock(side_effect=StorageAwayError("503")))
    with pytest.raises(StorageAwayError):
        upload.send(b"de")
    upload.abort()
    assert measured(metrics, "upload", "failed") == (1, 2)


@pytest.mark.parametrize(
    ("error", "outcome"), [(ObjectMissingError("a.mp4"), "ok"), (StorageAwayError("cut"), "failed")]
)
def test_a_missing_object_is_an_answer_and_a_storage_that_is_away_is_none(
    clock: Clock, error: Exception, outcome: str
) -> None:
    metrics = Metrics()

    def ask() -> None:
        with StorageTime(metrics).of("stat", ObjectMissingError):
            clock.now += 3
            raise error

    with pytest.raises(type(error)):
        ask()
    assert measured(metrics, "stat", outcome) == (1, 3)

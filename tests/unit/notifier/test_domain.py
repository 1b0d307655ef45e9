"""The rules of what is told, and the shapes clients know."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.notifier import domain
from services.notifier.domain import Rank, order
from shared.contracts.events import (
    TransferProgressed,
    TransferStarted,
    VideoFailed,
    VideoReady,
    VideoRemoved,
    VideoUnanswered,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
)
from shared.contracts.videos import VideoMetadata

AT = datetime(2025, 10, 2, 13, 29, 0, 638000, UTC)
ABOUT: dict[str, Any] = {"id": "u_1:2:x", "time": AT, "video_id": "u_1", "user_id": "u", "attempt": 2}
TITLED = {**ABOUT, "title": "Three things"}
SAME = {"videoId": "u_1", "attempt": 2, "title": "Three things", "timestamp": "2025-10-02T13:29:00.638Z"}


def started(*, certain: bool) -> WorkflowStarted:
    return WorkflowStarted(**TITLED, kind="create", email="a@b.c", certain=certain, estimated_completion=AT)


def test_the_three_shapes_clients_know() -> None:
    download = domain.download_started(TransferStarted(**TITLED))
    assert download is not None
    assert download.payload == {
        "type": "download",
        "status": "progress",
        "message": "Starting video download...",
        **SAME,
    }
    ready = VideoReady(**TITLED, s3_key="k", metadata=VideoMetadata(size=7340032))
    assert domain.completed(ready).payload == {
        "type": "complete",
        "status": "success",
        "message": "Video downloaded and uploaded successfully!",
        "size": 7340032,
        **SAME,
    }
    failed = VideoFailed(**TITLED, code="NOT_A_VIDEO", message="The file is not a video.", retryable=True)
    assert domain.failed(failed).payload == {
        "type": "error",
        "status": "error",
        "message": "Video creation failed. Please try again.",
        "code": "NOT_A_VIDEO",
        "reason": "The file is not a video.",
        "retryable": True,
        **SAME,
    }


def test_the_order_of_an_attempt_and_of_attempts() -> None:
    lost = WorkflowFailed(**TITLED, email="a@b.c", code="WORKFLOW_TIMEOUT", message="m", retryable=True)
    cancelled = VideoFailed(**TITLED, code="CANCELLED", message="m", retryable=True)
    unanswered = VideoUnanswered(**TITLED, code="UNANSWERED", message="m", retryable=True)
    told = [
        domain.rendering_started(started(certain=False)),
        domain.rendering_started(started(certain=True)),
        domain.download_started(TransferStarted(**TITLED)),
        domain.failed(unanswered),
        domain.failed(lost),
        domain.completed(VideoReady(**TITLED, s3_key="k", metadata=VideoMetadata(size=1))),
        domain.failed(cancelled),
        domain.rendering_started(started(certain=False).model_copy(update={"attempt": 3})),
        domain.removed(VideoRemoved(**ABOUT)),
    ]
    orders = [news.order for news in told if news is not None]
    assert orders == sorted(set(orders))
    assert len(orders) == len(told)


def test_both_kinds_of_failure_are_one_end() -> None:
    workflow = WorkflowFailed(**TITLED, email="a@b.c", code="X", message="m", retryable=False)
    transfer = VideoFailed(**TITLED, code="Y", message="m", retryable=False)
    assert domain.failed(workflow).order == domain.failed(transfer).order


def test_an_adopted_result_is_told_only_at_its_end() -> None:
    assert domain.download_started(TransferStarted(**TITLED, adopted=True)) is None


def test_events_of_two_producers_with_one_id_are_two_events() -> None:
    download = domain.download_started(TransferStarted(**TITLED))
    assert download is not None
    assert download.source != domain.rendering_started(started(certain=True)).source


def test_progress_is_too_late_once_the_next_stage_began() -> None:
    rendering = domain.rendering_progressed(WorkflowProgressed(**TITLED, progress=42.5))
    assert rendering.payload["progress"] == 42.5
    assert order(2, Rank.STARTED) < rendering.before <= order(2, Rank.TRANSFERRING)
    transfer = domain.transfer_progressed(TransferProgressed(**TITLED, transferred_bytes=50, size_bytes=200))
    assert transfer.payload["progress"] == 25
    assert order(2, Rank.TRANSFERRING) < transfer.before <= order(2, Rank.UNANSWERED)


def test_of_a_file_whose_length_nobody_tells_it_is_told_how_much_is_stored() -> None:
    told = domain.transfer_progressed(TransferProgressed(**TITLED, transferred_bytes=12_340_000)).payload
    assert told["message"] == "12.3 MB are stored so far."
    assert not {"sizeBytes", "progress"} & set(told)


def test_what_holds_a_transfer_up_is_told_until_all_is_well_again() -> None:
    waiting = TransferProgressed(**TITLED, transferred_bytes=0, message="No answer. Trying again.", next_try_at=AT)
    told = domain.transfer_progressed(waiting).payload
    assert (told["type"], told["status"]) == ("transfer", "progress")
    assert (told["message"], told["nextTryAt"]) == ("No answer. Trying again.", "2025-10-02T13:29:00.638Z")
    well = domain.transfer_progressed(TransferProgressed(**TITLED, transferred_bytes=1, size_bytes=2)).payload
    assert well["message"] == "Storing your video."
    assert "nextTryAt" not in well


@pytest.mark.parametrize(("size", "progress"), [(None, None), (0, None), (40, 100)])
def test_a_transfer_of_unknown_or_wrong_size_has_no_impossible_progress(size: int | None, progress: int | None) -> None:
    news = domain.transfer_progressed(TransferProgressed(**TITLED, transferred_bytes=50, size_bytes=size))
    assert news.payload.get("progress") == progress

"""The time a video took is its last attempt's: what its owner took to ask for that one is nobody's rendering time."""

from datetime import timedelta

from shared.contracts.events import VideoReady, WorkflowFailed
from shared.contracts.videos import VideoMetadata
from tests.unit.collection import METRICS
from tests.unit.gateway.view_world import USER, VIDEO, World
from tests.unit.turns import Run

METADATA = VideoMetadata(size=1, duration=1.0, width=16, height=9, codec="h264", sha256="ab" * 32)


def seconds_so_far() -> float:
    return METRICS.registry.get_sample_value("reelway_video_seconds_sum", {"kind": "create"}) or 0.0


def test_the_pause_before_a_retry_is_left_out() -> None:
    world = World()
    about = {"video_id": VIDEO, "user_id": USER, "title": "Rates"}
    failed = WorkflowFailed(
        **about, id="f", attempt=1, email="a@example.com", code="WORKFLOW_FAILED", message="It broke.", retryable=True
    )
    Run(world.view.workflow_failed(failed)).finish()
    Run(world.retry()).finish()  # long after NOW, when it was asked for first
    asked_again_at = world.video["requestedAt"]
    before = seconds_so_far()
    ready = VideoReady(
        **about,
        id="r",
        attempt=2,
        s3_key="a.mp4",
        metadata=METADATA,
        time=asked_again_at + timedelta(seconds=12),
    )
    Run(world.view.video_ready(ready)).finish()
    assert round(seconds_so_far() - before, 3) == 12

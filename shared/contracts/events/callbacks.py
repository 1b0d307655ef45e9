"""Topic `video.callbacks`: what workflows reported, as received and unjudged (gateway)."""

from typing import Any, Literal

from pydantic import Field

from shared.contracts import topics
from shared.contracts.events.base import Event, VideoEvent
from shared.contracts.wire import UtcTime


class CompletionReported(Event):
    """A workflow said that a video is ready (`video_url` or `s3_key`) or failed (`error`).

    `attempt` is None where neither the callback URL nor the body names one: then the newest attempt is meant, of those
    up to `newest`, which was the newest when the webhook came. It may be judged again much later.

    `replaces` is the id of the event that the same webhook was until a person had it passed on anew; then `reported_at`
    says when the webhook came.
    """

    topic = topics.VIDEO_CALLBACKS
    receipt_id: str
    video_id: str
    attempt: int | None = None
    newest: int | None = None
    status: Literal["ready", "failed"]
    video_url: str | None = None
    s3_key: str | None = None
    metadata: dict[str, Any] | None = None
    error: str | None = None
    execution_id: str | None = None
    replaces: str | None = None
    reported_at: UtcTime | None = None

    def key(self) -> str:
        """Return the video's id."""
        return self.video_id


class WorkflowErrorReported(Event):
    """A workflow broke. `video_id` and `attempt` are known only where the callback URL carried them.

    `replaces` and `reported_at` as in CompletionReported.
    """

    topic = topics.VIDEO_CALLBACKS
    receipt_id: str
    execution_id: str | None = None
    error_message: str
    workflow: str | None = None
    video_id: str | None = None
    attempt: int | None = None
    replaces: str | None = None
    reported_at: UtcTime | None = None

    def key(self) -> str:
        """Return the video's id where it is known, else the execution's."""
        return self.video_id or self.execution_id or self.receipt_id


class ProgressReported(VideoEvent):
    """A workflow said how far it is: `progress` in percent, 0 to 100. The first one may bring the executionId.

    Only the first one of an execution has a `receipt_id`, and is answered by a CallbackJudged.
    """

    topic = topics.VIDEO_CALLBACKS
    user_id: str = ""
    receipt_id: str | None = None
    execution_id: str | None = None
    progress: float | None = Field(default=None, ge=0, le=100)
    message: str | None = None

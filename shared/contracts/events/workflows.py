"""Topic `video.workflows`: what the generator concluded."""

from typing import Literal

from pydantic import Field

from shared.contracts import topics
from shared.contracts.events.base import Event, NotedEvent, VideoEvent
from shared.contracts.videos import VideoKind
from shared.contracts.wire import UtcTime


class CallbackJudged(Event):
    """A callback was looked at; `outcome` says what came of it. Sent straight: who misses it passes it on again.

    `applied`, `adopted`, `passed_on`: it counted. `repeat`, `late`, `contradiction`: it changed nothing. `held`,
    `quarantined`, `unknown_attempt`: nobody knows (yet) what it is about. `video_id`, `attempt`: where they are known.
    `report_id` is the event that was judged: a callback that people attach or replay is passed on as another one.
    """

    topic = topics.VIDEO_WORKFLOWS
    receipt_id: str
    purpose: Literal["complete", "error", "progress"]
    outcome: str
    video_id: str | None = None
    attempt: int | None = None
    report_id: str | None = None

    def key(self) -> str:
        """Return the video's id where it is known, else the receipt's."""
        return self.video_id or self.receipt_id


class WorkflowStarted(VideoEvent):
    """The workflow engine has the attempt; `certain` is False while nobody can say whether it runs.

    `message` is what is to be said of it beside that, in plain words.
    """

    topic = topics.VIDEO_WORKFLOWS
    kind: VideoKind
    title: str
    email: str
    execution_id: str | None = None
    certain: bool = True
    estimated_completion: UtcTime
    message: str | None = None


class WorkflowProgressed(VideoEvent):
    """The workflow is at `progress` percent. Sent straight, without outbox: losing one loses nothing."""

    topic = topics.VIDEO_WORKFLOWS
    title: str
    execution_id: str | None = None
    progress: float | None = Field(default=None, ge=0, le=100)
    message: str | None = None


class WorkflowCompleted(VideoEvent):
    """The workflow delivered: a file at `video_url` to fetch, or an object `s3_key` to adopt.

    `adopted` says that the attempt had already failed by deadline or as unknown, and is taken back.
    """

    topic = topics.VIDEO_WORKFLOWS
    title: str
    email: str
    execution_id: str | None = None
    video_url: str | None = None
    s3_key: str | None = None
    adopted: bool = False


class WorkflowFailed(VideoEvent):
    """The attempt ended without a file."""

    topic = topics.VIDEO_WORKFLOWS
    title: str
    email: str
    code: str
    message: str
    retryable: bool
    execution_id: str | None = None


class WorkflowRemoved(VideoEvent):
    """The generator knows that the video is deleted: nothing of it is called any more, and what runs is being stopped.

    Sent straight: who misses it tells of the deletion again.
    """

    topic = topics.VIDEO_WORKFLOWS


class ResultDiscarded(VideoEvent):
    """A workflow delivered the object `s3_key`, which is not taken; whoever owns the bucket must not forget it there.

    `reason`: `deleted` (the video), `late` (after a cancellation, a newer attempt, a deadline) or `contradiction`
    (the attempt had concluded otherwise).
    """

    topic = topics.VIDEO_WORKFLOWS
    s3_key: str
    reason: str


class WorkflowNoted(NotedEvent):
    """What the generator did or concluded beside the states above: calls and their answers, reports not taken."""

    topic = topics.VIDEO_WORKFLOWS

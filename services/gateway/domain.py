"""What the gateway knows of a video, and the rules by which that changes. No framework in here.

A view is ordered by (attempt, rank) in one integer and never runs backwards: a change applies only where its order
is above the view's. Repeats and late news then change nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Literal

from shared.contracts.videos import FailureCode, VideoKind, VideoStatus, may_be_a_setting, may_pass

SAID = frozenset({FailureCode.WORKFLOW_FAILED, FailureCode.RESULT_INVALID})
"""By the workflow itself, after which no result is taken."""

FOREVER = 10**12
"""The order of a deleted video: above every attempt."""


class Rank(IntEnum):
    """How far an attempt is. Within one attempt only what ranks higher applies.

    UNANSWERED shows as failed until a real end comes. SAID_WHY is of the history alone: a video that was given up and
    then said to have failed stays FAILED.
    """

    REQUESTED = 10
    UNKNOWN = 30
    STARTED = 31
    COMPLETED = 40
    TRANSFERRING = 50
    UNANSWERED = 80
    FAILED = 90
    SAID_WHY = 91
    READY = 95
    CANCELLED = 99


class Stage(StrEnum):
    """What a video is going through now, finer than its status."""

    QUEUED = "queued"
    RENDERING = "rendering"
    UNKNOWN = "unknown"
    COMPLETED = "completed"
    TRANSFERRING = "transferring"
    ADOPTING = "adopting"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


Origin = Literal["workflow", "transfer", "user"]
"""Which part of an attempt failed, or that none did: its owner stopped it, or nobody answered for it."""

Restart = Literal["workflow", "transfer"]


def order_of(attempt: int, rank: Rank) -> int:
    """Return the order of `rank` of an attempt among everything that happens to a video."""
    return attempt * 1000 + rank


def is_running(status: str) -> bool:
    """Return whether something is still being done about a video of this status; it may be a tombstone's."""
    return status in (VideoStatus.PENDING, VideoStatus.PROCESSING)


def told_enough(order: int, told: int) -> bool:
    """Return whether a view at `order` has come to its end, and its owner was `told` (an order, too) so.

    Where the owner was told of more, the view itself has not heard of the end.
    """
    return (order >= FOREVER or order % 1000 >= Rank.FAILED) and told == order


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt ended without a video, in words for people and a code for programs."""

    code: str
    message: str
    retryable: bool
    origin: Origin


CANCELLED = Failure(FailureCode.CANCELLED, "You cancelled this video.", retryable=True, origin="user")

UNANSWERED = Failure(
    FailureCode.UNANSWERED,
    "Nothing was heard of this video for too long. It may still arrive. You can try again.",
    retryable=True,
    origin="user",
)


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """What a user asked for: `fields` under their wire names for the workflow, or `source_url` for an import."""

    user_id: str
    kind: VideoKind
    title: str
    email: str | None = None
    fields: Mapping[str, Any] | None = None
    source_url: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the first answer to a request says; a repeat of the request gets the very same."""

    video_id: str
    request_id: str
    kind: VideoKind
    accepted_at: datetime
    estimated_completion: datetime

    @property
    def expected_seconds(self) -> float | None:
        """Return how long it may take; None where that is not known."""
        return (self.estimated_completion - self.accepted_at).total_seconds() or None


@dataclass(frozen=True, slots=True)
class Video:
    """The user's view of one video, with what is needed to try it again."""

    video_id: str
    user_id: str
    kind: VideoKind
    title: str
    request_id: str
    status: VideoStatus
    stage: Stage
    attempt: int
    order: int
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    fields: dict[str, Any] | None = None
    source_url: str | None = None
    result_url: str | None = None
    result_key: str | None = None
    progress: float | None = None
    message: str | None = None
    estimated_completion: datetime | None = None
    expected_seconds: float | None = None
    requested_at: datetime | None = None
    failure: Failure | None = None
    restart: Restart | None = None
    takes_result: bool = False
    s3_key: str | None = None
    poster_key: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def running(self) -> bool:
        """Return whether something is still being done about it."""
        return is_running(self.status)

    @property
    def unanswered(self) -> bool:
        """Return whether it shows as failed only because nobody answered for it."""
        return self.failure is not None and self.failure.code == UNANSWERED.code

    @property
    def may_come(self) -> bool:
        """Return whether it is worth stopping: it runs, or nobody has answered for it yet."""
        return self.running or self.unanswered


def taken_late(video: Video) -> tuple[str | None, ...]:
    """Return with which outcomes a completion's result is taken although `video` failed; None: with none as yet.

    What the workflow itself has ended takes no result; whether it had is not known where only n8n's list said so.
    """
    failure = video.failure
    if failure is None or failure.origin == "transfer" or video.kind == "import" or video.stage is Stage.ADOPTING:
        return ()
    if failure.code == UNANSWERED.code:
        return () if video.result_url or video.result_key else ("applied", "adopted", None)
    if failure.origin == "user":  # cancelled: what came just before, or after, is there all the same
        return () if video.result_url or video.result_key else ("applied", "adopted", "late", None)
    return ("adopted",) if failure.code in SAID else ("adopted", None)


def failed_at_its_file(video: Video) -> bool:
    """Return whether there was a result, and `video` failed because its file would not do."""
    return video.failure is not None and video.failure.origin == "transfer"


def restart_of(video: Video) -> Restart:
    """Return where another attempt of a failed video starts: at the stage that failed.

    Fetching again helps only where the failure may pass; a file that is no video has to be rendered anew. One that was
    refused is fetched once more first: what refused it may have been a setting. Where no part failed, and where a late
    result is being fetched, there is a file to fetch if the workflow had named one.
    """
    if video.kind == "import":
        return "transfer"
    failure = video.failure
    if video.stage is Stage.ADOPTING or (failure is not None and failure.origin == "user"):
        return "transfer" if video.result_url or video.result_key else "workflow"
    if failure is None or failure.origin == "workflow":
        return "workflow"
    refused_once = may_be_a_setting(failure.code) and video.restart != "transfer"
    return "transfer" if refused_once or may_pass(failure.code) else "workflow"

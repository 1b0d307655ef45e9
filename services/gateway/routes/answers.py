"""The shapes of answers, for `/api/openapi.json`: what the code answers with is made in shapes.py."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.contracts.videos import VideoMetadata, VideoStatus
from shared.contracts.wire import UtcTime

Data = TypeVar("Data")


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Success(BaseModel, Generic[Data]):
    """Every success."""

    success: Literal[True]
    message: str | None = None
    data: Data


class Problem(BaseModel):
    """What went wrong, for programs; `fields` maps the names of wrong fields to what to do about them."""

    code: str
    fields: dict[str, str] | None = None


class Refusal(BaseModel):
    """Every refusal; `message` says what to do."""

    success: Literal[False]
    message: str
    error: Problem


class Accepted(BaseModel):
    """A request that was taken."""

    status: Literal["processing"]
    timestamp: UtcTime
    estimated_completion: UtcTime
    note: str
    videoId: str
    requestId: str


class Failed(BaseModel):
    """Why the attempt ended without a video."""

    code: str
    message: str
    retryable: bool


class Video(_Shape):
    """One video as its owner sees it."""

    video_id: str
    user_id: str
    title: str
    status: VideoStatus
    download_url: str | None = None
    video_url: str | None = None
    s3_key: str | None = None
    poster_url: str | None = None
    metadata: VideoMetadata | None = None
    created_at: UtcTime
    updated_at: UtcTime
    stage: str
    progress: float | None = Field(default=None, ge=0, le=100)
    message: str | None = None
    attempt: int
    estimated_completion: UtcTime | None = Field(default=None, alias="estimated_completion")
    error: Failed | None = None


class Gallery(_Shape):
    """One page of videos, newest first."""

    videos: list[Video]
    next_cursor: str | None


class Download(_Shape):
    """Where the file is, for a while."""

    download_url: str
    expires_at: UtcTime


class Deleted(_Shape):
    """What was deleted."""

    video_id: str


class WorkflowHistory(_Shape):
    """What a workflow did for one attempt."""

    execution_id: str
    user_id: str
    email: str
    status: Literal["pending", "completed", "failed"]
    created_at: UtcTime
    completed_at: UtcTime | None = None
    error_message: str | None = None
    video_id: str
    attempt: int
    title: str


class VideoCounts(BaseModel):
    """How many videos are in the gallery, by status."""

    total: int
    pending: int
    processing: int
    ready: int
    failed: int


class ProcessingSeconds(BaseModel):
    """From the request to ready, of the newest 200 ready videos."""

    median: float | None = None
    p90: float | None = None


class StorageUsed(_Shape):
    """What the videos' files take, and how long they play."""

    bytes: int
    video_seconds: float


class Statistics(_Shape):
    """One person's own numbers."""

    videos: VideoCounts
    success_rate: float | None
    failures: dict[str, int]
    processing_seconds: ProcessingSeconds
    storage: StorageUsed


class Workflows(_Shape):
    """One page of history, newest first."""

    workflows: list[WorkflowHistory]
    next_cursor: str | None


class TimelineEntry(_Shape):
    """What one service said or received about one attempt; `outcome` is what came of a webhook."""

    id: str
    time: UtcTime
    attempt: int
    service: Literal["gateway", "generator", "media", "notifier"]
    code: str
    level: Literal["info", "warning", "error"]
    message: str
    outcome: str | None = None
    trace_id: str | None = None
    details: dict[str, str | float | bool] | None = None


class Timeline(_Shape):
    """Everything that happened to a video, in order of time; `why` says in one sentence why it failed, if it did."""

    video_id: str
    title: str
    status: VideoStatus
    stage: str
    attempt: int
    created_at: UtcTime
    standing: str
    why: str | None = None
    entries: list[TimelineEntry]


class Token(_Shape):
    """What a log-in gives; the same token is set as a cookie."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class Who(_Shape):
    """One account."""

    user_id: str
    email: str
    name: str


class Receipt(_Shape):
    """A webhook that was stored."""

    receipt_id: str
    matched: bool


class Avatar(BaseModel):
    """Somebody who presents."""

    avatar_id: str
    name: str
    gender: str
    previewUrl: str | None = None


class Voice(BaseModel):
    """A voice, matched to avatars by gender."""

    voice_id: str
    name: str
    gender: str
    language: str | None = None
    previewUrl: str | None = None


class Topic(BaseModel):
    """An idea to start from."""

    topic_id: str
    title: str
    category: str | None = None
    keyPoints: list[str] | str | None = None


class Avatars(BaseModel):
    """Every avatar."""

    avatars: list[Avatar]


class Voices(BaseModel):
    """Every voice."""

    voices: list[Voice]


class Topics(BaseModel):
    """Every topic."""

    topics: list[Topic]


class Nothing(BaseModel):
    """No data."""


def answers(status: int, data: Any) -> dict[int | str, dict[str, Any]]:
    """Return what a route declares: its success with `data`, and that every refusal has one shape."""
    return {status: {"model": Success[data]}, "4XX": {"model": Refusal}, "5XX": {"model": Refusal}}


def json_body(shape: type[BaseModel]) -> dict[str, Any]:
    """Return what a route declares that reads its raw body itself."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": shape.model_json_schema()}}}}

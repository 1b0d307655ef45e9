"""Every event that crosses Kafka: past tense, one class each, all that its readers need.

On the wire an event is a CloudEvent in binary mode: `id`, `time` and `traceparent` travel as headers, the
other fields as a JSON body in camelCase. The producer owns the topic. Unknown fields are ignored.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from shared.contracts import topics
from shared.contracts.videos import VideoKind, VideoMetadata
from shared.contracts.wire import UtcTime, Wire, utc_now

ENVELOPE = ("id", "time", "traceparent")


class Event(Wire):
    """Something that happened. `id` derives from (document, attempt, transition): a repeat has the same one."""

    topic: ClassVar[topics.TopicSpec]

    id: str = Field(min_length=1, max_length=512)
    time: UtcTime = Field(default_factory=utc_now)
    traceparent: str | None = None

    def key(self) -> str:
        """Return the Kafka key: what must stay in order with this event."""
        raise TypeError(f"{type(self).__name__} names no key")

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Leave out of the body's schema what travels in headers."""
        schema = handler.resolve_ref_schema(handler(core))
        for name in ENVELOPE:
            schema.get("properties", {}).pop(name, None)
        schema["required"] = [name for name in schema.get("required", []) if name not in ENVELOPE]
        return schema


class VideoEvent(Event):
    """An event about one attempt (1, 2, ...) of one video."""

    video_id: str = Field(min_length=1, max_length=256)
    user_id: str = Field(min_length=1, max_length=256)
    attempt: int = Field(ge=1)

    def key(self) -> str:
        """Return the video's id."""
        return self.video_id


# --- video.requests: what users asked for (gateway) ------------------------------------------------------


class VideoRequested(VideoEvent):
    """A user asked for a video to be rendered; `fields` are the request's own, under their wire names."""

    topic = topics.VIDEO_REQUESTS
    kind: Literal["create", "generate"]
    request_id: str
    title: str
    email: str
    fields: dict[str, Any]


class VideoImportRequested(VideoEvent):
    """A user asked for a file at `video_url` to be stored."""

    topic = topics.VIDEO_REQUESTS
    request_id: str
    title: str
    video_url: str


class VideoRetryRequested(VideoEvent):
    """A user asked for another attempt (`attempt` is the new one), starting again at the stage that failed."""

    topic = topics.VIDEO_REQUESTS
    kind: VideoKind
    restart: Literal["workflow", "transfer"]
    request_id: str
    title: str
    email: str | None = None
    fields: dict[str, Any] | None = None
    video_url: str | None = None


class VideoCancelled(VideoEvent):
    """A user stopped this attempt; it stays failed with code CANCELLED whatever comes later."""

    topic = topics.VIDEO_REQUESTS
    title: str


class VideoDeleted(VideoEvent):
    """A user deleted the video, every attempt of it, for ever."""

    topic = topics.VIDEO_REQUESTS
    title: str


# --- video.callbacks: what workflows reported, as received and unjudged (gateway) -------------------------


class CompletionReported(Event):
    """A workflow said that a video is ready (`video_url` or `s3_key`) or failed (`error`).

    `attempt` is None where neither the callback URL nor the body names one: then the newest attempt is meant.
    """

    topic = topics.VIDEO_CALLBACKS
    receipt_id: str
    video_id: str
    attempt: int | None = None
    status: Literal["ready", "failed"]
    video_url: str | None = None
    s3_key: str | None = None
    metadata: dict[str, Any] | None = None
    error: str | None = None
    execution_id: str | None = None

    def key(self) -> str:
        """Return the video's id."""
        return self.video_id


class WorkflowErrorReported(Event):
    """A workflow broke. `video_id` and `attempt` are known only where the callback URL carried them."""

    topic = topics.VIDEO_CALLBACKS
    receipt_id: str
    execution_id: str | None = None
    error_message: str
    workflow: str | None = None
    video_id: str | None = None
    attempt: int | None = None

    def key(self) -> str:
        """Return the video's id where it is known, else the execution's."""
        return self.video_id or self.execution_id or self.receipt_id


class ProgressReported(VideoEvent):
    """A workflow said how far it is: `progress` in percent, 0 to 100. The first one may bring the executionId."""

    topic = topics.VIDEO_CALLBACKS
    user_id: str = ""
    execution_id: str | None = None
    progress: float | None = Field(default=None, ge=0, le=100)
    message: str | None = None


# --- video.workflows: what the generator concluded --------------------------------------------------------


class WorkflowStarted(VideoEvent):
    """The workflow engine has the attempt; `certain` is False while nobody can say whether it runs."""

    topic = topics.VIDEO_WORKFLOWS
    kind: VideoKind
    title: str
    email: str
    execution_id: str | None = None
    certain: bool = True
    estimated_completion: UtcTime


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


# --- video.assets: what became of the file (media) --------------------------------------------------------


class TransferStarted(VideoEvent):
    """The file is being fetched and stored."""

    topic = topics.VIDEO_ASSETS
    title: str
    adopted: bool = False


class TransferProgressed(VideoEvent):
    """So many bytes are stored. Sent straight, without outbox."""

    topic = topics.VIDEO_ASSETS
    title: str
    transferred_bytes: int
    size_bytes: int | None = None


class VideoReady(VideoEvent):
    """The file is stored, checked and can be watched."""

    topic = topics.VIDEO_ASSETS
    title: str
    s3_key: str
    poster_key: str | None = None
    metadata: VideoMetadata


class VideoFailed(VideoEvent):
    """The file could not be stored; nothing of it is left."""

    topic = topics.VIDEO_ASSETS
    title: str
    code: str
    message: str
    retryable: bool


class VideoRemoved(VideoEvent):
    """Record and objects of a deleted video are gone."""

    topic = topics.VIDEO_ASSETS


# --- catalog: avatars, voices, topics (generator) ---------------------------------------------------------


class CatalogEvent(Event):
    """The newest state of one catalog item."""

    topic = topics.CATALOG


class AvatarChanged(CatalogEvent):
    """An avatar as users may choose it."""

    avatar_id: str
    name: str
    gender: str
    preview_url: str | None = None

    def key(self) -> str:
        """Return the avatar's id within the catalog."""
        return f"avatar:{self.avatar_id}"


class VoiceChanged(CatalogEvent):
    """A voice, matched to avatars by gender."""

    voice_id: str
    name: str
    gender: str
    language: str | None = None
    preview_url: str | None = None

    def key(self) -> str:
        """Return the voice's id within the catalog."""
        return f"voice:{self.voice_id}"


class TopicChanged(CatalogEvent):
    """A topic offered as an idea."""

    topic_id: str
    title: str
    category: str | None = None
    key_points: list[str] | str | None = None

    def key(self) -> str:
        """Return the topic's id within the catalog."""
        return f"topic:{self.topic_id}"


class CatalogItemRemoved(CatalogEvent):
    """An item left the catalog. Its record has no body, so that compaction forgets it."""

    item: str

    def key(self) -> str:
        """Return the item's id within the catalog."""
        return self.item


# --- notifications: wake-ups between notifier replicas ----------------------------------------------------


class NotificationCreated(Event):
    """A user has a new stored notification `seq`: every replica looks for streams of that user."""

    topic = topics.NOTIFICATIONS
    user_id: str
    seq: int

    def key(self) -> str:
        """Return the user's id."""
        return self.user_id


class NotificationPassed(Event):
    """Live news that is not stored (progress): shown to whoever is listening, then forgotten."""

    topic = topics.NOTIFICATIONS
    user_id: str
    payload: dict[str, Any]

    def key(self) -> str:
        """Return the user's id."""
        return self.user_id


BY_TYPE: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        VideoRequested,
        VideoImportRequested,
        VideoRetryRequested,
        VideoCancelled,
        VideoDeleted,
        CompletionReported,
        WorkflowErrorReported,
        ProgressReported,
        WorkflowStarted,
        WorkflowProgressed,
        WorkflowCompleted,
        WorkflowFailed,
        TransferStarted,
        TransferProgressed,
        VideoReady,
        VideoFailed,
        VideoRemoved,
        AvatarChanged,
        VoiceChanged,
        TopicChanged,
        CatalogItemRemoved,
        NotificationCreated,
        NotificationPassed,
    )
}


def event_id(subject: str, attempt: int, transition: str) -> str:
    """Return the id of the one event that `transition` of this attempt causes, however often it is made."""
    return f"{subject}:{attempt}:{transition}"

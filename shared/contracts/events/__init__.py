"""Every event that crosses Kafka: past tense, one class each, all that its readers need; one file per topic.

On the wire an event is a CloudEvent in binary mode: `id`, `time` and `traceparent` travel as headers, the
other fields as a JSON body in camelCase. The producer owns the topic. Unknown fields are ignored.
"""

from shared.contracts.events.assets import (
    TransferNoted,
    TransferProgressed,
    TransferStarted,
    VideoFailed,
    VideoReady,
    VideoRemoved,
)
from shared.contracts.events.base import (
    ENVELOPE,
    Event,
    Level,
    NotedEvent,
    VideoEvent,
    again_id,
    event_id,
    former_ids,
    read_kept,
)
from shared.contracts.events.callbacks import CompletionReported, ProgressReported, WorkflowErrorReported
from shared.contracts.events.catalog import AvatarChanged, CatalogEvent, CatalogItemRemoved, TopicChanged, VoiceChanged
from shared.contracts.events.notifications import NotificationCreated, NotificationPassed
from shared.contracts.events.requests import (
    VideoCancelled,
    VideoDeleted,
    VideoImportRequested,
    VideoRequested,
    VideoRetryRequested,
    VideoUnanswered,
)
from shared.contracts.events.workflows import (
    CallbackJudged,
    ResultDiscarded,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowNoted,
    WorkflowProgressed,
    WorkflowRemoved,
    WorkflowStarted,
)

BY_TYPE: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        VideoRequested,
        VideoImportRequested,
        VideoRetryRequested,
        VideoCancelled,
        VideoUnanswered,
        VideoDeleted,
        CompletionReported,
        WorkflowErrorReported,
        ProgressReported,
        CallbackJudged,
        WorkflowStarted,
        WorkflowProgressed,
        WorkflowCompleted,
        WorkflowFailed,
        WorkflowRemoved,
        ResultDiscarded,
        WorkflowNoted,
        TransferStarted,
        TransferProgressed,
        VideoReady,
        VideoFailed,
        VideoRemoved,
        TransferNoted,
        AvatarChanged,
        VoiceChanged,
        TopicChanged,
        CatalogItemRemoved,
        NotificationCreated,
        NotificationPassed,
    )
}

__all__ = [
    "BY_TYPE",
    "ENVELOPE",
    "AvatarChanged",
    "CallbackJudged",
    "CatalogEvent",
    "CatalogItemRemoved",
    "CompletionReported",
    "Event",
    "Level",
    "NotedEvent",
    "NotificationCreated",
    "NotificationPassed",
    "ProgressReported",
    "ResultDiscarded",
    "TopicChanged",
    "TransferNoted",
    "TransferProgressed",
    "TransferStarted",
    "VideoCancelled",
    "VideoDeleted",
    "VideoEvent",
    "VideoFailed",
    "VideoImportRequested",
    "VideoReady",
    "VideoRemoved",
    "VideoRequested",
    "VideoRetryRequested",
    "VideoUnanswered",
    "VoiceChanged",
    "WorkflowCompleted",
    "WorkflowErrorReported",
    "WorkflowFailed",
    "WorkflowNoted",
    "WorkflowProgressed",
    "WorkflowRemoved",
    "WorkflowStarted",
    "again_id",
    "event_id",
    "former_ids",
    "read_kept",
]

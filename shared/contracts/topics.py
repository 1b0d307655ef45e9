"""Every Kafka topic: its name, its partitions, how long it keeps what it holds. Nothing else names a topic."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

RETENTION = timedelta(days=7)
LARGEST_RECORD_BYTES = 2 * 1024 * 1024
"""What a dead letter may hold: the largest record brokers take by default, and the headers that explain it."""
SERVICES = ("gateway", "generator", "media", "notifier")
REDRIVE = ".redrive"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it is to be made: `partitions` is only ever raised, never lowered."""

    name: str
    partitions: int
    cleanup: Literal["delete", "compact"] = "delete"
    retention: timedelta = RETENTION
    largest_bytes: int | None = None

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings in the broker's own words."""
        if self.cleanup == "compact":
            return {"cleanup.policy": "compact"}
        largest = {} if self.largest_bytes is None else {"max.message.bytes": str(self.largest_bytes)}
        return {
            **largest,
            "cleanup.policy": "delete",
            "retention.ms": str(int(self.retention.total_seconds() * 1000)),
        }


VIDEO_REQUESTS = TopicSpec("video.requests", partitions=6)
VIDEO_CALLBACKS = TopicSpec("video.callbacks", partitions=6)
VIDEO_WORKFLOWS = TopicSpec("video.workflows", partitions=6)
VIDEO_ASSETS = TopicSpec("video.assets", partitions=6)
CATALOG = TopicSpec("catalog", partitions=1, cleanup="compact")
NOTIFICATIONS = TopicSpec("notifications", partitions=6)


def dead_letters(service: str) -> TopicSpec:
    """Return the topic that holds what `service` gave up on."""
    return TopicSpec(f"{service}.dlq", partitions=1, retention=timedelta(days=30), largest_bytes=LARGEST_RECORD_BYTES)


def redrives(service: str) -> TopicSpec:
    """Return the topic on which dead letters come back to `service`: nobody else listens to it."""
    return TopicSpec(f"{service}{REDRIVE}", partitions=1, largest_bytes=LARGEST_RECORD_BYTES)


def is_redrive(name: str) -> bool:
    """Return whether dead letters come back on the topic of that name."""
    return name.endswith(REDRIVE)


ALL: tuple[TopicSpec, ...] = (
    VIDEO_REQUESTS,
    VIDEO_CALLBACKS,
    VIDEO_WORKFLOWS,
    VIDEO_ASSETS,
    CATALOG,
    NOTIFICATIONS,
    *(dead_letters(service) for service in SERVICES),
    *(redrives(service) for service in SERVICES),
)

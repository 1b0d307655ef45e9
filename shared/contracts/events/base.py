"""What all events have in common."""

from typing import ClassVar

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from shared.contracts import topics
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


def event_id(subject: str, attempt: int, transition: str) -> str:
    """Return the id of the one event that `transition` of this attempt causes, however often it is made."""
    return f"{subject}:{attempt}:{transition}"

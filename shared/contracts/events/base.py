"""What all events have in common."""

from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from shared.contracts import topics
from shared.contracts.plain_words import Sentence, safe
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


E = TypeVar("E", bound=Event)


def read_kept(kind: type[E], kept: object) -> E:
    """Return an event from the JSON text that a document keeps; earlier releases kept an object."""
    return kind.model_validate_json(kept) if isinstance(kept, str) else kind.model_validate(kept)


class VideoEvent(Event):
    """An event about one attempt (1, 2, ...) of one video."""

    video_id: str = Field(min_length=1, max_length=256)
    user_id: str = Field(min_length=1, max_length=256)
    attempt: int = Field(ge=1)

    def key(self) -> str:
        """Return the video's id."""
        return self.video_id


Level = Literal["info", "warning", "error"]

LONGEST_DETAIL = 200
MOST_DETAILS = 12

Details = dict[
    Annotated[str, Field(max_length=40)],
    int | float | bool | Annotated[str, AfterValidator(lambda text: safe(text, LONGEST_DETAIL))],
]


class NotedEvent(VideoEvent):
    """Something about an attempt that only its producer knows, told for the video's timeline and nothing else.

    `message` is one plain sentence; like the texts of `details` it never holds a secret, a script, or more of an
    address than scheme and host. `lasting`: never dropped, however long the timeline grows.
    """

    code: str = Field(pattern=r"^[a-z][a-z_.]{0,62}$")
    message: Sentence
    level: Level = "info"
    lasting: bool = False
    details: Details = Field(default_factory=dict, max_length=MOST_DETAILS)


_AGAIN = ":again:"
"""What parts the id of a report from its number, each time that a person has it passed on again."""


def again_id(id_: str, number: int) -> str:
    """Return the id of a report that a person has passed on again for the so-manieth time."""
    return f"{id_}{_AGAIN}{number}"


def former_ids(id_: str) -> tuple[str, ...]:
    """Return what the same report was called each time before, oldest first; nothing where this is the first time."""
    first, *numbers = id_.split(_AGAIN)
    return tuple(_AGAIN.join((first, *numbers[:count])) for count in range(len(numbers)))


def event_id(subject: str, attempt: int, transition: str) -> str:
    """Return the id of the one event that `transition` of this attempt causes, however often it is made."""
    return f"{subject}:{attempt}:{transition}"

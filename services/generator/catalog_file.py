"""The catalog as people write it: one JSON file of avatars, voices and topics, checked before any of it is used."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.contracts.events import AvatarChanged, CatalogEvent, TopicChanged, VoiceChanged

LARGEST_FILE_BYTES = 5 * 1024 * 1024
PROBLEMS_SHOWN = 20

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Gender = Literal["female", "male", "neutral"]
Url = Annotated[str, StringConstraints(pattern=r"^(https?://|/)[^\s]+$", max_length=2000)]


class CatalogFileError(Exception):
    """The file can't be used; the message lists what is wrong where."""


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Avatar(_Item):
    """Someone who speaks in a video."""

    avatar_id: Id
    name: Text
    gender: Gender
    previewUrl: Url | None = None

    def event(self, event_id: str) -> CatalogEvent:
        """Return the event that shows this item."""
        return AvatarChanged(
            id=event_id, avatar_id=self.avatar_id, name=self.name, gender=self.gender, preview_url=self.previewUrl
        )


class Voice(_Item):
    """A voice, given to avatars of its gender."""

    voice_id: Id
    name: Text
    gender: Gender
    language: Text | None = None
    previewUrl: Url | None = None

    def event(self, event_id: str) -> CatalogEvent:
        """Return the event that shows this item."""
        return VoiceChanged(
            id=event_id,
            voice_id=self.voice_id,
            name=self.name,
            gender=self.gender,
            language=self.language,
            preview_url=self.previewUrl,
        )


class Topic(_Item):
    """An idea for a video."""

    topic_id: Id
    title: Text
    category: Text | None = None
    keyPoints: Annotated[list[Text], Field(max_length=20)] | None = None

    def event(self, event_id: str) -> CatalogEvent:
        """Return the event that shows this item."""
        return TopicChanged(
            id=event_id, topic_id=self.topic_id, title=self.title, category=self.category, key_points=self.keyPoints
        )


Item = Avatar | Voice | Topic
KINDS: dict[str, type[Item]] = {"avatar": Avatar, "voice": Voice, "topic": Topic}


class CatalogFile(_Item):
    """The whole file."""

    avatars: list[Avatar]
    voices: list[Voice]
    topics: list[Topic]

    def items(self) -> Iterator[tuple[str, str, Item]]:
        """Yield each item with its key in the catalog and its kind."""
        yield from ((f"avatar:{item.avatar_id}", "avatar", item) for item in self.avatars)
        yield from ((f"voice:{item.voice_id}", "voice", item) for item in self.voices)
        yield from ((f"topic:{item.topic_id}", "topic", item) for item in self.topics)


def read_catalog(path: Path) -> CatalogFile:
    """Return the catalog in the file. Raises CatalogFileError with everything that is wrong with it."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise CatalogFileError(f"{path} is larger than {LARGEST_FILE_BYTES // 1024 // 1024} MB.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogFileError(f"{path} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise CatalogFileError(f"{path} is not JSON: {error}.") from error
    try:
        catalog = CatalogFile.model_validate(content)
    except ValidationError as error:
        raise CatalogFileError(_listed(path, [_problem(content, e) for e in error.errors()])) from error
    twice = [key for key, count in Counter(key for key, _, _ in catalog.items()).items() if count > 1]
    if twice:
        raise CatalogFileError(_listed(path, [f"{key.replace(':', ' ')} is there more than once" for key in twice]))
    return catalog


def _problem(content: Any, error: Any) -> str:
    """Say where it is in the file and, where the item has an id, which one it is."""
    location = ".".join(str(part) for part in error["loc"]) or "the file"
    return f"{location}{_id_of(content, error['loc'])}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _id_of(content: Any, location: tuple[int | str, ...]) -> str:
    try:
        item = content[location[0]][location[1]]
        return f" ({next(str(value) for name, value in item.items() if name.endswith('_id'))})"
    except (LookupError, TypeError, AttributeError, StopIteration):
        return ""


def _listed(path: Path, problems: list[str]) -> str:
    shown = [f"  - {problem}" for problem in problems[:PROBLEMS_SHOWN]]
    more = len(problems) - len(shown)
    return "\n".join([f"{path} can't be used:", *shown, *([f"  and {more} more"] if more > 0 else [])])

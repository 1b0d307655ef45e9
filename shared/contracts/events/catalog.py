"""Topic `catalog`: avatars, voices, topics (generator)."""

from shared.contracts import topics
from shared.contracts.events.base import Event


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

"""Topic `notifications`: wake-ups between notifier replicas."""

from typing import Any

from shared.contracts import topics
from shared.contracts.events.base import Event


class NotificationCreated(Event):
    """A user has a stored notification `seq`: every replica looks for streams of that user.

    It tells of `order` (attempt * 1000 + how far the attempt is) of a video; told again where the news came again.
    """

    topic = topics.NOTIFICATIONS
    user_id: str
    seq: int
    video_id: str | None = None
    order: int | None = None

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

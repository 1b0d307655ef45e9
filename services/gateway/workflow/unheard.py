"""The end of what nobody answers for: a request that became a dead letter, say, or a service that stays away.

Only the time counts that lay between asking and the next time of asking: no outage of Kafka or of the gateway itself
ends a video.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.gateway.domain import RUNNING, Video
from services.gateway.store.view_documents import to_video
from shared.delivery.outbox import Document


class Unheard:
    """Gives up a running video that was asked about for `most` without any news of it."""

    def __init__(self, give_up: Callable[[Video], Awaitable[bool]], most: timedelta) -> None:
        """`give_up` returns False where the video moved on meanwhile."""
        self._give_up = give_up
        self._most = most

    async def ends(self, document: Document) -> bool:
        """Return whether the video was given up, which also replaced the job that asks about it."""
        over = document["status"] in RUNNING and asked_for(document) >= self._most
        return over and await self._give_up(to_video(document))


def asked_for(document: Document) -> timedelta:
    """Return how long the answers to what was asked were waited for, since the last news."""
    asked = document.get("asked")
    if asked is None or asked["since"] != document.get("updatedAt"):
        return timedelta(0)
    return timedelta(seconds=asked["seconds"])


def asking_for(document: Document, wait: timedelta) -> Document:
    """Return the update that adds to that the wait which follows another time of asking."""
    seconds = (asked_for(document) + wait).total_seconds()
    return {"$set": {"asked": {"since": document.get("updatedAt"), "seconds": seconds}}}

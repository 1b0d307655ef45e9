"""How an event about an attempt is named: whoever makes it again makes the same one."""

from typing import Any

from shared.contracts.events.base import event_id


def naming(video_id: str, user_id: str, attempt: int, transition: str) -> dict[str, Any]:
    """Return the fields that every VideoEvent has, with the id of the one event that `transition` causes."""
    return {
        "id": event_id(video_id, attempt, transition),
        "video_id": video_id,
        "user_id": user_id,
        "attempt": attempt,
    }

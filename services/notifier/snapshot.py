"""What stands in for history that is gone: the newest notification of each video."""

from services.notifier.domain import Notification
from services.notifier.store import Store

_READ_AT_ONCE = 200


async def newest_per_video(store: Store, user_id: str, upto: int, most: int) -> list[Notification]:
    """Return the newest notification, not after number `upto`, of each of the user's last `most` videos, oldest first.

    Reads backwards until it has enough or nothing older is left.
    """
    newest: dict[str, Notification] = {}
    while upto > 0:
        after = max(0, upto - _READ_AT_ONCE)
        page = await store.between(user_id, after, upto)
        for notification in reversed(page):
            if len(newest) == most:
                break
            newest.setdefault(notification.video_id, notification)
        if not page or len(newest) == most:
            break
        upto = after
    return sorted(newest.values(), key=lambda notification: notification.seq)

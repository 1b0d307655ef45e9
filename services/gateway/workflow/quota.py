"""How many videos of one user may run at once.

Each running one holds a numbered slot, unique in the database, so that requests arriving together can't exceed the
quota between counting and storing.
"""

import secrets

import structlog

from services.gateway.store.videos import Videos

LARGE, GUESSES = 1_000, 4
"""In a quota this large it is cheaper to guess again this often than to read which slots are taken."""
MOST_MISSES = 100
"""So often others may be quicker. Then the database contradicts itself: no video has the slot that it calls taken."""

log = structlog.get_logger(__name__)


class QuotaReachedError(Exception):
    """As many videos of this user are running as may."""


class Quota:
    """Finds slots. A guess costs nothing and is mostly free; only when it is taken are the taken ones read."""

    def __init__(self, videos: Videos, most: int) -> None:
        self._videos = videos
        self._most = most

    def guess(self) -> int | None:
        """Return a slot to try, None where there is no limit."""
        return secrets.randbelow(self._most) if self._most else None

    async def next_slot(self, user_id: str, misses: int) -> int | None:
        """Return another slot after `misses` that were taken. Raises QuotaReachedError."""
        if self._most > LARGE and misses <= GUESSES:
            return self.guess()
        taken = await self._videos.taken_slots(user_id)
        free = next((slot for slot in range(self._most) if slot not in taken), None)
        if misses > MOST_MISSES:
            log.error("quota.contradiction", slot=free, misses=misses, what="no video has the slot, and it is taken")
        if free is None or len(taken) >= self._most or misses > MOST_MISSES:
            raise QuotaReachedError
        return free

"""A store in memory whose answers can be held back, to bring about every order of things."""

import asyncio

from pymongo.errors import AutoReconnect

from services.notifier.domain import Notification
from services.notifier.store import Store


def notification(seq: int, *, user_id: str = "u", video_id: str | None = None, order: int = 1050) -> Notification:
    return Notification(user_id, seq, video_id or f"v{seq}", order, {"type": "download", "videoId": video_id})


class FakeStore(Store):
    """Holds notifications by number; `gate` holds every answer back while it is clear."""

    def __init__(self, count: int = 0) -> None:
        self.kept = {seq: notification(seq) for seq in range(1, count + 1)}
        self.newest = count
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False
        self.reads = 0

    def add(self) -> Notification:
        self.newest += 1
        self.kept[self.newest] = notification(self.newest)
        return self.kept[self.newest]

    async def last_seq(self, user_id: str) -> int:
        newest = self.newest
        await self._wait()
        return newest

    async def between(self, user_id: str, after: int, upto: int) -> list[Notification]:
        found = [self.kept[seq] for seq in range(after + 1, min(upto, self.newest) + 1) if seq in self.kept]
        await self._wait()
        return found

    async def _wait(self) -> None:
        self.reads += 1
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.away:
            raise AutoReconnect("away")

"""What media does when news arrives: note it, wake the workers. No waiting for the outside world."""

from services.media.claims import Claims
from services.media.domain import Attempt, Rank, Source, adoptable
from services.media.store import Assets, attempt_of
from shared.contracts.events import VideoFailed, event_id
from shared.contracts.videos import FailureCode
from shared.delivery.leases import Workers


class Workflow:
    """The use cases; each is one idempotent change."""

    def __init__(self, assets: Assets, claims: Claims, workers: Workers) -> None:
        self._assets = assets
        self._claims = claims
        self._workers = workers

    async def move(self, attempt: Attempt) -> None:
        """Have an attempt's file moved into the bucket."""
        if await self._assets.begin(attempt):
            self._workers.wake()
        elif attempt.source.s3_key:
            await self._note_unwanted(attempt, attempt.source.s3_key)

    async def move_again(self, attempt: Attempt) -> None:
        """Have the file moved for a new attempt: from the address given, else from where it was before."""
        if not attempt.source.known:
            known = await self._assets.find(attempt.video_id)
            source = attempt_of(known).source if known else Source()
            attempt = Attempt(attempt.video_id, attempt.user_id, attempt.number, attempt.title, source)
        await self.move(attempt)

    async def cancel(self, video_id: str, user_id: str, title: str, attempt: int) -> None:
        """Stop an attempt and erase what it stored; tell so where media had it."""
        news = VideoFailed(
            id=event_id(video_id, attempt, "cancelled"),
            video_id=video_id,
            user_id=user_id,
            attempt=attempt,
            title=title,
            code=FailureCode.CANCELLED,
            message="You cancelled this video.",
            retryable=True,
        )
        if await self._assets.cancel(video_id, user_id, title, attempt, news):
            self._workers.wake()

    async def delete(self, video_id: str, user_id: str, attempt: int) -> None:
        """Forget a video and erase its objects, for ever."""
        if await self._assets.delete(video_id, user_id, attempt):
            self._workers.wake()

    async def _note_unwanted(self, attempt: Attempt, key: str) -> None:
        """Have an object erased that was delivered too late: with its video, or now where that is deleted already."""
        if not adoptable(key, attempt.user_id) or not await self._claims.adopt(key, attempt.video_id, token=""):
            return
        known = await self._assets.find(attempt.video_id) or {}
        deleted = known.get("state") == Rank.DELETED
        await (self._claims.leave(key) if deleted else self._claims.settle(key))

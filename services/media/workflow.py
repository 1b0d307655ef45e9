"""What media does when news arrives: note it, wake the workers. No waiting for the outside world."""

from dataclasses import replace

from services.media import notes
from services.media.answers import answer_of, cancelled
from services.media.claims import Claims
from services.media.domain import Attempt, Source, adoptable
from services.media.store import Assets, attempt_of
from shared.delivery.workers import Workers


class Workflow:
    """The use cases; each is one idempotent change."""

    def __init__(self, assets: Assets, claims: Claims, workers: Workers) -> None:
        self._assets = assets
        self._claims = claims
        self._workers = workers

    async def move(self, attempt: Attempt) -> None:
        """Have an attempt's file moved into the bucket."""
        if await self._assets.begin(attempt, notes.given_up):
            self._workers.wake()
            return
        if attempt.source.s3_key:
            await self.discard(attempt.video_id, attempt.user_id, attempt.source.s3_key)
        await self._answer_again(attempt.video_id)

    async def move_again(self, attempt: Attempt) -> None:
        """Have the file moved for a new attempt: from the address given, else from where it was before."""
        if not attempt.source.known:
            known = await self._assets.find(attempt.video_id)
            source = attempt_of(known).source if known else Source()
            attempt = replace(attempt, source=source)
        await self.move(attempt)

    async def cancel(self, video_id: str, user_id: str, title: str, attempt: int) -> None:
        """Stop an attempt and erase what it stored; tell so where media had it.

        What it had not is for the generator to stop, and to tell: the gateway asks until one of them has.
        """
        stopped = Attempt(video_id, user_id, attempt, title, Source())
        if await self._assets.cancel(video_id, user_id, title, attempt, cancelled(stopped)):
            self._workers.wake()
        elif await self._assets.had(video_id, attempt):
            await self._answer_again(video_id)

    async def delete(self, video_id: str, user_id: str, attempt: int) -> None:
        """Forget a video and erase its objects, for ever."""
        if await self._assets.delete(video_id, user_id, attempt):
            self._workers.wake()
        else:
            await self._answer_again(video_id)

    async def discard(self, video_id: str, user_id: str, key: str) -> None:
        """Have an object erased that nobody took: with its video, or now where that is deleted already.

        Only the claim is made; the sweeper, who looks at the record, decides. What the record uses stays.
        """
        if adoptable(key, user_id):
            await self._claims.note(key, video_id)

    async def _answer_again(self, video_id: str) -> None:
        """Tell once more how the video stands: whoever asks again may not have heard."""
        known = await self._assets.find(video_id)
        news = answer_of(known) if known else None
        if known and news:
            await self._assets.tell(known, news)

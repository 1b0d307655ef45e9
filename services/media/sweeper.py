"""Looks after claimed keys: what lost is erased, again and again until no late write can follow."""

import asyncio
from datetime import timedelta

import structlog
from pymongo.errors import PyMongoError

from services.media.claims import FIRST_LOOK, Claim, Claims
from services.media.domain import Rank, Verdict, judge_claim, poster_key
from services.media.objects import Objects, StorageAwayError
from services.media.store import Assets
from shared.contracts.wire import utc_now
from shared.wiring.metrics import Metrics

SECOND_LOOK = timedelta(seconds=10)

log = structlog.get_logger(__name__)


class Sweeper:
    """Brings the bucket in line with the records. `forget_after` is longer than any upload can last."""

    def __init__(
        self,
        assets: Assets,
        claims: Claims,
        objects: Objects,
        metrics: Metrics,
        *,
        every: timedelta,
        forget_after: timedelta,
    ) -> None:
        self._assets = assets
        self._claims = claims
        self._objects = objects
        self._metrics = metrics
        self._every_seconds = every.total_seconds()
        self._forget_after = forget_after

    async def run(self) -> None:
        """Sweep until cancelled; a storage or database that is away only delays."""
        while True:
            try:
                await self.sweep()
            except (StorageAwayError, PyMongoError) as error:
                log.warning("sweep.failed", error=repr(error))
            await asyncio.sleep(self._every_seconds)

    async def sweep(self) -> None:
        """Look at every claim that is due. Raises StorageAwayError or PyMongoError at the first failure."""
        for claim in await self._claims.due():
            try:
                await self._look_at(claim)
            except StorageAwayError:
                # Perhaps only this one's trouble: it must not stay in front of all others.
                await self._claims.look_again(claim.key, utc_now() + FIRST_LOOK)
                raise

    async def erase(self, claim: Claim) -> None:
        """Erase what may lie at a lost key; have it erased again later, whenever it is twice as old.

        A writer that was stalled may wake up, and a storage whose disk was full ends what had long been broken off.
        """
        if claim.foreign and not await self._claims.close(claim.key, claim.video_id):
            return  # it was refused to this video, and another has taken it since
        await asyncio.to_thread(self._erase_objects, claim)
        now, forget_at = utc_now(), claim.claimed_at + self._forget_after
        if now >= forget_at:
            await self._claims.forget(claim.key)
        else:
            again_at = now + max(now - claim.claimed_at, SECOND_LOOK)
            await self._claims.look_again(claim.key, min(again_at, forget_at))

    async def _look_at(self, claim: Claim) -> None:
        asset = await self._assets.find(claim.video_id) or {}
        deleted = asset.get("state") == Rank.DELETED
        verdict = judge_claim(
            claim.key,
            claim.token,
            in_use=asset.get("key"),
            working=asset.get("job", {}).get("token"),
            deleted=deleted,
        )
        if verdict is Verdict.WAIT:
            await self._claims.look_again(claim.key, utc_now() + FIRST_LOOK)
        elif verdict is Verdict.KEEP or (claim.foreign and not deleted):
            await self._claims.settle(claim.key)  # the workflow's object stays until its video is deleted
        else:
            await self.erase(claim)
            self._metrics.objects_swept.inc()

    def _erase_objects(self, claim: Claim) -> None:
        known = {claim.upload_id} if claim.upload_id else set()
        for upload_id in known.union(self._objects.uploads_to(claim.key)):
            self._objects.abort_upload(claim.key, upload_id)
        self._objects.erase(claim.key)
        self._objects.erase(poster_key(claim.key))

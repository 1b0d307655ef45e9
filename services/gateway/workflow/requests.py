"""Taking requests for videos: each is stored once, with the event that starts it, before it is answered."""

import hashlib
import json
import secrets
from datetime import UTC, datetime, timedelta

from services.gateway.domain import Accepted, VideoRequest
from services.gateway.forecast import Forecast
from services.gateway.store.videos import IdTakenError, KeyTakenError, SlotTakenError, Videos
from services.gateway.workflow.asking import requested
from services.gateway.workflow.quota import Quota
from shared.contracts.wire import utc_now
from shared.wiring.metrics import Metrics

_MILLISECOND = timedelta(milliseconds=1)


class OtherBodyError(Exception):
    """The idempotency key was used before, for a different request."""


class Requests:
    """Accepts requests. Without an idempotency key every request is a new video."""

    def __init__(self, videos: Videos, quota: Quota, metrics: Metrics, forecast: Forecast) -> None:
        self._videos = videos
        self._quota = quota
        self._metrics = metrics
        self._forecast = forecast

    async def accept(self, request: VideoRequest, route: str, idempotency_key: str | None) -> Accepted:
        """Store `request` and return its answer; a repeat gets the answer of the first.

        Raises OtherBodyError, QuotaReachedError, PyMongoError.
        """
        body_hash = _hash_of(request)
        key = _key(request.user_id, route, idempotency_key)
        expected = await self._forecast.expected(request.kind)
        accepted = _first_answer(request, utc_now(), expected)
        slot, misses = self._quota.guess(), 0
        while True:
            try:
                event = requested(accepted, request)
                await self._videos.add(accepted, request, slot=slot, key=key, body_hash=body_hash, event=event)
            except KeyTakenError:
                return await self._repeated(str(key), body_hash)
            except IdTakenError:
                accepted = _first_answer(request, accepted.accepted_at + _MILLISECOND, expected)
            except SlotTakenError:
                # A full quota must not hide the answer that a repeat is owed.
                if key and await self._videos.accepted_with(key):
                    return await self._repeated(key, body_hash)
                misses += 1
                slot = await self._quota.next_slot(request.user_id, misses)
            else:
                self._metrics.videos_accepted.labels(kind=request.kind).inc()
                return accepted

    async def _repeated(self, key: str, body_hash: str) -> Accepted:
        first = await self._videos.accepted_with(key)
        if first is None or first[1] != body_hash:
            raise OtherBodyError
        return first[0]


def _first_answer(request: VideoRequest, at: datetime, expected: timedelta) -> Accepted:
    timestamp = round(at.astimezone(UTC).timestamp() * 1000)
    return Accepted(
        video_id=f"{request.user_id}_{timestamp}",
        request_id=f"video_{timestamp}_{secrets.token_hex(6)}",
        kind=request.kind,
        accepted_at=at,
        estimated_completion=at + expected,
    )


def _key(user_id: str, route: str, idempotency_key: str | None) -> str | None:
    if idempotency_key is None:
        return None
    return f"{user_id}:{route}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}"


def _hash_of(request: VideoRequest) -> str:
    said = {"title": request.title, "fields": request.fields, "url": request.source_url}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

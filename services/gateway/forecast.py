"""When a video will be ready: as long as nine in ten of this installation's own took."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.gateway.domain import Restart
from shared.contracts.videos import VideoKind

SAMPLE, FEWEST = 200, 5
PERCENT = 90
FRESH_SECONDS = 60.0

Durations = Callable[[VideoKind, int], Awaitable[Sequence[timedelta]]]
"""Returns how long the newest videos of a kind took from the request to ready, at most so many of them."""


@dataclass(frozen=True, slots=True)
class _Reading:
    taken_at: float
    value: timedelta | None


class Forecast:
    """Reads the history of each kind about once a minute; `until_known` is said while there is too little of it."""

    def __init__(self, durations: Durations, until_known: timedelta) -> None:
        self._durations = durations
        self._until_known = until_known
        self._readings: dict[VideoKind, _Reading] = {}

    async def expected(self, kind: VideoKind, restart: Restart = "workflow") -> timedelta:
        """Return how long an attempt takes; one that only fetches a file as long as an import. Raises PyMongoError."""
        return await self._of("import" if restart == "transfer" else kind)

    async def _of(self, kind: VideoKind) -> timedelta:
        reading = self._readings.get(kind)
        now = time.monotonic()
        if reading is None or now - reading.taken_at >= FRESH_SECONDS:
            reading = _Reading(now, percentile(await self._durations(kind, SAMPLE)))
            self._readings[kind] = reading
        return reading.value or self._until_known


def percentile(durations: Sequence[timedelta]) -> timedelta | None:
    """Return the duration that nine in ten stay within (nearest rank); None for fewer than FEWEST."""
    if len(durations) < FEWEST:
        return None
    return nearest_rank(sorted(durations), PERCENT)


def nearest_rank(ranked: Sequence[timedelta], percent: int) -> timedelta:
    """Return the duration that `percent` of them stay within; they are sorted, and there is one at least."""
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)]

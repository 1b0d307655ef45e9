"""Whose fault it is when a stored file can't be looked into: its own, or the storage's."""

import asyncio

import structlog

from services.media.objects import ObjectMissingError, Objects, StorageAwayError
from services.media.probe import Probed, Prober, ProbeTimeoutError
from services.media.source import not_a_video
from services.media.transfer import Stored

MOST_SLOW_PROBES = 2
ANSWER_SECONDS = 5.0
TOO_SLOW = "The file takes too long to open, so players would fail on it too."

log = structlog.get_logger(__name__)


class Inspection:
    """One stored file being looked into; it remembers how often that took too long."""

    def __init__(self, prober: Prober, objects: Objects, key: str, stored: Stored) -> None:
        self._prober = prober
        self._objects = objects
        self._key = key
        self._stored = stored
        self._slow_probes = 0

    async def look(self) -> Probed:
        """Return what is in the file; may be called again after StorageAwayError. Raises HopelessError, TroubleError.

        A probe that came to no end while the storage gives the object counts against the file, else as storage away.
        """
        while self._slow_probes < MOST_SLOW_PROBES:
            try:
                return await self._prober.probe(self._objects.signed("GET", self._key), self._stored)
            except ProbeTimeoutError:
                await self._ask_storage()
                self._slow_probes += 1
                log.warning("transfer.slow_probe", key=self._key, probes=self._slow_probes)
        raise not_a_video(TOO_SLOW, "Convert it to a usual MP4, then try that.")

    async def _ask_storage(self) -> None:
        """Return where the storage gives as much as a probe asks for at once, soon. Raises StorageAwayError."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.to_thread(self._objects.first_bytes, self._key)
        except (TimeoutError, ObjectMissingError) as error:
            raise StorageAwayError("neither probe nor object came through") from error

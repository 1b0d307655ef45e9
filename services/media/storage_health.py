"""Whether the storage can be used: asked by the health probes, never by two threads at once."""

import asyncio

from services.media.objects import Objects


class StorageHealth:
    """Probes the storage by making sure of the bucket, so that it is there from the start and after a loss."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._asking: asyncio.Task[None] | None = None

    async def probe(self) -> None:
        """Return when the bucket can be used. Raises StorageAwayError."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(asyncio.to_thread(self._objects.ensure_bucket))
            self._asking.add_done_callback(_seen)
        # A probe that gives up must not leave one more thread behind each time: the next one asks with it.
        await asyncio.shield(self._asking)


def _seen(asked: asyncio.Task[None]) -> None:
    """Mark the outcome as looked at, also where nobody waited long enough for it."""
    if not asked.cancelled():
        asked.exception()

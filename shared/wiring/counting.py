"""Gauges of what a database holds: counted now and then, and never so often that the counting is a load."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from pymongo.errors import PyMongoError

EVERY_SECONDS, AT_LEAST_EVERY_SECONDS = 15.0, 60.0
PAUSE_PER_COUNTING = 20
"""The pause is so many times as long as the counting took, within these limits: so it is no load, and never old."""

log = structlog.get_logger(__name__)


async def keep_counting(count: Callable[[], Awaitable[None]], forget: Callable[[], None] = lambda: None) -> None:
    """Call `count` until cancelled, and `forget` where the database does not let it: no old number need stand then."""
    while True:
        began = time.monotonic()
        try:
            await count()
        except PyMongoError as error:  # the probe of the database says so, too
            log.warning("counting.failed", error=repr(error))
            forget()
        pause = PAUSE_PER_COUNTING * (time.monotonic() - began)
        await asyncio.sleep(min(max(pause, EVERY_SECONDS), AT_LEAST_EVERY_SECONDS))

"""Gauges of what a database holds: counted now and then, and never so often that the counting is a load."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from pymongo.errors import PyMongoError

EVERY_SECONDS = 15.0
PAUSE_PER_COUNTING = 20
"""The pause is at least so many times as long as the counting took: so it never is a load."""

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
        await asyncio.sleep(max(EVERY_SECONDS, PAUSE_PER_COUNTING * (time.monotonic() - began)))

"""Waiting in tests: poll with a deadline, never sleep and hope."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

LOOK_EVERY_SECONDS = 0.05
ASK_EVERY_SECONDS = 0.2


async def until(
    look: Callable[[], Any], what: str = "", *, within_seconds: float = 20, every_seconds: float | None = None
) -> Any:
    """Return what `look` finds once it is true. Fails after the deadline, showing what it was last.

    A plain look costs nothing; an async one asks a service or a database, which has other things to do as well.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        found = look()
        asked = inspect.isawaitable(found)
        value = await found if asked else found
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds} s: {what}; last: {value!r}")
        await asyncio.sleep(every_seconds or (ASK_EVERY_SECONDS if asked else LOOK_EVERY_SECONDS))

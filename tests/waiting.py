"""Waiting in tests: poll with a deadline, never sleep and hope."""

import asyncio
import inspect
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within_seconds: float = 20, every_seconds: float = 0.05) -> None:
    """Return once `condition`, plain or async, is true. Fails after the deadline, showing what it was last."""
    deadline = time.monotonic() + within_seconds
    while True:
        found = condition()
        value = await found if inspect.isawaitable(found) else found
        if value:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds} s; last: {value!r}")
        await asyncio.sleep(every_seconds)

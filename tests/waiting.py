"""Waiting in tests: poll with a deadline, never sleep and hope."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def until(
    look: Callable[[], Any], what: str = "", *, within_seconds: float = 20, every_seconds: float = 0.05
) -> Any:
    """Return what `look`, plain or async, finds once it is true. Fails after the deadline, showing what it was last."""
    deadline = time.monotonic() + within_seconds
    while True:
        found = look()
        value = await found if inspect.isawaitable(found) else found
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds} s: {what}; last: {value!r}")
        await asyncio.sleep(every_seconds)

"""A cancellation is never lost: before Python 3.12 `asyncio.wait_for` swallows one that comes as its answer does.

The database's driver waits that way for every answer. A loop that was told to end in that moment would go on for ever,
and whoever waits for its end with it: a transfer that never finishes, a service that does not stop.
"""

import asyncio
import sys
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

import pymongo.lock

T = TypeVar("T")


def lose_no_cancellation() -> None:
    """Put Python 3.12's way of waiting (github.com/python/cpython, gh-96764) in the place of an older one."""
    if sys.version_info < (3, 12):
        for module in (asyncio, asyncio.tasks, pymongo.lock):
            module.wait_for = _wait_for  # type: ignore[attr-defined]  # to mypy a module in a loop has no names


async def _wait_for(awaitable: Awaitable[T], timeout: float | None) -> T:
    """Return what `awaitable` gives. Raises TimeoutError after `timeout` seconds, once it has been cancelled."""
    async with asyncio.timeout(timeout):
        return await awaitable


async def to_its_end(ending: Coroutine[Any, Any, None]) -> None:
    """Run what must not be cut off; a cancellation meanwhile is raised once it is over, a second one at once.

    Kafka's clients are closed this way: they wait for tasks of theirs that they have cancelled themselves, and take
    their caller's cancellation for those tasks' own. It is lost, and what they had open stays open.
    """
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise

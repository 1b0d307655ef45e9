"""A cancellation is never lost: before Python 3.12 `asyncio.wait_for` swallows one that comes as its answer does.

The database's driver waits that way for every answer. A loop that was told to end in that moment would go on for ever,
and whoever waits for its end with it: a transfer that never finishes, a service that does not stop.
"""

import asyncio
import sys
from collections.abc import Awaitable, Collection, Coroutine
from typing import Any, TypeVar

import pymongo.lock
import structlog

T = TypeVar("T")
Ending = Coroutine[Any, Any, None] | asyncio.Task[None]

log = structlog.get_logger(__name__)


def lose_no_cancellation() -> None:
    """Put Python 3.12's way of waiting (github.com/python/cpython, gh-96764) in the place of an older one."""
    if sys.version_info < (3, 12):
        for module in (asyncio, asyncio.tasks, pymongo.lock):
            module.wait_for = _wait_for  # type: ignore[attr-defined]  # any module: its type declares no names


async def _wait_for(awaitable: Awaitable[T], timeout: float | None) -> T:
    """Return what `awaitable` gives. Raises TimeoutError after `timeout` seconds, once it has been cancelled."""
    async with asyncio.timeout(timeout):
        return await awaitable


async def to_its_end(ending: Ending, within: float | None = None) -> bool:
    """Run what must not be cut off; return whether it was over `within` so many seconds. Raises what it raises.

    A cancellation meanwhile is raised once it is over, a second one at once. Kafka's clients are closed this way: they
    wait for tasks of theirs that they have cancelled themselves. They take their caller's cancellation for those
    tasks' own, and it is lost; and they raise those tasks' own, though nobody cancelled the caller. One of that kind
    ends the ending, and nothing else.
    """
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.wait({task}, timeout=within)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=within)
        raise
    if not task.done():
        return False
    try:
        task.result()
    except asyncio.CancelledError:
        log.debug("closing.cancelled_itself")
    return True


async def over_or_cut_off(tasks: Collection[asyncio.Task[Any]], within: float | None, then: float) -> None:
    """Wait `within` seconds for `tasks`, cancel those that go on, and wait `then` seconds for what they do at that."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=within)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=then)


def is_told_to_end() -> bool:
    """Return whether the running task was cancelled. If not, a CancelledError that it sees was not meant for it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

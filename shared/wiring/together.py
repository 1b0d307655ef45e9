"""Many things begun at once, as one."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def all_or_none(starts: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all to their end at once. Raises what the first of them to fail raised, once the others were cancelled.

    None goes on after this returned, whether it failed, was cancelled or is done; a TaskGroup, but for what is raised.
    """
    tasks = [asyncio.create_task(start) for start in starts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

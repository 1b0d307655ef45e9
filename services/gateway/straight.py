"""Sending events that need no outbox, without making anyone wait for Kafka."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from shared.contracts.events import Event

UNDER_WAY_LIMIT = 1_000


class StraightSender:
    """Sends in the background; while Kafka is slow and too much is under way, more is dropped."""

    def __init__(self, send: Callable[[Event], Coroutine[Any, Any, None]]) -> None:
        self._send = send
        self._under_way: set[asyncio.Task[None]] = set()

    def __call__(self, event: Event) -> None:
        """Send `event` soon, or not at all. Never blocks."""
        if len(self._under_way) >= UNDER_WAY_LIMIT:
            return
        task = asyncio.create_task(self._send(event))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

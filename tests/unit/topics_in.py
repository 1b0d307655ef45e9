"""Kafka in, without Kafka: the handlers a service registers, by the event they take."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

from shared.contracts.events import Event
from shared.delivery.inbox import Inbox

Handler = Callable[[Any], Awaitable[None]]


class TopicsIn:
    """Takes the place of the inbox."""

    def __init__(self) -> None:
        self._handlers: dict[type[Event], Handler] = {}

    @property
    def inbox(self) -> Inbox:
        return cast("Inbox", self)

    def on(self, topic: object, *handlers: Handler) -> None:
        for handler in handlers:
            self._handlers[handler.__annotations__["event"]] = handler

    def handling(self, event: Event) -> Coroutine[Any, Any, None]:
        """Return the handling of `event`, not begun yet."""
        return cast("Coroutine[Any, Any, None]", self._handlers[type(event)](event))

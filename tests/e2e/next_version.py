"""Starts a service as its next version, which knows one more type of event: `VideoPraised`, on video.assets.

`python -m tests.e2e.next_version SERVICE`. The notifier tells users of it; the others pass it over. The code is patched
before the service starts; the services themselves know nothing of it.
"""

import runpy
import sys
from typing import ClassVar

from services.notifier.domain import News
from services.notifier.handlers import Handlers
from shared.contracts.events import BY_TYPE, VideoEvent
from shared.contracts.topics import VIDEO_ASSETS, TopicSpec
from shared.delivery.inbox import Handler, Inbox

PRAISED_RANK = 97


class VideoPraised(VideoEvent):
    """Somebody liked the video."""

    topic: ClassVar[TopicSpec] = VIDEO_ASSETS
    by: str


def praised(event: VideoPraised) -> News:
    """Return the news of it."""
    source, order = f"{type(event).__name__}/{event.id}", event.attempt * 1000 + PRAISED_RANK
    payload = {"type": "praise", "status": "success", "message": f"{event.by} liked it.", "videoId": event.video_id}
    return News(event.user_id, event.video_id, source, order, payload)


def learn() -> None:
    """Make this process know the type, and its notifier handle it."""
    BY_TYPE[VideoPraised.__name__] = VideoPraised
    listen = Handlers.listen

    def listen_to_more(self: Handlers, inbox: Inbox) -> None:
        async def video_praised(event: VideoPraised) -> None:
            await self._telling.tell(praised(event))

        on = inbox.on

        def on_more(topic: TopicSpec, *handlers: Handler) -> None:
            on(topic, *handlers, *((video_praised,) if topic is VIDEO_ASSETS else ()))

        inbox.on = on_more  # type: ignore[method-assign]
        listen(self, inbox)

    Handlers.listen = listen_to_more  # type: ignore[method-assign]


if __name__ == "__main__":
    learn()
    sys.argv = [sys.argv[1]]
    runpy.run_module(f"services.{sys.argv[0]}", run_name="__main__")

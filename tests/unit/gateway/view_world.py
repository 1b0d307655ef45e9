"""The gateway's own rooms around the view of one video, on collections in memory."""

import contextlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from services.gateway.domain import Accepted, VideoRequest
from services.gateway.forecast import Forecast
from services.gateway.handlers import register
from services.gateway.store import Store
from services.gateway.store.history import History
from services.gateway.store.receipts import Receipts
from services.gateway.store.videos import Videos
from services.gateway.timeline.chronicle import Chronicle
from services.gateway.view import View
from services.gateway.workflow.asking import requested
from services.gateway.workflow.callbacks import Callbacks
from services.gateway.workflow.lifecycle import Lifecycle, NotFailedError, NotFoundError, NotRunningError
from services.gateway.workflow.quota import Quota
from services.gateway.workflow.unheard import Unheard
from shared.contracts.events import Event
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document
from tests.unit.collection import METRICS, Memory, Post
from tests.unit.topics_in import TopicsIn
from tests.unit.turns import Run

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VIDEO, USER = "ann_1", "ann"


class World:
    """One gateway that has just accepted a request."""

    def __init__(self) -> None:
        self.memory, self.history = Memory("slot", "key"), Memory()
        self.asked: list[Event] = []
        self._post = Post(self.memory)
        videos = Videos(self.memory.collection, self._post, timedelta(minutes=1))
        history = History(self.history.collection)
        self._unheard = Unheard(videos, history, METRICS, _asked, timedelta(days=1))
        forecast = Forecast(videos.durations, timedelta(minutes=15))
        self.view = View(videos, history, METRICS)
        self._lifecycle = Lifecycle(videos, cast("Receipts", _NoReceipts()), cast("Quota", _Quota()), METRICS, forecast)
        self.topics = TopicsIn()
        store = cast("Store", SimpleNamespace(videos=videos, catalog=None))
        silent: Any = _Silent()
        register(self.topics.inbox, self.view, cast("Callbacks", silent), store, cast("Chronicle", silent))
        request = VideoRequest(USER, "create", "Rates", "a@example.com", {"body": "secret script"})
        accepted = Accepted(VIDEO, "r", "create", NOW, NOW + timedelta(minutes=15))
        event = requested(accepted, request)
        adding = videos.add(accepted, request, slot=1, key=None, body_hash="h", event=event)
        Run(adding).finish()

    @property
    def video(self) -> Document:
        """Return the view as it is stored."""
        return self.memory.documents[VIDEO]

    async def retry(self) -> None:
        """Try again, and hear of that as the others do."""
        with contextlib.suppress(NotFailedError, NotFoundError):
            await self._lifecycle.retry(VIDEO, USER)
        for event in self.published():
            await self.topics.handling(event)

    def published(self) -> list[Event]:
        """Return what was published since the last time, and keep it in `asked`."""
        news = self._post.taken()
        self.asked += news
        return news

    async def cancel(self) -> None:
        with contextlib.suppress(NotRunningError, NotFoundError):
            await self._lifecycle.cancel(VIDEO, USER)

    async def ask_in_vain(self) -> None:
        """Ask about the video as where nobody has answered for a day."""
        self.video["asked"] = {"since": self.video["updatedAt"], "seconds": timedelta(days=1).total_seconds()}
        lease = self.memory.claim(VIDEO)
        if lease is not None:
            await self._unheard.work(lease)

    async def delete(self) -> None:
        with contextlib.suppress(NotFoundError):
            await self._lifecycle.delete(VIDEO, USER)


async def _asked(_: Lease) -> None: ...


class _Quota:
    def guess(self) -> int | None:
        return 1


class _NoReceipts:
    async def result_of(self, *_: object) -> None: ...


class _Silent:
    """The timeline and the receipts: not what this is about."""

    async def hear(self, event: object) -> None: ...

    async def judged(self, event: object) -> None: ...

    async def forget(self, video_id: str) -> None: ...

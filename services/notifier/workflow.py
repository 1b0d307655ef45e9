"""The use cases: tell news and keep it, show passing news, read what was told."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.notifier import frames
from services.notifier.audience import Audience
from services.notifier.domain import News, Notification, PassingNews
from services.notifier.store import Store
from shared.contracts.events import Event, NotificationCreated, NotificationPassed
from shared.wiring.metrics import Metrics

Send = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a user's notifications, newest first, and where the next page begins."""

    notifications: list[Notification]
    next_cursor: str | None


class Telling:
    """Stores and shows news. Raises PyMongoError where the database is away."""

    def __init__(self, store: Store, audience: Audience, send: Send, metrics: Metrics) -> None:
        self._store = store
        self._audience = audience
        self._send = send
        self._metrics = metrics

    async def tell(self, news: News) -> None:
        """Store `news` unless it is late or a repeat, and give it to the streams here; other replicas are woken."""
        notification = await self._store.append(news)
        if notification is None:
            await self._repeat(news)
            return
        self._metrics.notifications_stored.labels(type=news.payload["type"]).inc()
        self._audience.give(notification)
        await self._store.move_head(news.user_id, notification.seq)

    async def _repeat(self, news: News) -> None:
        """Tell once more how far the user was told, where it comes again because somebody has not heard of that."""
        if news.is_asked_about:
            seq, order = await self._store.last_seq(news.user_id), await self._store.order_of(news.video_id)
            await self._send(
                NotificationCreated(
                    id=f"{news.source}/again", user_id=news.user_id, seq=seq, video_id=news.video_id, order=order
                )
            )

    async def pass_on(self, news: PassingNews, event_id: str) -> None:
        """Send `news` to every replica unless it comes too late."""
        if await self._store.order_of(news.video_id) < news.before:
            payload = {**news.payload, "before": news.before}
            await self._send(NotificationPassed(id=event_id, user_id=news.user_id, payload=payload))

    def show(self, passed: NotificationPassed) -> None:
        """Show passing news to the user's streams here."""
        channel = self._audience.channel(passed.user_id)
        if channel is not None:
            payload = dict(passed.payload)
            before = payload.pop("before", 0)
            frame = frames.frame(frames.UPDATE, payload)
            channel.pass_on(frame, str(payload.get("type")), str(payload.get("videoId")), before)

    async def history(self, user_id: str, before: int | None, limit: int) -> Page:
        """Return the `limit` notifications before number `before` (the newest where None), newest first."""
        upto = await self._store.last_seq(user_id) if before is None else before - 1
        found = await self._store.between(user_id, max(0, upto - limit - 1), upto)
        shown = found[-limit:][::-1]
        return Page(shown, str(shown[-1].seq) if len(found) > limit else None)

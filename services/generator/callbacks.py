"""The judgement of callbacks: whom they are about, what they mean, and the keeping of those that match nothing yet."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, get_args

import structlog

from services.generator.attempt import Attempt, Kind, attempt_id
from services.generator.domain import Happening, News, Outcome, execution_id
from services.generator.held import Held
from services.generator.judgement import Report, judgement
from services.generator.messages import plain
from services.generator.notes import of_report
from services.generator.store import Attempts, Video
from services.generator.unwanted import DELETED, discarded, unwanted_key
from services.generator.workflow import Lifecycle
from shared.contracts.events import (
    CallbackJudged,
    CompletionReported,
    Event,
    ProgressReported,
    WorkflowErrorReported,
    WorkflowProgressed,
)
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease
from shared.wiring.metrics import Metrics
from shared.wiring.tracing import enter_trace

log = structlog.get_logger(__name__)


class Callbacks:
    """Judges what workflows report. `send` publishes an event that may be lost."""

    def __init__(
        self,
        attempts: Attempts,
        lifecycle: Lifecycle,
        held: Held,
        metrics: Metrics,
        send: Callable[[Event], Awaitable[None]],
    ) -> None:
        self._attempts = attempts
        self._lifecycle = lifecycle
        self._held = held
        self._metrics = metrics
        self._send = send

    async def report(self, event: Report) -> None:
        """Judge a completion or an error; keep it where nobody knows yet whom it is about.

        One that is kept is for `look_again` to judge: who passes it on again is told what came of that until now.
        """
        known = await self._held.judged(event)
        if known is not None:
            await self._send(known)
        elif await self._judge_once(event) is None:
            await self._held.hold(event)
            await self._tell(event, "held")

    async def look_again(self, lease: Lease) -> None:
        """Judge a callback that was held, or hold it longer, or give it up when its time is over."""
        event = self._held.event(lease)
        enter_trace(event.traceparent)
        judged = await self._judge_once(event)
        if judged is not None:
            await self._held.settle(lease, judged)
        elif not await self._held.keep(lease):
            await self._tell(event, "quarantined")

    async def progress(self, event: ProgressReported) -> None:
        """Pass the progress of a running attempt on; keep the executionId it may bring."""
        id_ = attempt_id(event.video_id, event.attempt)
        news = News(Happening.PROGRESS, execution_id=execution_id(event.execution_id))
        concluded = await self._lifecycle.happen(id_, news)
        if concluded is None:
            await self._tell(event, "unknown_attempt")
            return
        verdict, attempt = concluded
        await self._tell(event, verdict.outcome, attempt)
        await self._learned(news)
        if verdict.outcome in (Outcome.APPLIED, Outcome.PASSED_ON):
            await self._send(_progressed(attempt, event))

    async def _judge_once(self, event: Report) -> CallbackJudged | None:
        """Judge it, unless the same webhook, as it was passed on before, had its effect or is just being judged."""
        if not await self._held.replace(event):
            return None
        known = await self._held.had_effect(event)
        if known is None:
            return await self._judge(event)
        await self._send(known)
        return known

    async def _judge(self, event: Report) -> CallbackJudged | None:
        """Return what was said where the callback has found its attempt, or none will ever want it."""
        news = _news(event)
        if event.video_id:
            video = await self._attempts.of_video(event.video_id)
            if video.deleted:
                await self._discard_for_deleted(video, event.attempt, news)
                return await self._tell(event, Outcome.LATE)
            attempt = video.reported(event.attempt, execution_id(event.execution_id), _newest(event))
        else:
            attempt = await self._running(event)
        concluded = await self._lifecycle.happen(attempt.id, news) if attempt is not None else None
        if concluded is None:
            return None
        verdict, after = concluded
        key = unwanted_key(verdict.outcome, after, news)
        if key is not None:
            await self._attempts.discard(discarded(after.video_id, after.user_id, after.attempt, key, verdict.outcome))
        note = of_report(event.receipt_id, after, news, verdict.outcome)
        if note is not None:
            await self._attempts.note(after, note)
        await self._learned(news)
        return await self._tell(event, verdict.outcome, after, again=verdict.again)

    async def _discard_for_deleted(self, video: Video, number: int | None, news: News) -> None:
        if news.s3_key is None:
            return
        if video.user_id is None:  # tombstones of former releases do not say whose the video was
            log.warning("callback.owner_unknown", video=video.video_id)
            return
        attempt = video.reported(number, news.execution_id)
        about = attempt.attempt if attempt else 1
        event = discarded(video.video_id, video.user_id, about, news.s3_key, DELETED)
        await self._attempts.discard(event, deleted=True)

    async def _running(self, event: Report) -> Attempt | None:
        """Return the one attempt that ran as the reported execution when it was reported, or lately; several are none.

        So none of several comes to be meant because the others have ended since.
        """
        known = execution_id(event.execution_id)
        if known is None:
            return None
        lately = utc_now() - self._lifecycle.rules.deadline_most
        found = await self._attempts.with_execution(known, _reported_at(event), lately)
        workflow = getattr(event, "workflow", None)
        if workflow in get_args(Kind):  # engines of their own may give the same ids
            found = [attempt for attempt in found if attempt.kind == workflow]
        return found[0] if len(found) == 1 else None

    async def _learned(self, news: News) -> None:
        if news.execution_id:
            await self._held.look_at(news.execution_id)

    async def _tell(
        self, event: Report | ProgressReported, outcome: str, attempt: Attempt | None = None, *, again: bool = False
    ) -> CallbackJudged:
        """Count what came of a callback, and say so: until then it is passed on again and again."""
        judged = judgement(event, outcome, attempt)
        counted = Outcome.REPEAT if again else outcome
        self._metrics.callbacks.labels(purpose=judged.purpose, outcome=counted).inc()
        if judged.receipt_id:
            await self._send(judged)
        return judged


def _news(event: Report) -> News:
    execution = execution_id(event.execution_id)
    came: dict[str, Any] = {"report_id": event.id, "reported_at": _reported_at(event)}
    if isinstance(event, WorkflowErrorReported):
        return News(Happening.FAILURE, execution, message=event.error_message, **came)
    if event.status == "failed":
        return News(Happening.FAILURE, execution, message=event.error, **came)
    video_url, s3_key = (event.video_url or "").strip() or None, (event.s3_key or "").strip() or None
    if video_url is None and s3_key is None:
        return News(Happening.EMPTY_RESULT, execution, **came)
    return News(Happening.RESULT, execution, video_url=video_url, s3_key=s3_key, **came)


def _reported_at(event: Report) -> datetime:
    return event.reported_at or event.time


def _newest(event: Report) -> int | None:
    return event.newest if isinstance(event, CompletionReported) else None


def _progressed(attempt: Attempt, event: ProgressReported) -> WorkflowProgressed:
    return WorkflowProgressed(
        id=event.id,
        video_id=attempt.video_id,
        user_id=attempt.user_id,
        attempt=attempt.attempt,
        title=attempt.title,
        execution_id=attempt.execution_id,
        progress=event.progress,
        message=plain(event.message) or None,
    )

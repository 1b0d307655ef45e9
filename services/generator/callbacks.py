"""The judgement of callbacks: whom they are about, what they mean, and the keeping of those that match nothing yet."""

from collections.abc import Awaitable, Callable

from services.generator.attempt import Attempt, attempt_id
from services.generator.domain import Happening, News, Outcome, execution_id
from services.generator.held import Held
from services.generator.messages import plain
from services.generator.store import Attempts
from services.generator.workflow import Lifecycle
from shared.contracts.events import (
    CompletionReported,
    ProgressReported,
    WorkflowErrorReported,
    WorkflowProgressed,
)
from shared.delivery.leases import Lease
from shared.wiring.metrics import Metrics

Report = CompletionReported | WorkflowErrorReported


class Callbacks:
    """Judges what workflows report. `send` publishes an event that may be lost."""

    def __init__(
        self,
        attempts: Attempts,
        lifecycle: Lifecycle,
        held: Held,
        metrics: Metrics,
        send: Callable[[WorkflowProgressed], Awaitable[None]],
    ) -> None:
        self._attempts = attempts
        self._lifecycle = lifecycle
        self._held = held
        self._metrics = metrics
        self._send = send

    async def report(self, event: Report) -> None:
        """Judge a completion or an error; keep it where nobody knows yet whom it is about."""
        if not await self._judge(event):
            await self._held.hold(event)
            self._count(event, "held")

    async def look_again(self, lease: Lease) -> None:
        """Judge a callback that was held, or hold it longer, or give it up when its time is over."""
        event = self._held.event(lease)
        if await self._judge(event):
            await self._held.settle(lease)
        elif await self._held.keep(lease):
            return
        else:
            self._count(event, "quarantined")

    async def progress(self, event: ProgressReported) -> None:
        """Pass the progress of a running attempt on; keep the executionId it may bring."""
        id_ = attempt_id(event.video_id, event.attempt)
        news = News(Happening.PROGRESS, execution_id=execution_id(event.execution_id))
        concluded = await self._lifecycle.happen(id_, news)
        if concluded is None:
            self._count(event, "unknown_attempt")
            return
        verdict, attempt = concluded
        self._count(event, verdict.outcome)
        await self._learned(news)
        if verdict.outcome in (Outcome.APPLIED, Outcome.PASSED_ON):
            await self._send(_progressed(attempt, event))

    async def _judge(self, event: Report) -> bool:
        """Return whether the callback has found its attempt, or none will ever want it."""
        if event.video_id:
            video = await self._attempts.of_video(event.video_id)
            if video.deleted:
                self._count(event, Outcome.LATE)
                return True
            attempt = video.reported(event.attempt, execution_id(event.execution_id))
        else:
            attempt = await self._running(event)
        if attempt is None:
            return False
        news = _news(event)
        concluded = await self._lifecycle.happen(attempt.id, news)
        if concluded is not None:
            self._count(event, concluded[0].outcome)
            await self._learned(news)
        return concluded is not None

    async def _running(self, event: Report) -> Attempt | None:
        """Return the one attempt that runs as the reported execution; several (of several engines) are none."""
        known = execution_id(event.execution_id)
        if known is None:
            return None
        found = await self._attempts.living_with_execution(known)
        workflow = getattr(event, "workflow", None)
        if len(found) > 1 and workflow:
            found = [attempt for attempt in found if attempt.kind == workflow]
        return found[0] if len(found) == 1 else None

    async def _learned(self, news: News) -> None:
        if news.execution_id:
            await self._held.look_at(news.execution_id)

    def _count(self, event: Report | ProgressReported, outcome: str) -> None:
        purpose = {CompletionReported: "complete", WorkflowErrorReported: "error"}.get(type(event), "progress")
        self._metrics.callbacks.labels(purpose=purpose, outcome=outcome).inc()


def _news(event: Report) -> News:
    execution = execution_id(event.execution_id)
    if isinstance(event, WorkflowErrorReported):
        return News(Happening.FAILURE, execution_id=execution, message=event.error_message)
    if event.status == "failed":
        return News(Happening.FAILURE, execution_id=execution, message=event.error)
    video_url, s3_key = (event.video_url or "").strip() or None, (event.s3_key or "").strip() or None
    if video_url is None and s3_key is None:
        return News(Happening.EMPTY_RESULT, execution_id=execution)
    return News(Happening.RESULT, execution_id=execution, video_url=video_url, s3_key=s3_key)


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

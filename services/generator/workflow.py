"""The use cases around requests: a new attempt, an end by its user; and the one way anything happens to an attempt."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeGuard

import structlog

from services.generator.attempt import Attempt, Failure, State, attempt_id, requested
from services.generator.domain import Happening, News, Outcome, Verdict, apply, judge
from services.generator.messages import LateResult, failure_message
from services.generator.notes import of_overtaking, of_taking
from services.generator.store import Attempts, Video
from shared.contracts.events import (
    Event,
    VideoCancelled,
    VideoDeleted,
    VideoRequested,
    VideoRetryRequested,
    WorkflowRemoved,
)
from shared.contracts.naming import naming
from shared.contracts.videos import FailureCode
from shared.contracts.wire import utc_now

TRIES = 10

log = structlog.get_logger(__name__)


class ContendedError(Exception):
    """Others kept changing the attempt while it was judged; judging it again will do."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be chosen about attempts."""

    deadline: timedelta
    deadline_most: timedelta
    estimate: timedelta
    late_result: LateResult


class Lifecycle:
    """Lets things happen to attempts: read, judge, write only where nothing changed meanwhile."""

    def __init__(self, attempts: Attempts, rules: Rules) -> None:
        self._attempts = attempts
        self.rules = rules

    async def happen(self, id_: str, news: News) -> tuple[Verdict, Attempt] | None:
        """Let `news` happen to an attempt; return what was concluded and the attempt after it, None if there is none.

        Raises ContendedError.
        """
        for _ in range(TRIES):
            before = await self._attempts.find(id_)
            if before is None:
                return None
            verdict, after = self.conclude(before, news)
            notes = of_overtaking(before, news)
            if after == before or await self._attempts.change(before, after, told=verdict.told, also=notes):
                _tell_log(before, after, news, verdict)
                return verdict, after
        raise ContendedError(id_)

    def conclude(self, before: Attempt, news: News) -> tuple[Verdict, Attempt]:
        """Return what `news` means to `before`, and what it makes of it."""
        verdict = judge(before.state, news.happening, "adopt" if news.in_time(before) else self.rules.late_result)
        if verdict.outcome is Outcome.REPEAT and news.happening is Happening.RESULT and not news.same_file(before):
            verdict = Verdict(Outcome.CONTRADICTION)
        if verdict.outcome in (Outcome.REPEAT, Outcome.LATE) and news.ended(before):
            verdict = Verdict(Outcome.ADOPTED if before.adopted else Outcome.APPLIED, again=True)
        return verdict, apply(before, verdict, news, utc_now(), self.rules.late_result)


class Requests:
    """What users ask for. `send` publishes an event that may be lost."""

    def __init__(
        self,
        attempts: Attempts,
        lifecycle: Lifecycle,
        wake: Callable[[], None],
        send: Callable[[Event], Awaitable[None]],
    ) -> None:
        self._attempts = attempts
        self._lifecycle = lifecycle
        self._wake = wake
        self._send = send

    async def request(self, event: VideoRequested | VideoRetryRequested) -> None:
        """Begin the attempt and end the older ones. A repeat is answered by announcing the attempt's state again.

        Where the one before it has come to a result of which its owner could not have heard, that is not paid twice.
        """
        attempt = requested(event, self._lifecycle.rules.deadline, self._lifecycle.rules.estimate)
        video = await self._attempts.of_video(event.video_id)
        if video.deleted:
            return
        before = await self._supersede(video, attempt.attempt)
        known = video.attempt(attempt.attempt)
        if known is not None:
            await self._repeated(known, attempt)
            return
        if video.attempts and video.attempts[-1].attempt > attempt.attempt:
            await self._attempts.add(attempt.but(state=State.SUPERSEDED))
        elif isinstance(event, VideoRetryRequested) and event.takes_result and _delivered(before):
            await self._attempts.add_with_result(attempt, before, of_taking(attempt, before))
        else:
            await self._attempts.add(attempt)
            self._wake()

    async def _supersede(self, video: Video, number: int) -> Attempt | None:
        """End the attempts before `number`; return the one just before it."""
        last = None
        for older in video.attempts:
            if older.attempt < number:
                concluded = await self._lifecycle.happen(older.id, News(Happening.SUPERSEDE))
                last = concluded[1] if concluded else None
        return last if last is not None and last.attempt == number - 1 else None

    async def _repeated(self, known: Attempt, attempt: Attempt) -> None:
        if known.was_requested:
            await self._attempts.announce_again(known)
        elif known.state is State.CANCELLED:
            message = failure_message(FailureCode.CANCELLED, None)
            cancelled = attempt.but(
                state=State.CANCELLED,
                changed_at=known.changed_at,
                execution_id=known.execution_id,
                completed_at=known.completed_at,
                failure=Failure(code=FailureCode.CANCELLED, message=message),
            )
            await self._attempts.change(known, cancelled, told=True)

    async def cancel(self, event: VideoCancelled) -> None:
        """End the attempt; where it is not known yet, see to it that it never starts."""
        id_ = attempt_id(event.video_id, event.attempt)
        news = News(Happening.CANCEL)
        concluded = await self._lifecycle.happen(id_, news)
        if concluded is not None:
            verdict, attempt = concluded
            if verdict.outcome is Outcome.REPEAT:
                await self._attempts.announce_again(attempt)
            self._wake()
            return
        if await self._attempts.is_deleted(event.video_id):
            return
        now = utc_now()
        stone = Attempt(
            video_id=event.video_id,
            attempt=event.attempt,
            user_id=event.user_id,
            state=State.CANCELLED,
            created_at=event.time,
            changed_at=now,
            completed_at=now,
        )
        if not await self._attempts.add(stone):
            await self._lifecycle.happen(id_, news)

    async def delete(self, event: VideoDeleted) -> None:
        """End every attempt of the video, erase what its user wrote, let nothing of it begin again; and say so."""
        await self._attempts.bury(event.video_id, event.user_id)
        for attempt in (await self._attempts.of_video(event.video_id)).attempts:
            await self._lifecycle.happen(attempt.id, News(Happening.DELETE))
        self._wake()
        await self._send(WorkflowRemoved(**naming(event.video_id, event.user_id, event.attempt, "workflow_removed")))


def _delivered(attempt: Attempt | None) -> TypeGuard[Attempt]:
    return attempt is not None and bool(attempt.video_url or attempt.s3_key)


def _tell_log(before: Attempt, after: Attempt, news: News, verdict: Verdict) -> None:
    about = {"video": before.video_id, "attempt": before.attempt, "happening": news.happening}
    if verdict.outcome is Outcome.CONTRADICTION:
        log.warning("attempt.contradiction", state=before.state, **about)
    elif after.state is not before.state:
        log.info("attempt.changed", state=after.state, was=before.state, **about)
    if news.execution_id and before.execution_id not in (None, news.execution_id):
        log.warning("attempt.second_execution", execution=news.execution_id, known=before.execution_id, **about)

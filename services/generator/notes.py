"""What the generator tells for a video's timeline beside its states: calls and their answers, reports not taken.

Every note is an event with the same id however often it is made. Most are carried by the write they are about; where
that write is lost to a quicker one, its note is lost with it.
"""

from collections.abc import Mapping
from datetime import timedelta

from services.generator.attempt import Attempt, State
from services.generator.domain import Happening, News, Outcome
from shared.contracts.events import Level, WorkflowNoted
from shared.contracts.naming import naming
from shared.contracts.plain_words import place_of

_ANSWERS: dict[Happening, tuple[str, Level, str]] = {
    Happening.TAKEN: ("call.taken", "info", "Call {number} was taken by the rendering service ({reason})."),
    Happening.REJECTED: (
        "call.rejected",
        "error",
        "Call {number} was rejected by the rendering service ({reason}), and another one would be, too.",
    ),
    Happening.TURNED_AWAY: (
        "call.turned_away",
        "warning",
        "Call {number} was turned away ({reason}) and may have got through all the same, so it is not made again "
        "unless the rendering service, when asked, knows nothing of it.",
    ),
    Happening.UNCERTAIN: (
        "call.uncertain",
        "warning",
        "Nobody knows what came of call {number} ({reason}), so it is not made again: the result is awaited.",
    ),
    Happening.CALLED: (
        "call.abandoned",
        "warning",
        "Whoever made the last call is gone, and nobody knows whether it went out, so it is not made again.",
    ),
}
_ASKED: dict[Happening, tuple[str, Level, str]] = {
    Happening.TAKEN: ("asked.found", "info", "The rendering service was asked, and it is at work on this."),
    Happening.ABSENT: (
        "asked.absent",
        "info",
        "The rendering service was asked twice, and knows nothing of call {number}, so it is made again.",
    ),
    Happening.LOST: ("asked.lost", "warning", "The rendering service was asked, and nothing of this runs any more."),
    Happening.BROKE: ("asked.broke", "warning", "The rendering service was asked, and its run has failed."),
    Happening.RESULT: (
        "asked.result",
        "warning",
        "The rendering service was asked, and it had the result, of which nothing had been heard here.",
    ),
    Happening.FAILURE: ("asked.failed", "warning", "The rendering service was asked, and its run has failed."),
    Happening.EMPTY_RESULT: ("asked.empty", "warning", "The rendering service was asked, and its run made no file."),
    Happening.DEADLINE: ("deadline", "warning", "The time for this attempt is over."),
}
_REPORTED = {
    Happening.RESULT: "a finished video",
    Happening.EMPTY_RESULT: "a finished video without a file",
    Happening.FAILURE: "a failure",
}
_ALREADY = {
    State.COMPLETED: "was finished already",
    State.FAILED: "had failed already",
    State.GIVEN_UP: "had been given up",
    State.CANCELLED: "had been cancelled",
    State.SUPERSEDED: "had been followed by a newer one",
}


def of_change(before: Attempt, news: News, claim: int) -> tuple[WorkflowNoted, ...]:
    """Return what is to be noted where a worker, at its so-manieth `claim`, lets `news` happen to `before`."""
    calling = before.state is State.CALLING and news.happening in _ANSWERS
    found = (_ANSWERS if calling else _ASKED).get(news.happening)
    if found is None:
        return ()
    code, level, text = found
    # None were counted by earlier releases.
    details: dict[str, int | str] = {"call": before.calls} if calling and before.calls else {}
    if news.message:
        details["reason"] = news.message
    if news.execution_id:
        details["executionId"] = news.execution_id
    message = text.format(number=before.calls, reason=news.message)
    return (noted(before, _occurrence(code, before, claim), code, message, level, details),)


def of_refusal(attempt: Attempt, reason: str, claim: int, wait: timedelta) -> WorkflowNoted:
    """Return the note of the last call, which certainly started nothing and is made again after `wait`."""
    seconds = round(wait.total_seconds(), 1)
    number = attempt.calls
    message = f"Call {number} was refused ({reason}), so nothing was started; the next one comes after {seconds:g} s."
    details: dict[str, str | float] = {"call": number, "reason": reason, "waitSeconds": seconds}
    return noted(attempt, _occurrence("call.refused", attempt, claim), "call.refused", message, "warning", details)


def _occurrence(code: str, attempt: Attempt, claim: int) -> str:
    """Return what tells a note of a claim from others: claims are counted anew for every job, and so for every call."""
    return f"{code}:{attempt.calls}:{claim}"


def of_overtaking(before: Attempt, news: News) -> tuple[WorkflowNoted, ...]:
    """Return what is to be noted where the workflow reports while the call to it is still unanswered.

    The worker that waits for the answer loses the attempt by that, and with it what it would have noted.
    """
    if before.state is not State.CALLING or news.happening not in (Happening.PROGRESS, *_REPORTED):
        return ()
    message = "The rendering service reported before it had answered the call, which had thus got through."
    return (noted(before, "call.overtaken", "call.overtaken", message),)


def of_taking(attempt: Attempt, before: Attempt) -> WorkflowNoted:
    """Return the note of a retry that takes the result of the attempt `before`, heard of by nobody who asked for it."""
    message = f"Try {before.attempt} had delivered by then, unheard of, so its result is taken and nothing is rendered."
    return noted(attempt, "result.taken", "result.taken", message)


def of_report(receipt_id: str, attempt: Attempt, news: News, outcome: Outcome) -> WorkflowNoted | None:
    """Return the note of a report that `attempt` does not take; None where it took it, or knew it."""
    already, reported = _ALREADY.get(attempt.state), _REPORTED.get(news.happening)
    if outcome not in (Outcome.CONTRADICTION, Outcome.LATE) or already is None or reported is None:
        return None
    if news.happening is Happening.RESULT and (news.video_url, news.s3_key) == (attempt.video_url, attempt.s3_key):
        return None  # taken when it came, and what came afterwards (a cancel, another attempt) makes it no news
    if attempt.state is State.COMPLETED and news.happening is Happening.RESULT:
        already += " with another file"
    code = "report.contradiction" if outcome is Outcome.CONTRADICTION else "report.late"
    message = f"The workflow reported {reported}, but this attempt {already}, so the report changes nothing."
    details = {"reported": news.happening.value, "state": attempt.state.value}
    source = place_of(news.video_url)
    if source:
        details["from"] = source
    return noted(attempt, f"{code}:{receipt_id}", code, message, "warning", details, lasting=True)


def noted(
    attempt: Attempt,
    occurrence: str,
    code: str,
    message: str,
    level: Level = "info",
    details: Mapping[str, str | float] | None = None,
    *,
    lasting: bool = False,
) -> WorkflowNoted:
    """Return a note in words of the caller's; `occurrence` tells it from others of this attempt."""
    return WorkflowNoted(
        **naming(attempt.video_id, attempt.user_id, attempt.attempt, f"noted:{occurrence}"),
        code=code,
        message=message,
        level=level,
        lasting=lasting,
        details=dict(details or {}),
    )

"""The news of an attempt for the other services."""

from datetime import timedelta
from typing import Any

from services.generator.attempt import Attempt, State
from services.generator.messages import NOT_SAID, STILL_RUNNING
from shared.contracts.events import (
    VideoEvent,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
)
from shared.contracts.naming import naming
from shared.contracts.videos import FailureCode
from shared.contracts.wire import iso

# By the code, since the state may be another one by the time it is told again; and one attempt may fail of several,
# one after the other: first nothing is heard, then the workflow says why.
_FAILURES = {
    FailureCode.CANCELLED: "cancelled",
    FailureCode.RESULT_INVALID: "invalid",
    FailureCode.WORKFLOW_REFUSED: "given_up",
    FailureCode.WORKFLOW_UNREACHABLE: "given_up",
    FailureCode.WORKFLOW_UNKNOWN: "given_up",
    FailureCode.WORKFLOW_TIMEOUT: "given_up",
    FailureCode.WORKFLOW_LOST: "given_up",
}


def announcement(attempt: Attempt) -> VideoEvent | None:
    """Return the event that tells others of the attempt's state, with the same id each time; None if none does."""
    match attempt.state:
        case State.UNKNOWN | State.STARTED:
            return _started(attempt)
        case State.COMPLETED:
            return _completed(attempt)
        case State.FAILED | State.GIVEN_UP | State.CANCELLED:
            return _failed(attempt)
    return None


def still_running(attempt: Attempt) -> WorkflowProgressed:
    """Return the passing news that the engine still works on the attempt, which therefore has another deadline."""
    return WorkflowProgressed(**_named(attempt, f"extended:{iso(attempt.ends_at)}"), message=STILL_RUNNING)


def _started(attempt: Attempt) -> WorkflowStarted:
    certain = attempt.state is State.STARTED
    return WorkflowStarted(
        **_changed(attempt, "started" if certain else "unknown"),
        kind=attempt.kind,
        certain=certain,
        message=None if certain else NOT_SAID,
        estimated_completion=attempt.changed_at + timedelta(seconds=attempt.estimate_seconds),
    )


def _completed(attempt: Attempt) -> WorkflowCompleted:
    return WorkflowCompleted(
        **_changed(attempt, "adopted" if attempt.adopted else "completed"),
        video_url=attempt.video_url,
        s3_key=attempt.s3_key,
        adopted=attempt.adopted,
    )


def _failed(attempt: Attempt) -> WorkflowFailed | None:
    if attempt.failure is None:
        return None
    return WorkflowFailed(
        **_changed(attempt, _FAILURES.get(attempt.failure.code, "failed")),
        code=attempt.failure.code,
        message=attempt.failure.message,
        retryable=True,
    )


def _changed(attempt: Attempt, transition: str) -> dict[str, Any]:
    return {**_named(attempt, transition), "time": attempt.changed_at, "email": attempt.email}


def _named(attempt: Attempt, transition: str) -> dict[str, Any]:
    return {
        **naming(attempt.video_id, attempt.user_id, attempt.attempt, transition),
        "title": attempt.title,
        "execution_id": attempt.execution_id,
    }

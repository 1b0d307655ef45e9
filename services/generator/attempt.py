"""One attempt at one video, as the generator knows it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict, computed_field

from shared.contracts.events import VideoRequested, VideoRetryRequested
from shared.contracts.videos import FailureCode
from shared.contracts.wire import UtcTime, Wire

Kind = Literal["create", "generate"]


class State(StrEnum):
    """Where an attempt stands."""

    REQUESTED = "requested"
    CALLING = "calling"
    UNKNOWN = "unknown"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    DELETED = "deleted"


LIVING = frozenset({State.REQUESTED, State.CALLING, State.UNKNOWN, State.STARTED})

UNWANTED = frozenset({State.CANCELLED, State.SUPERSEDED, State.DELETED})
"""Ended by people: whatever the engine still makes of it is not taken."""

_CALLED = frozenset({State.CALLING, State.UNKNOWN, State.STARTED})
# Given up with one of these: it was never heard of, waits where n8n shows it to nobody, failed once and goes on, or was
# refused by somebody who stood before n8n.
_MAY_GO_ON = frozenset(
    {
        FailureCode.WORKFLOW_TIMEOUT,
        FailureCode.WORKFLOW_UNKNOWN,
        FailureCode.WORKFLOW_LOST,
        FailureCode.WORKFLOW_FAILED,
        FailureCode.WORKFLOW_REFUSED,
    }
)


class Failure(Wire):
    """Why an attempt failed: a code for programs, a message for people."""

    code: FailureCode
    message: str


class Attempt(Wire):
    """One attempt, and one entry of the workflow history. `fields` are the request's own: they are never logged.

    `first_called_at` is when its first call began, from which its time counts, `called_at` when the last one did,
    `calls` how many did, `call_again_at` from when on one that was turned away may be made again, if the engine knows
    nothing of it, `refused` whether one was refused for good, `run_over_at` since when the engine says that nothing
    runs, `stuck_since` since when nobody knows whether it runs or it is beyond its first deadline, `stop_since` since
    when its run is to be stopped; that goes once the engine has answered. `ended_by` is the report that ended it, where
    one did.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    video_id: str
    attempt: int
    user_id: str
    state: State
    created_at: UtcTime
    changed_at: UtcTime
    kind: Kind = "generate"
    request_id: str = ""
    title: str = ""
    email: str = ""
    fields: dict[str, Any] | None = None
    deadline_at: UtcTime | None = None
    estimate_seconds: float = 0
    execution_id: str | None = None
    first_called_at: UtcTime | None = None
    called_at: UtcTime | None = None
    calls: int = 0
    call_again_at: UtcTime | None = None
    refused: bool = False
    run_over_at: UtcTime | None = None
    stuck_since: UtcTime | None = None
    stop_since: UtcTime | None = None
    ended_by: str | None = None
    voice_id: str | None = None
    video_url: str | None = None
    s3_key: str | None = None
    adopted: bool = False
    failure: Failure | None = None
    completed_at: UtcTime | None = None
    traceparent: str | None = None

    @property
    def id(self) -> str:
        """Return the id of the attempt's document."""
        return attempt_id(self.video_id, self.attempt)

    @property
    def was_requested(self) -> bool:
        """Return whether the request itself was seen, and not only news about it (a cancellation that came first)."""
        return bool(self.request_id)

    @property
    def call_key(self) -> str:
        """Return the Idempotency-Key of the attempt's call, the same however often it is made."""
        return f"{self.request_id}:{self.attempt}"

    @property
    def was_turned_away(self) -> bool:
        """Return whether its last call was turned away, and nothing is known of a run."""
        return self.state is State.UNKNOWN and self.call_again_at is not None and self.execution_id is None

    @property
    def may_run(self) -> bool:
        """Return whether the engine may be at work on it, as far as we know."""
        given_up = self.state is State.GIVEN_UP and self.failure is not None and self.failure.code in _MAY_GO_ON
        return given_up or self.state in _CALLED

    @computed_field  # type: ignore[prop-decorator]  # as pydantic says to: python/mypy#1362
    @property
    def status(self) -> Literal["pending", "completed", "failed"]:
        """Return the state as the workflow history names it."""
        if self.state is State.COMPLETED:
            return "completed"
        return "pending" if self.state in LIVING else "failed"

    @computed_field  # type: ignore[prop-decorator]  # as pydantic says to: python/mypy#1362
    @property
    def error_message(self) -> str | None:
        """Return why it failed, as the workflow history names it."""
        return self.failure.message if self.failure else None

    @property
    def ends_at(self) -> datetime:
        """Return the deadline; where no request was seen, and so none was set, the attempt had no time at all."""
        return self.deadline_at or self.created_at

    def time_left(self, now: datetime) -> timedelta:
        """Return how long it is to the deadline; zero where it has passed."""
        return max(self.ends_at - now, timedelta(0))

    def but(self, **changes: Any) -> "Attempt":
        """Return the attempt with these fields changed."""
        return self.model_copy(update=changes)

    def erased(self) -> "Attempt":
        """Return the attempt without anything its user wrote or received."""
        return self.but(title="", email="", fields=None, video_url=None, s3_key=None, failure=None)


def attempt_id(video_id: str, number: int) -> str:
    """Return the id of an attempt's document."""
    return f"{video_id}:{number}"


def requested(event: VideoRequested | VideoRetryRequested, deadline: timedelta, estimate: timedelta) -> Attempt:
    """Return the new attempt that `event` asks for; its deadline counts from the request until it is called.

    `estimate` is how long it may take, where the event does not say.
    """
    expected = event.expected_seconds
    if event.kind == "import":
        raise ValueError("imports are not rendered")
    return Attempt(
        video_id=event.video_id,
        attempt=event.attempt,
        user_id=event.user_id,
        state=State.REQUESTED,
        created_at=event.time,
        changed_at=event.time,
        kind=event.kind,
        request_id=event.request_id,
        title=event.title,
        email=event.email or "",
        fields=event.fields,
        deadline_at=event.time + deadline,
        estimate_seconds=estimate.total_seconds() if expected is None else expected,
        traceparent=event.traceparent,
    )

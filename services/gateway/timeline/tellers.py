"""How each event becomes an entry of the timeline: one function per event, all of them in TELLERS.

Scripts, titles, addresses in full and keys stay out: what others wrote goes through `safe`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from services.gateway.domain import Rank
from services.gateway.timeline.entry import Entry, Service, Weight
from shared.contracts import events
from shared.contracts.events import Event, Level, former_ids
from shared.contracts.plain_words import first_sentence, place_of, safe, says_something
from shared.contracts.videos import FailureCode

Teller = Callable[[Any], Entry | None]

MILESTONES = (75, 50, 25)


def entry_of(event: Event) -> Entry | None:
    """Return the entry that `event` makes; None where it makes none."""
    teller = TELLERS.get(type(event))
    return teller(event) if teller else None


def webhook_id(receipt_id: str, report_id: str | None) -> str:
    """Return the id of the entry of a webhook; each time that a person has it passed on again it gets another one."""
    first = next(iter(former_ids(report_id or "")), report_id or "")
    return f"webhook:{receipt_id}{(report_id or '').removeprefix(first)}"


def _entry(event: Any, service: Service, code: str, message: str, **more: Any) -> Entry:
    """Return the entry of a video's event. Its id names the type too: services use the same ids for their own news."""
    fields: dict[str, Any] = {
        "id": f"{type(event).__name__}:{event.id}",
        "video_id": event.video_id,
        "at": event.time,
        "attempt": event.attempt,
        "trace_id": trace_of(event),
    }
    return Entry(**{**fields, "service": service, "code": code, "message": message, **more})


def trace_of(event: Event) -> str | None:
    """Return the id of the trace an event belongs to."""
    parts = (event.traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else None


# --- gateway: what owners asked for ---------------------------------------------------------------------------


def _requested(event: events.VideoRequested) -> Entry:
    return _entry(event, "gateway", "requested", "You asked for this video.")


def _import_requested(event: events.VideoImportRequested) -> Entry:
    source = place_of(event.video_url)
    message = f"You asked to bring in a file from {source}." if source else "You asked to bring in a file."
    return _entry(event, "gateway", "requested", message)


def _retry_requested(event: events.VideoRetryRequested) -> Entry:
    what = "the rendering" if event.restart == "workflow" else "fetching the file"
    message = f"You asked for another try, which starts again with {what}."
    return _entry(event, "gateway", "retry_requested", message, details={"restart": event.restart})


def _cancel_requested(event: events.VideoCancelled) -> Entry:
    return _entry(event, "gateway", "cancel_requested", "You cancelled this attempt.")


def _unanswered(event: events.VideoUnanswered) -> Entry:
    return _entry(event, "gateway", "unanswered", f"{first_sentence(event.message)}.", level="error")


# --- gateway: what workflows reported -------------------------------------------------------------------------


def _completion(event: events.CompletionReported) -> Entry:
    if event.status == "failed":
        return _webhook(event, "webhook.complete", _quoted("The workflow reported a failure", event.error))
    return _webhook(event, "webhook.complete", f"The workflow reported a finished video {_where(event)}.")


def _where(event: events.CompletionReported) -> str:
    source = place_of(event.video_url)
    if source:
        return f"at {source}"
    if event.s3_key:
        return "in the storage"
    return "at an address that can't be used" if (event.video_url or "").strip() else "without a file"


def _workflow_error(event: events.WorkflowErrorReported) -> Entry | None:
    return _webhook(event, "webhook.error", _quoted("The workflow reported an error", event.error_message))


def _first_progress(event: events.ProgressReported) -> Entry | None:
    if event.receipt_id is None:
        return None
    return _webhook(event, "webhook.progress", "The workflow reported its first progress.")


def _webhook(event: Any, code: str, message: str) -> Entry:
    execution = {"executionId": safe(event.execution_id, 128)} if event.execution_id else {}
    its_id = webhook_id(event.receipt_id, event.id)
    about = {"id": its_id, "video_id": event.video_id or "", "details": execution}
    if former_ids(event.id):
        message = f"An operator had this judged again: {message[0].lower()}{message[1:]}"
    return _entry(event, "gateway", code, message, **about, weight=Weight.STEP, open=True)


def _quoted(what: str, said: str | None) -> str:
    text = safe(said, 200)
    return f"{what} (“{text}”)." if says_something(text) else f"{what}."


# --- generator ------------------------------------------------------------------------------------------------


def _workflow_started(event: events.WorkflowStarted) -> Entry:
    execution = {"executionId": safe(event.execution_id, 128)} if event.execution_id else {}
    if event.certain:
        return _entry(event, "generator", "workflow.started", "The rendering began.", details=execution)
    message = "Nobody can say whether the rendering began, so its result is awaited."
    return _entry(event, "generator", "workflow.unknown", message, level="warning", details=execution)


def _workflow_progressed(event: events.WorkflowProgressed) -> Entry | None:
    return _milestone(event, "generator", "workflow.progress", event.progress, "of the rendering is done")


def _workflow_completed(event: events.WorkflowCompleted) -> Entry:
    source = place_of(event.video_url)
    details = {"from": source} if source else {}
    if event.adopted:
        message = "A result came although the attempt had been given up, and it is taken after all."
        return _entry(event, "generator", "workflow.adopted", message, level="warning", details=details)
    return _entry(event, "generator", "workflow.completed", "The rendering is finished.", details=details)


def _workflow_failed(event: events.WorkflowFailed) -> Entry:
    if event.code == FailureCode.CANCELLED:
        return _entry(event, "generator", "workflow.cancelled", "The attempt was ended, as you asked.")
    message = f"The rendering failed: {first_sentence(event.message)}."
    return _entry(event, "generator", "workflow.failed", message, level="error", details={"code": event.code})


def _discarded(event: events.ResultDiscarded) -> Entry:
    message = "A file that the workflow had stored is not taken; it stays until this video is deleted."
    details = {"reason": safe(event.reason, 60)}
    return _entry(event, "generator", "result.discarded", message, level="warning", details=details)


# --- media ----------------------------------------------------------------------------------------------------


def _transfer_started(event: events.TransferStarted) -> Entry:
    return _entry(event, "media", "transfer.started", "The file is being fetched and stored.")


def _transfer_progressed(event: events.TransferProgressed) -> Entry | None:
    if event.message and event.next_try_at is None:  # else the try that failed has a note of its own
        return _entry(event, "media", "transfer.waits", safe(event.message), level="warning", weight=Weight.STEP)
    return _milestone(event, "media", "transfer.progress", event.percent, "of the file is stored")


def _ready(event: events.VideoReady) -> Entry:
    return _entry(event, "media", "ready", "The video is stored, checked and ready to watch.")


def _video_failed(event: events.VideoFailed) -> Entry:
    if event.code == FailureCode.CANCELLED:
        return _entry(
            event,
            "media",
            "transfer.cancelled",
            "Nothing of it is kept, as you asked; what the workflow itself stored stays until the video is deleted.",
        )
    message = f"The file could not be stored: {first_sentence(event.message)}."
    return _entry(event, "media", "transfer.failed", message, level="error", details={"code": event.code})


# --- notifier, and what services note beside their states -------------------------------------------------------


_TOLD = {
    Rank.UNANSWERED: "that nothing is heard of it",
    Rank.FAILED: "that it failed",
    Rank.READY: "that the video is ready",
    Rank.CANCELLED: "that it was stopped",
}


def _told(event: events.NotificationCreated) -> Entry | None:
    attempt, rank = divmod(event.order or 0, 1000)
    if event.video_id is None or rank not in _TOLD:
        return None
    its_id = f"told:{event.video_id}:{event.order}"
    return Entry(
        id=its_id,
        video_id=event.video_id,
        at=event.time,
        service="notifier",
        code="told",
        message=f"You were told {_TOLD[Rank(rank)]}.",
        attempt=attempt,
        trace_id=trace_of(event),
    )


def _noted_by(service: Service) -> Teller:
    def teller(event: events.NotedEvent) -> Entry:
        weight = Weight.CORNER if event.lasting else Weight.STEP
        more = {"level": event.level, "weight": weight, "details": event.details}
        return _entry(event, service, event.code, event.message, **more)

    return teller


def _milestone(event: Any, service: Service, code: str, percent: float | None, what: str) -> Entry | None:
    reached = next((milestone for milestone in MILESTONES if (percent or 0) >= milestone), None)
    if reached is None:
        return None
    its_id = f"{type(event).__name__}:{event.video_id}:{event.attempt}:{reached}"
    level: Level = "info"
    return _entry(event, service, code, f"{reached}% {what}.", id=its_id, level=level, weight=Weight.PASSING)


TELLERS: Mapping[type[Event], Teller] = {
    events.VideoRequested: _requested,
    events.VideoImportRequested: _import_requested,
    events.VideoRetryRequested: _retry_requested,
    events.VideoCancelled: _cancel_requested,
    events.VideoUnanswered: _unanswered,
    events.CompletionReported: _completion,
    events.WorkflowErrorReported: _workflow_error,
    events.ProgressReported: _first_progress,
    events.WorkflowStarted: _workflow_started,
    events.WorkflowProgressed: _workflow_progressed,
    events.WorkflowCompleted: _workflow_completed,
    events.WorkflowFailed: _workflow_failed,
    events.ResultDiscarded: _discarded,
    events.WorkflowNoted: _noted_by("generator"),
    events.TransferStarted: _transfer_started,
    events.TransferProgressed: _transfer_progressed,
    events.TransferNoted: _noted_by("media"),
    events.VideoReady: _ready,
    events.VideoFailed: _video_failed,
    events.NotificationCreated: _told,
}

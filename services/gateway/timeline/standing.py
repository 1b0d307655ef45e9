"""Where a video stands, and why it failed if it did: one plain sentence each."""

from collections.abc import Sequence

from services.gateway.domain import Failure, Stage, Video
from services.gateway.timeline.entry import Entry
from shared.contracts.plain_words import first_sentence
from shared.contracts.videos import FailureCode, VideoStatus

_REFUSED = "call.refused"
_FAILED_TRIES = ("transfer.try_failed", "transfer.refused", "transfer.timed_out")

_STANDING = {
    Stage.RENDERING: "The video is being rendered",
    Stage.UNKNOWN: "Nobody can say whether the rendering began, so its result is awaited",
    Stage.COMPLETED: "The rendering is finished, and its file is about to be stored",
    Stage.TRANSFERRING: "The file is being stored",
    Stage.ADOPTING: "The video had failed, but a late result came and is being stored",
    Stage.READY: "The video is ready to watch",
    Stage.FAILED: "The video failed",
    Stage.CANCELLED: "You cancelled the video",
}


def standing(video: Video, entries: Sequence[Entry]) -> str:
    """Return where `video` stands."""
    if video.stage is Stage.QUEUED:
        return _waiting(video, entries)
    progress = f", {video.progress:g}% of it so far" if video.running and video.progress is not None else ""
    return f"{_STANDING[video.stage]}{progress}."


def why(video: Video, entries: Sequence[Entry]) -> str | None:
    """Return why `video` failed; None where it did not, or where it may yet come."""
    if video.status is not VideoStatus.FAILED or video.failure is None:
        return None
    said = _said(video.failure)
    refusals, tries = _of(video, entries, _REFUSED), _of(video, entries, *_FAILED_TRIES)
    if video.failure.origin == "workflow" and refusals:
        last = refusals[-1].details.get("reason", "no answer")
        return f"{said} ({_calls(len(refusals))} refused, the last one with: {last})."
    if video.failure.origin == "transfer" and len(tries) > 1:
        return f"{said} ({len(tries)} tries failed)."
    return f"{said}."


def _waiting(video: Video, entries: Sequence[Entry]) -> str:
    refusals = _of(video, entries, _REFUSED)
    if video.kind == "import" or video.restart == "transfer":
        return "The file waits to be fetched."
    if not refusals:
        return "The video waits for the rendering service."
    last = refusals[-1].details.get("reason", "no answer")
    waiting = "The video waits for the rendering service"
    return f"{waiting} ({_calls(len(refusals))} refused so far, the last one with: {last})."


def _said(failure: Failure) -> str:
    first = first_sentence(failure.message)
    if failure.code == FailureCode.WORKFLOW_FAILED and not first.startswith("The rendering"):
        return f"The rendering failed: {first}" if first else "The rendering failed"
    return first or f"It failed with {failure.code}"


def _of(video: Video, entries: Sequence[Entry], *codes: str) -> list[Entry]:
    return [entry for entry in entries if entry.attempt == video.attempt and entry.code in codes]


def _calls(count: int) -> str:
    return "1 call was" if count == 1 else f"{count} calls were"

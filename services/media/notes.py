"""What media tells for a video's timeline beside its states: each event is made here, with the same id each time."""

from collections.abc import Mapping
from datetime import timedelta

from services.media.domain import Attempt, TransferError
from services.media.reports import Setback, what_of
from shared.contracts.events import Level, TransferNoted
from shared.contracts.naming import naming
from shared.contracts.plain_words import place_of
from shared.contracts.videos import VideoMetadata


def try_failed(attempt: Attempt, number: int, setback: Setback, wait: timedelta | None) -> TransferNoted:
    """Return the note of try `number`, which `setback` ended; None to `wait` for: it was the last one."""
    what = what_of(setback).rstrip(".")
    seconds = None if wait is None else round(wait.total_seconds(), 1)
    then = "it was the last one" if seconds is None else f"the next one comes after {seconds:g} s"
    details = _where(attempt) | {"try": number, "again": wait is not None}
    if isinstance(setback, TransferError):
        details["code"] = setback.code.value
    message = f"Try {number} failed: {what[:1].lower()}{what[1:]}; {then}."
    return _note(attempt, f"try:{number}:failed", "transfer.try_failed", message, details, "warning")


def refused(attempt: Attempt, number: int, error: TransferError) -> TransferNoted:
    """Return the note of try `number`, after which another one right away would end the same way."""
    details = _where(attempt) | {"try": number, "code": error.code.value}
    message = f"Try {number} was the last one: another one would end the same way."
    return _note(attempt, f"try:{number}:refused", "transfer.refused", message, details, "error")


def timed_out(attempt: Attempt, number: int) -> TransferNoted:
    """Return the note of try `number`, which met the deadline."""
    message = f"Try {number} was cut off: the time for storing the file is over."
    return _note(attempt, f"try:{number}:timed_out", "transfer.timed_out", message, {"try": number}, "error")


def came_too_late(attempt: Attempt, number: int) -> TransferNoted:
    """Return the note of try `number`, for which no time was left when its turn came."""
    message = f"Try {number} was not begun: the time for storing the file is over."
    return _note(attempt, f"try:{number}:too_late", "transfer.not_begun", message, {"try": number}, "error")


def taken_over(attempt: Attempt, number: int) -> TransferNoted:
    """Return the note of try `number`, begun because nobody ended the one before."""
    message = f"Try {number} takes the place of one that was interrupted on our side."
    return _note(attempt, f"try:{number}:taken_over", "transfer.taken_over", message, {"try": number}, "warning")


def resumed(attempt: Attempt, number: int, times: int) -> TransferNoted:
    """Return the note that in try `number` the connection to the source broke `times` times and was resumed."""
    often = "once" if times == 1 else f"{times} times"
    message = f"In try {number} the connection broke {often} and went on where it had broken."
    details = _where(attempt) | {"try": number, "times": times}
    return _note(attempt, f"try:{number}:resumed", "transfer.resumed", message, details)


def given_up(attempt: Attempt) -> TransferNoted:
    """Return the note that the file of `attempt` is not fetched any more: another attempt took its place."""
    message = "Fetching and storing the file was given up, because another attempt began."
    return _note(attempt, "given_up", "transfer.given_up", message, _where(attempt), "warning", lasting=True)


def probed(attempt: Attempt, metadata: VideoMetadata) -> TransferNoted:
    """Return the note of what the stored file was seen to be."""
    size = f"{metadata.width}×{metadata.height}" if metadata.width and metadata.height else None
    length = None if metadata.duration is None else f"{metadata.duration:.1f} s"
    seen = ", ".join(part for part in (metadata.format, metadata.codec, size, length) if part)
    details: dict[str, int | str] = {"sizeBytes": metadata.size, "format": metadata.format}
    return _note(attempt, "probed", "transfer.probed", f"The stored file was looked into: {seen}.", details)


def _where(attempt: Attempt) -> dict[str, int | str]:
    source = place_of(attempt.source.video_url)
    return {"from": source} if source else {}


def _note(
    attempt: Attempt,
    occurrence: str,
    code: str,
    message: str,
    details: Mapping[str, int | str],
    level: Level = "info",
    *,
    lasting: bool = False,
) -> TransferNoted:
    return TransferNoted(
        **naming(attempt.video_id, attempt.user_id, attempt.number, f"noted:{occurrence}"),
        code=code,
        message=message,
        level=level,
        lasting=lasting,
        details=dict(details),
    )

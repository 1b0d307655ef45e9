"""The words every service uses about a video: kinds, statuses, failure codes, measured metadata."""

from enum import StrEnum
from typing import Literal

from shared.contracts.wire import Wire

VideoKind = Literal["create", "generate", "import"]


class VideoStatus(StrEnum):
    """The life of a video as users see it."""

    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class FailureCode(StrEnum):
    """Why an attempt ended without a video. Users read the message; programs read the code."""

    CANCELLED = "CANCELLED"
    UNANSWERED = "UNANSWERED"
    WORKFLOW_REFUSED = "WORKFLOW_REFUSED"
    WORKFLOW_UNREACHABLE = "WORKFLOW_UNREACHABLE"
    WORKFLOW_FAILED = "WORKFLOW_FAILED"
    WORKFLOW_TIMEOUT = "WORKFLOW_TIMEOUT"
    WORKFLOW_UNKNOWN = "WORKFLOW_UNKNOWN"
    WORKFLOW_LOST = "WORKFLOW_LOST"
    RESULT_INVALID = "RESULT_INVALID"
    SOURCE_REFUSED = "SOURCE_REFUSED"
    SOURCE_UNREACHABLE = "SOURCE_UNREACHABLE"
    SOURCE_INCOMPLETE = "SOURCE_INCOMPLETE"
    SOURCE_TOO_LARGE = "SOURCE_TOO_LARGE"
    NOT_A_VIDEO = "NOT_A_VIDEO"
    OBJECT_REFUSED = "OBJECT_REFUSED"
    TRANSFER_TIMEOUT = "TRANSFER_TIMEOUT"


_PASSING = frozenset(
    {
        FailureCode.SOURCE_UNREACHABLE,
        FailureCode.SOURCE_INCOMPLETE,
        FailureCode.TRANSFER_TIMEOUT,
        FailureCode.CANCELLED,
    }
)


def may_pass(code: str) -> bool:
    """Return whether the same file may well arrive after all: else it has to be another one."""
    return code in _PASSING


def may_be_a_setting(code: str) -> bool:
    """Return whether a setting may have refused the file: it is worth being fetched once more before it is replaced."""
    return code in (FailureCode.SOURCE_REFUSED, FailureCode.SOURCE_TOO_LARGE)


class VideoMetadata(Wire):
    """What was measured on the stored file: size in bytes, duration in seconds, pixels, sha256 in hex."""

    size: int
    format: str = "mp4"
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    sha256: str | None = None
    original_url: str | None = None

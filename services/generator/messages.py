"""What users read when an attempt fails: plain, bounded, and saying what to do."""

import unicodedata

from shared.contracts.videos import FailureCode

LONGEST = 300

_TEXTS = {
    FailureCode.CANCELLED: "You cancelled this video.",
    FailureCode.WORKFLOW_REFUSED: "The rendering service refused this video. Try again later; if it stays, tell us.",
    FailureCode.WORKFLOW_UNREACHABLE: "The rendering service was not reached in time. Nothing was made. Try again.",
    FailureCode.WORKFLOW_FAILED: "The rendering service reported a failure. Try again.",
    FailureCode.WORKFLOW_TIMEOUT: "The video was not finished in time. It may still arrive; if not, try again.",
    FailureCode.WORKFLOW_UNKNOWN: (
        "The rendering service never said whether it started this video. It may still arrive; if not, try again."
    ),
    FailureCode.WORKFLOW_LOST: "The rendering service stopped without delivering the video. Try again.",
    FailureCode.RESULT_INVALID: "The rendering service said the video is ready but sent no file. Try again.",
}


def failure_message(code: FailureCode, reported: str | None) -> str:
    """Return the message for `code`; what the workflow itself `reported` (hostile) is shown where there is any."""
    text = _TEXTS[code]
    said = plain(reported)
    if not said:
        return text
    if code is FailureCode.WORKFLOW_REFUSED:
        return f"{text} ({said})"
    return said if code is FailureCode.WORKFLOW_FAILED else text


def plain(text: str | None, longest: int = LONGEST) -> str:
    """Return `text` as one line of at most `longest` characters, without control or invisible characters."""
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in (text or "")[: longest * 4])
    line = " ".join(shown.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"

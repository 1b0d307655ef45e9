"""What users read when an attempt fails: plain, bounded, and saying what to do."""

import re
import unicodedata
from typing import Literal

from shared.contracts.plain_words import says_something
from shared.contracts.videos import FailureCode

LateResult = Literal["adopt", "discard"]

LONGEST = 300

NOT_SAID = (
    "The rendering service did not say whether it started this video. Unless that is ruled out, it is not started a "
    "second time, so that it is not paid for twice: its result is awaited. If none comes, the video fails, and you can "
    "try again."
)
STILL_RUNNING = "This takes longer than usual. The rendering service is still at work on it."

_TEXTS = {
    FailureCode.CANCELLED: "You cancelled this video.",
    FailureCode.WORKFLOW_REFUSED: "The rendering service refused this video. Try again later; if it stays, tell us.",
    FailureCode.WORKFLOW_UNREACHABLE: (
        "This video could not be handed to the rendering service in time. Nothing was made. Try again."
    ),
    FailureCode.WORKFLOW_FAILED: "The rendering service reported a failure. Try again.",
    FailureCode.WORKFLOW_TIMEOUT: "The video was not finished in time.",
    FailureCode.WORKFLOW_UNKNOWN: "The rendering service never said whether it started this video.",
    FailureCode.WORKFLOW_LOST: "The rendering service is not at work on this video and delivered none. Try again.",
    FailureCode.RESULT_INVALID: "The rendering service said the video is ready but sent no file. Try again.",
}


_MAY_ARRIVE = (FailureCode.WORKFLOW_TIMEOUT, FailureCode.WORKFLOW_UNKNOWN)
_AND_NOW: dict[LateResult, str] = {"adopt": "It may still arrive; if not, try again.", "discard": "Try again."}


def failure_message(code: FailureCode, reported: str | None, late_result: LateResult = "adopt") -> str:
    """Return the message for `code`; what the workflow itself `reported` (hostile) is shown where it says something."""
    text = f"{_TEXTS[code]} {_AND_NOW[late_result]}" if code in _MAY_ARRIVE else _TEXTS[code]
    said = plain(reported)
    if not says_something(said):
        return text
    if code is FailureCode.WORKFLOW_REFUSED:
        return f"{text} ({said})"
    return said if code is FailureCode.WORKFLOW_FAILED else text


# Engines put the address that failed into their errors: ours to call back carry tokens, others names and passwords.
# The second form is no valid address, and yet what people write: a password with a slash or a question mark in it.
_NAME_OF_URL = re.compile(
    r"\b([a-z][a-z0-9+.-]{1,20}://)(?:[^\s/?#\"'<>]*@|[^\s/?#@:\"'<>]*:(?!\d{1,5}[/?#])[^\s<>@]*@(?:[^\s/?#\"'<>]*@)?)",
    re.IGNORECASE,
)
_SECRETS_OF_URL = re.compile(r"(https?://[^\s?#\"'<>]*)[?#][^\s\"'<>]*", re.IGNORECASE)


def plain(text: str | None, longest: int = LONGEST) -> str:
    """Return `text` as one line of at most `longest` characters: nothing invisible, of a URL no query nor name."""
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in (text or "")[: longest * 4])
    line = _NAME_OF_URL.sub(r"\1", " ".join(shown.split()))
    line = _SECRETS_OF_URL.sub(r"\1?…", line)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
